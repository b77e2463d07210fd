"""Kernels for light-field refocusing and defocus deblurring, as torch ops."""

from . import reference
from ._build_info import build_info
from ._dispatch import BackendError, backends
from ._version import __version__
from .dynamic_filter import dynamic_filter
from .refocus import refocus

__all__ = ["BackendError", "__version__", "backends", "build_info", "dynamic_filter", "reference", "refocus"]
