"""``--to torch`` and ``--to aoti``: programs for PyTorch, with the operators of ``lfdeblur_ops`` in them."""

import copy
import json
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..inference.exported import EXTRA, SECTION
from ..networks import DRBNet
from .errors import ExportError
from .precision import PRECISIONS

EXAMPLE = (2, 3, 45, 51)  # nothing of it is to be found in the program: no 1, no multiple of what the network pools


class InUnit(nn.Module):
    """A network on pictures in [0, 1], as in all exported files."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input: Tensor, left: Tensor | None = None, right: Tensor | None = None) -> Tensor:
        pictures = [picture * 2 - 1 for picture in (input, left, right) if picture is not None]
        restored: Tensor = self.network(*pictures)
        return (restored + 1) / 2


def program(network: DRBNet, precision: str) -> ExportedProgram:
    """``torch.export`` of a network with free N, H and W; pictures are float32 in either precision."""
    module = InUnit(copy.deepcopy(network).cpu().to(PRECISIONS[precision])).eval()
    pictures = tuple(torch.zeros(EXAMPLE) for _ in range(network.configuration.pictures))
    free = {axis: Dim.DYNAMIC for axis in (0, 2, 3)}
    with torch.no_grad():
        return torch.export.export(module, pictures, dynamic_shapes=tuple(free for _ in pictures))


def write_program(network: DRBNet, precision: str, told: Mapping[str, str], path: Path) -> None:
    """Write what ``torch.export.load`` reads; ``told`` is in its extra file ``lfdeblur.json``."""
    file = BytesIO()  # on a full disk PyTorch's own writer ends the process
    torch.export.save(program(network, precision), file, extra_files={EXTRA: json.dumps(told)})
    path.write_bytes(file.getbuffer())


def write_package(network: DRBNet, precision: str, told: Mapping[str, str], path: Path) -> None:
    """Compile with AOTInductor, which needs a C++ compiler, and write what ``aoti_load_package`` reads.

    ``told`` is in its metadata as JSON, key ``lfdeblur``. Raises ExportError: there is no compiler.
    """
    from torch._inductor import aoti_compile_and_package
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        get_cpp_compiler()  # not public, but else it is missed after half a minute, under a traceback
    except RuntimeError as error:
        raise ExportError("to: aoti needs a C++ compiler, g++ or clang++, and finds none; CXX may name it") from error

    configs = {"aot_inductor.metadata": {SECTION: json.dumps(told)}}
    file = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of how PyTorch itself copies what it traced
        aoti_compile_and_package(program(network, precision), package_path=file, inductor_configs=configs)
    path.write_bytes(file.getbuffer())
