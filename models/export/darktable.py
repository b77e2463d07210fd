"""``--to dtmodel``: the archive that darktable 5.6 installs as a model of its neural restoration."""

import json
import zipfile
from pathlib import Path

import onnx

from ..networks import DRBNet
from .card import SCOPE, Card, metadata

TASK = "denoise"  # darktable's only place for models whose result has the picture's size
TILES = (768, 512, 384, 256)  # that darktable may choose from, by memory; its overlap is 64 pixels


def write_dtmodel(model: onnx.ModelProto, network: DRBNet, card: Card, path: Path) -> None:
    """Write ``<id>/model.onnx`` and ``<id>/config.json`` as a zip."""
    told = metadata(network, card, "")
    name = f"{TASK}-{card.name}"  # darktable's pattern of names
    config = {
        "id": name,
        "name": card.name.replace("-", " "),
        "description": f"DRBNet: {SCOPE}",
        "task": TASK,
        "backend": "onnx",
        "version": "1.0",
        "tiling": True,
        "num_inputs": 1,
        "attributes": {"input_sizes": list(TILES)},
        "model_card": {
            "long_description": f"DRBNet ({network.extra_repr()}): {SCOPE}",
            "scope": "defocus deblurring of a single picture",
            "author": card.author,
            "source": told["made_by"],
            "paper": told["paper"],
            "license": card.licence,
            "training_data": card.data,
            "training_data_license": card.data_licence,
            "notes": card.limits,
        },
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in (
            ("config.json", (json.dumps(config, indent=2) + "\n").encode()),
            ("model.onnx", model.SerializeToString()),
        ):
            entry = zipfile.ZipInfo(f"{name}/{file}")  # of 1980: the same bytes for the same network
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
