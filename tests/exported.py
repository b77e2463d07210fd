"""DRBNet out of eager mode: exported with free sizes, and compiled ahead of time."""

import torch
from torch.export import Dim, ExportedProgram, export

SIZES = ((2, 96, 128), (1, 37, 51), (3, 12, 9))  # N, H, W; none is that of the example


def exported(net, *, views: int = 1, strict: bool = False) -> ExportedProgram:
    """Of any number and size of pictures."""
    free = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    pictures = 1 if views == 1 else 3
    with torch.no_grad():
        example = tuple(torch.rand(2, 3, 64, 64) * 2 - 1 for _ in range(pictures))
        return export(net, example, dynamic_shapes=(free,) * pictures, strict=strict)


def packaged(program: ExportedProgram, path) -> str:
    """Compiled by AOTInductor, to be made quickly rather than to run fast."""
    quick = {"aot_inductor.compile_wrapper_opt_level": "O0", "cpp.simdlen": 1}
    return torch._inductor.aoti_compile_and_package(program, package_path=str(path), inductor_configs=quick)
