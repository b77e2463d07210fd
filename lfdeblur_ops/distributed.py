"""Sharding rules of the ops for ``torch.distributed.tensor``: importing this module registers them.

A ``DTensor`` that is sharded along the batch stays so through every op, forward and backward: weights, disparities and
apertures are replicated, and their gradients are partial sums. Other placements are redistributed to replicas first.
Gradients of strided convolutions, ``conv_transpose4x4`` among them, and DRBNet need torch 2.13 (2.11 lacks rules of its
own for them; 2.12 is not tried). ``refocus`` wants disparity and aperture as ``DTensor`` too, those of each light field
sharded as the light fields are; DRBNet wants sizes that are multiples of ``net.multiple``.

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


# What `refocus` has for each light field, with these axes, lies along the batch too, and so does its gradient.
OWN = {"refocus": {1: 4, 2: 6}, "refocus_backward": {3: 4, 4: 6}}


def _rule(op: str, results: str, tensors: str) -> Callable[..., Sequence[Any]]:
    def shardings(*arguments: Any) -> list[Any]:
        return _shardings(*_of_each(op, results, tensors, arguments), *arguments)

    return shardings


def _of_each(op: str, results: str, tensors: str, arguments: Sequence[Any]) -> tuple[str, str]:
    """The rule, of a call where a light field may have maps or apertures of its own."""
    for place, axes in OWN.get(op, {}).items():
        if arguments[place].ndim == axes:
            tensors = tensors[:place] + "b" + tensors[place + 1 :]
            gradient = place - 2
            results = results[:gradient] + "b" + results[gradient + 1 :] if len(results) > 1 else results
    return results, tensors


def _shardings(results: str, tensors: str, *arguments: Any) -> list[Any]:
    given = [argument is not None for argument in arguments[: len(tensors)]]
    rest = [None] * (len(arguments) - len(tensors))
    by_batch = [_PLACED[kind] if there else None for kind, there in zip(tensors, given, strict=True)]
    replicas = [_ALIKE if there else None for there in given]
    return [
        ([_ALIKE] * len(results), [*replicas, *rest]),
        ([_PLACED[kind] for kind in results], [*by_batch, *rest]),
    ]


for _op, (_results, _tensors) in RULES.items():
    if hasattr(torch.ops.lfdeblur, _op):  # without the extension some are not there: the reference runs instead
        register_sharding(getattr(torch.ops.lfdeblur, _op).default)(_rule(_op, _results, _tensors))
