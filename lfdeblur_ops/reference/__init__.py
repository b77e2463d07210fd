"""Plain PyTorch formulations, differentiable by autograd, that every kernel is held against."""

from .dynamic_filter import dynamic_filter
from .refocus import refocus

__all__ = ["dynamic_filter", "refocus"]
