"""``dynamic_filter`` as the layers that others know by name: options in the constructor, one call of the op."""

from .carafe import Carafe
from .convex_upsample import ConvexUpsample
from .dynamic_filter import DynamicFilter
from .fac import FAC
from .involution import Involution
from .kernel_weighting import KernelWeighting

__all__ = ["FAC", "Carafe", "ConvexUpsample", "DynamicFilter", "Involution", "KernelWeighting"]
