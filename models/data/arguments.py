"""What callers give, checked before any work: one error, which names the argument."""

import math
import operator
from typing import Any

from torch import Tensor

from .errors import LightFieldError


def whole_number(name: str, value: Any) -> int:
    """An ``int`` of anything that is one, as NumPy's are. Raises LightFieldError."""
    try:
        return operator.index(value)
    except TypeError:
        raise LightFieldError(f"{name}: got {value!r}, want a whole number") from None


def check_tensor(name: str, value: Any, want: str) -> None:
    """Raises LightFieldError: it is no tensor; ``want`` is its shape in words."""
    if not isinstance(value, Tensor):
        raise LightFieldError(f"{name}: got a {type(value).__name__}, want a torch.Tensor {want}")


def disparity_limits(name: str, value: Any) -> tuple[float, float]:
    """Lowest and highest disparity. Raises LightFieldError: not two finite numbers in this order."""
    try:
        low, high = (float(limit) for limit in value if not isinstance(limit, str))
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise LightFieldError(f"{name}: got {value!r}, want the lowest and the highest disparity, finite")
    return low, high
