"""``--to spandrel``: a folder with the weights, and the architecture that spandrel lacks.

ComfyUI takes the folder as a custom node and the weights as an upscaling model; chaiNNer and others import the file.
"""

from pathlib import Path

from ..networks import DRBNet
from ..networks.tensor_files import tensor_file
from .card import Card, metadata, readme
from .precision import PRECISIONS

ARCHITECTURE = Path(__file__).with_name("architecture.py")
MODULE = "drbnet_arch.py"
NODE = '''"""For ComfyUI: registers the architecture DRBNet with spandrel; there are no nodes of its own."""

from . import drbnet_arch as _drbnet_arch

NODE_CLASS_MAPPINGS = {}
'''
USE = """
In Python, with spandrel or without it:

```python
from safetensors.torch import load_file
from drbnet_arch import network_of

network = network_of(load_file("{tensors}"))
restored = network(picture)  # [N, 3, H, W] in [0, 1]
```

ComfyUI: put this folder into `custom_nodes/` and `{tensors}` into `models/upscale_models/`; the nodes "Load Upscale
Model" and "Upscale Image (using Model)" then restore a picture, at its size.
"""


def names(card: Card) -> tuple[str, ...]:
    """Of the files in the folder, the weights first."""
    return f"{card.name}.safetensors", MODULE, "__init__.py", "README.md"


def write_spandrel(network: DRBNet, card: Card, precision: str, folder: Path) -> None:
    """Write the files into a folder that is there."""
    tensors, module, node, text = names(card)
    state = {
        name: value.detach().cpu().to(PRECISIONS[precision]).contiguous()
        for name, value in network.state_dict().items()
    }
    (folder / tensors).write_bytes(tensor_file(state, {"format": "pt"} | metadata(network, card, precision)))
    (folder / module).write_bytes(ARCHITECTURE.read_bytes())
    (folder / node).write_text(NODE)
    (folder / text).write_text(readme(network, card, USE.format(tensors=tensors)))
