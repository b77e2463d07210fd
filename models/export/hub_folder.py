"""``--to hub``: a folder that ``DRBNet.from_pretrained`` loads, and that can be uploaded to the Hugging Face Hub."""

import copy
from pathlib import Path

from ..networks import DRBNet
from ..networks.pretrained import CARD, CONFIG, TENSORS, contents
from .card import Card, metadata, readme
from .precision import PRECISIONS

FILES = (CONFIG, TENSORS, CARD)
LICENCES = {"Apache-2.0": "apache-2.0"}  # SPDX to the Hub's own identifiers; others are "other" there
TAGS = ("deblurring", "defocus-deblurring", "image-restoration", "drbnet", "pytorch")
USE = """
```python
from lfdeblur_models import DRBNet, deblur

network = DRBNet.from_pretrained("FOLDER OR OWNER/NAME")
restored = deblur(network, picture)  # [3, H, W] in [0, 1], any size
```
"""


def write_hub(network: DRBNet, card: Card, precision: str, folder: Path) -> None:
    """Write configuration, tensors and model card into a folder that is there."""
    narrowed = copy.deepcopy(network).to(PRECISIONS[precision])
    text, told = readme(network, card, USE, header(card)), metadata(network, card, precision)
    for name, data in contents(narrowed, text, told).items():
        (folder / name).write_bytes(data)


def header(card: Card) -> str:
    """What the Hub reads of a model card: YAML between lines of dashes."""
    tags = "\n".join(f"  - {tag}" for tag in TAGS)
    licence = LICENCES.get(card.licence, "other")
    named = "" if licence != "other" else f"license_name: {card.licence}\n"
    return (
        f"---\nlicense: {licence}\n{named}library_name: lfdeblur\npipeline_tag: image-to-image\ntags:\n{tags}\n---\n\n"
    )
