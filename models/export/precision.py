"""The types that weights and features are exported in, and whether a network fits into the narrow one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..io.images import read_image
from ..networks import DRBNet
from .errors import ExportError

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16}
MOST = torch.finfo(torch.float16).max
PICTURE = Path(__file__).parents[1] / "assets" / "chess" / "view_r04_c04.jpg"
SIDE = 128  # pixels of the samples


def check_half(network: DRBNet) -> None:
    """Raise ExportError where a weight, or a feature of one of a few pictures, is beyond half precision.

    The pictures: a part of a photograph, black, white, noise, and a checkerboard of single pixels.
    """
    from .architecture import network_of  # not above: it imports spandrel where that is installed, and torchvision

    state = {name: value.detach().float().cpu() for name, value in network.state_dict().items()}
    for name, weight in state.items():
        _check(name, weight)
    plain = network_of(state)
    # Called with more than its features: a block's picture stays in float32.
    watched = [(name, layer) for name, layer in plain.named_modules() if name and not isinstance(layer, nn.ModuleList)]
    hooks = [layer.register_forward_hook(_watch(f"the output of {name}")) for name, layer in watched]
    try:
        with torch.no_grad():
            for picture in samples():
                plain(*[picture] * network.configuration.pictures)
    finally:
        for hook in hooks:
            hook.remove()


def samples() -> Iterator[Tensor]:
    """Pictures, ``[1, 3, H, W]`` in [0, 1]."""
    photograph, _ = read_image(PICTURE)
    yield photograph[None, :, :SIDE, :SIDE].float() / 255
    for value in (0.0, 1.0):
        yield torch.full((1, 3, SIDE, SIDE), value)
    yield torch.rand((1, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    steps = torch.arange(SIDE)
    yield ((steps[:, None] + steps) % 2).float().expand(1, 3, SIDE, SIDE)


def _watch(what: str) -> Any:
    def watch(layer: nn.Module, inputs: Any, output: Tensor) -> None:
        _check(what, output)

    return watch


def _check(what: str, values: Tensor) -> None:
    largest = values.abs().max().item()
    if not largest <= MOST:
        raise ExportError(
            f"precision: fp16 overflows, {what} reaches {largest:.3g} and fp16 holds {MOST:.0f}; use fp32"
        )
