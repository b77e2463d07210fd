"""One layer of a published model: theirs, ours, and what it is given there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class User:
    """A row.

    Attributes:
        name: model and layer.
        setting: sizes, as the model has them.
        theirs: the best plain PyTorch form that the authors' repository has; what their CUDA kernel computes, unfolded,
            where it has none.
        ours: the call that replaces it, of the same tensors in the same layout.
        inputs: makes the tensors of a height and width, which ``size`` says, or ``tiny`` for tests; and of what more
            they say.
    """

    name: str
    setting: str
    theirs: Callable[..., Any]
    ours: Callable[..., Any]
    inputs: Callable[..., dict[str, Tensor]]
    size: tuple[int, ...]
    tiny: tuple[int, ...] = (5, 6)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape)
