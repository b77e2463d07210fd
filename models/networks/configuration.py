"""What a DRBNet is made of: the few numbers that its layers follow from."""

from dataclasses import dataclass
from numbers import Integral

MOST_WIDTH, MOST_SCALES = 1024, 10  # far beyond any that can be trained; more is a damaged file
VARIANTS = ("full", "no-dynamic-filter", "no-residual", "single-scale")


@dataclass(frozen=True)
class Configuration:
    """The arguments of ``DRBNet``, which tells what they mean; they also travel in files of weights.

    Raises: ValueError: one is out of range.
    """

    views: int = 1
    width: int = 32
    kernel_size: int = 7
    scales: int = 4
    variant: str = "full"

    def __post_init__(self) -> None:
        for name in ("views", "width", "kernel_size", "scales"):
            if not isinstance(getattr(self, name), Integral):
                raise ValueError(f"{name}: got {getattr(self, name)!r}, want a whole number")
        if self.views not in (1, 2):
            raise ValueError(f"views: got {self.views!r}, want 1 or 2")
        if self.width < 1:
            raise ValueError(f"width: got {self.width!r}, want at least 1")
        if self.width > MOST_WIDTH:
            raise ValueError(f"width: got {self.width!r}, want at most {MOST_WIDTH}")
        if self.kernel_size not in range(1, 16, 2):
            raise ValueError(f"kernel_size: got {self.kernel_size!r}, want an odd number from 1 to 15")
        if self.scales < 1:
            raise ValueError(f"scales: got {self.scales!r}, want at least 1")
        if self.scales > MOST_SCALES:
            raise ValueError(f"scales: got {self.scales!r}, want at most {MOST_SCALES}")
        if self.variant not in VARIANTS:
            raise ValueError(f"variant: got {self.variant!r}, want one of {', '.join(VARIANTS)}")

    @property
    def pictures(self) -> int:
        """How many pictures a call takes: the centre, and for a dual view left and right beside it."""
        return 1 if self.views == 1 else 3

    @property
    def multiple(self) -> int:
        """Pixels that the network pools into one, along each axis."""
        return 1 << (self.scales - 1)

    @property
    def restored_scales(self) -> int:
        """At how many of the scales, the finest first, there is a dynamic residual block."""
        return 1 if self.variant == "single-scale" else self.scales
