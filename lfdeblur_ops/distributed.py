"""Sharding rules of the ops for ``torch.distributed.tensor``: importing this module registers them.

A ``DTensor`` that is sharded along the batch stays so through every op, forward and backward: weights, disparities and
apertures are replicated, and their gradients are partial sums. Other placements are redistributed to replicas first.
Gradients of strided convolutions, ``conv_transpose4x4`` among them, and DRBNet need torch 2.13 (2.11 lacks rules of its
own for them; 2.12 is not tried). ``refocus`` wants disparity and aperture as ``DTensor`` too, planes or maps that all
light fields share; DRBNet wants sizes that are multiples of ``net.multiple``.

Data parallel modules (``DistributedDataParallel``, ``fully_shard``) need none of this: they call the ops on plain
tensors.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.distributed.tensor import Partial, Replicate, Shard
from torch.distributed.tensor.experimental import register_sharding

_BATCH, _ALIKE, _SUM = Shard(0), Replicate(), Partial()

# Of each operator: its results (b: along the batch, +: a sum over it) and its tensors (b: along the batch, w: alike for
# all samples). What is no tensor follows.
RULES = {
    "dynamic_filter": ("b", "bb"),
    "dynamic_filter_backward": ("bb", "bbb"),
    "dynamic_filter_separable": ("b", "bb"),
    "dynamic_filter_separable_backward": ("bb", "bbb"),
    "refocus": ("b", "bww"),
    "refocus_backward": ("b++", "bbbww"),
    "conv3x3": ("b", "bbwwb"),
    "conv_transpose4x4": ("b", "bwwb"),
    "residual_block": ("b", "bwwww"),
    "drb_head": ("b", "bwwbwwb"),
    "drb_head_backward": ("b++b++b", "bbwwbwwb"),
    "winograd_backward": ("b++", "bbbbwb"),
}
_PLACED = {"b": _BATCH, "w": _ALIKE, "+": _SUM}


def _rule(results: str, tensors: str) -> Callable[..., Sequence[Any]]:
    def shardings(*arguments: Any) -> list[Any]:
        given = [argument is not None for argument in arguments[: len(tensors)]]
        rest = [None] * (len(arguments) - len(tensors))
        by_batch = [_PLACED[kind] if there else None for kind, there in zip(tensors, given, strict=True)]
        replicas = [_ALIKE if there else None for there in given]
        return [
            ([_ALIKE] * len(results), [*replicas, *rest]),
            ([_PLACED[kind] for kind in results], [*by_batch, *rest]),
        ]

    return shardings


for _op, (_results, _tensors) in RULES.items():
    if hasattr(torch.ops.lfdeblur, _op):  # without the extension some are not there: the reference runs instead
        register_sharding(getattr(torch.ops.lfdeblur, _op).default)(_rule(_results, _tensors))
