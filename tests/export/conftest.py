"""Small networks, and files that they were exported to."""

import pytest

from lfdeblur_models import export

from ..natural import natural
from .networks import SHAPES


@pytest.fixture(scope="session")
def networks():
    return {name: natural(**shape) for name, shape in SHAPES.items()}


@pytest.fixture(scope="session")
def exported(tmp_path_factory, networks):
    """Gives the path of a network's file, exported once."""
    suffixes = {"onnx": ".onnx", "openvino": ".xml", "torch": ".pt2", "aoti": ".pt2"}
    folder, files = tmp_path_factory.mktemp("exported"), {}

    def path(name, to, **options):
        key = name, to, *sorted(options.items())
        if key not in files:
            out = folder / f"{len(files)}{suffixes.get(to, '')}"
            files[key] = export(networks[name], to, out, **options)
        return files[key]

    return path
