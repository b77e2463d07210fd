"""``.safetensors`` files that are the same bytes for the same content."""

import json
from collections.abc import Mapping

from safetensors.torch import save
from torch import Tensor

LENGTH = 8  # bytes that tell the header's length, little-endian; what follows the header is aligned to as many


def tensor_file(state: dict[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The file as bytes. ``save`` itself has the metadata in another order each time."""
    data = save(state, dict(metadata))
    end = LENGTH + int.from_bytes(data[:LENGTH], "little")
    header = json.loads(data[LENGTH:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH)
    return len(text).to_bytes(LENGTH, "little") + text + data[end:]
