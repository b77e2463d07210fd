"""Plain PyTorch formulations, differentiable by autograd, that every kernel is held against."""

from .conv3x3 import conv3x3
from .conv_transpose4x4 import conv_transpose4x4
from .drb_head import drb_head
from .dynamic_filter import dynamic_filter, normalized
from .dynamic_filter_separable import dynamic_filter_separable
from .refocus import refocus
from .residual_block import residual_block

__all__ = [
    "conv3x3",
    "conv_transpose4x4",
    "drb_head",
    "dynamic_filter",
    "dynamic_filter_separable",
    "normalized",
    "refocus",
    "residual_block",
]
