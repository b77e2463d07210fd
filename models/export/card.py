"""What an exported file says of itself: whose weights, under which licence, made from what, for what."""

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from lfdeblur_ops import __version__

from ..inference.tiled_network import DEFAULT_OVERLAP
from ..networks import DRBNet
from ..networks.receptive_field import exact_overlap
from ..networks.shipped import FILE, weights_file
from ..networks.weights import KEY

PAPER = "https://arxiv.org/abs/2204.00367"
SCOPE = "removes defocus blur from photographs: sRGB in, the same size out"
TILE = 512  # pixels: a side at which the overlaps are a third of the work


@dataclass(frozen=True)
class Card:
    """Facts about weights that no tensor tells.

    Attributes:
        name: of the weights, in lower case with hyphens: it names files and identifies the model.
        licence: SPDX identifier, or ``unknown``.
        author: who trained them.
        data: what they were trained on.
        data_licence: of that.
        limits: what they cannot do.
    """

    name: str = "drbnet"
    licence: str = "unknown"
    author: str = "unknown"
    data: str = "unknown"
    data_licence: str = "unknown"
    limits: str = "unknown"


COMPACT = Card(
    name="drbnet-compact",
    licence="Apache-2.0",
    author="lfdeblur contributors",
    data=(
        "404 560 pairs rendered from 114 sharp pictures, none of any benchmark; "
        "before that pairs of light fields, stereo pictures and photographs"
    ),
    data_licence="free licences and public domain, picture by picture in docs/weights/pictures.md of lfdeblur",
    limits=(
        "strong blur is reduced, not removed: little was trained on beyond a radius of 16 pixels; "
        "no motion blur; no noise beyond a deviation of 0.02 in linear light"
    ),
)


def card_of(weights: str | Path | None) -> Card:
    """The card of a file of weights; None: of those that ship. ``.safetensors`` that an export wrote tell their own."""
    path = weights_file(weights)
    if path.resolve() == FILE.resolve():
        return COMPACT
    told = _told(path)
    if told:
        return Card(
            _hyphenated(told["name"]) or "drbnet",
            told["license"],
            told["author"],
            told["training_data"],
            told["training_data_license"],
            told["limits"],
        )
    return Card(name=f"drbnet-{_hyphenated(path.stem) or 'weights'}")


def _told(path: Path) -> dict[str, str]:
    """The metadata of a ``.safetensors`` file that an export wrote; of all other files nothing."""
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
    except (OSError, SafetensorError):  # whoever reads the weights says what is wrong with them
        return {}
    wanted = {"name", "license", "author", "training_data", "training_data_license", "limits"}
    return told if wanted <= set(told) else {}


def _hyphenated(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower()).strip("-")


def metadata(network: DRBNet, card: Card, precision: str) -> dict[str, str]:
    """What travels in a file, names to texts; ``drbnet`` is the configuration as JSON."""
    return {
        KEY: json.dumps(asdict(network.configuration)),
        "name": card.name,
        "description": SCOPE,
        "license": card.licence,
        "author": card.author,
        "paper": PAPER,
        "training_data": card.data,
        "training_data_license": card.data_licence,
        "limits": card.limits,
        "values": "RGB, sRGB-encoded, in [0, 1], in and out",
        "precision": precision,
        "tile": str(TILE),
        "overlap": str(min(DEFAULT_OVERLAP, exact_overlap(network))),
        "overlap_exact": str(exact_overlap(network)),
        "made_by": made_by(),
    }


def made_by() -> str:
    """The version of this package, and the commit where it lies in a checkout of its own."""
    root = Path(__file__).resolve().parents[2]
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # they name another's
    try:
        told = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--show-toplevel", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            env=own,
        ).stdout.split("\n")
    except (OSError, subprocess.SubprocessError):
        return f"lfdeblur {__version__}"
    top, commit = told[:2]
    return f"lfdeblur {__version__}" + (f", commit {commit[:12]}" if Path(top) == root else "")


def readme(network: DRBNet, card: Card, use: str, metadata_header: str = "") -> str:
    """A model card in Markdown; ``use`` is its section of how the files are used."""
    told = metadata(network, card, "")
    shape = network.extra_repr()
    return f"""{metadata_header}# {card.name}

DRBNet ({shape}) {SCOPE}. Any size; {told["values"]}.

L. Ruan, B. Chen, J. Li, M.-L. Lam, [Learning to Deblur using Light Field Generated and Real Defocus
Images]({PAPER}), CVPR 2022; an independent implementation.

## Use

{use.strip()}

Large pictures in tiles: {told["tile"]} pixels with {told["overlap"]} of overlap on each side; with {
        told["overlap_exact"]
    } the result is that of the whole picture.

## Weights

| | |
| --- | --- |
| licence | {card.licence} |
| trained by | {card.author} |
| trained on | {card.data} |
| licence of that | {card.data_licence} |
| limits | {card.limits} |
| made by | {told["made_by"]} |
"""
