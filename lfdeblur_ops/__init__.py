"""Kernels for light-field refocusing and defocus deblurring, as torch ops."""

from . import reference
from ._build_info import build_info
from ._choice import use_backend
from ._dispatch import BackendError, backends
from ._flops import count_flops as _count_flops
from ._layouts import channels_last
from ._version import __version__
from ._winograd import unfit as winograd_unfit
from .conv3x3 import conv3x3
from .conv_transpose4x4 import conv_transpose4x4
from .decompositions import decompositions
from .drb_head import drb_head
from .dynamic_filter import dynamic_filter
from .dynamic_filter_separable import dynamic_filter_separable
from .modules import FAC, Carafe, ConvexUpsample, DynamicFilter, Involution, KernelWeighting
from .refocus import refocus
from .residual_block import residual_block

__all__ = [
    "FAC",
    "BackendError",
    "Carafe",
    "ConvexUpsample",
    "DynamicFilter",
    "Involution",
    "KernelWeighting",
    "__version__",
    "backends",
    "build_info",
    "channels_last",
    "conv3x3",
    "conv_transpose4x4",
    "decompositions",
    "drb_head",
    "dynamic_filter",
    "dynamic_filter_separable",
    "reference",
    "refocus",
    "residual_block",
    "use_backend",
    "winograd_unfit",
]

_count_flops()
