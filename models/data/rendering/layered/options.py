"""What scenes, lenses and cameras a ``PairRenderer`` draws."""

import math
from dataclasses import dataclass, fields

SHARES = ("sharp", "slanted", "highlights", "enlarged", "noisy", "demosaiced", "compressed")


@dataclass(frozen=True)
class RenderingOptions:
    """Each share is the chance, from 0 to 1, that a layer or a pair has the property.

    Attributes:
        side: of the pictures, in pixels, 8 to 4096.
        layers: most layers of a scene, the background counted, 1 to 4.
        radius: largest radius of the circle of confusion, in pixels, 0.6 to 64; log-uniform from 0.6 on. Of pairs that
            are ``enlarged`` before they are, so that it is 1.86 times as large in the picture.
        sharp: layers in focus: their radius is exactly 0.
        slanted: layers whose radius changes over the picture.
        highlights: layers whose brightest parts shine up to 8 times as bright as they were.
        enlarged: pairs as from a lenslet camera: through 9 to 14 discrete views along each axis, and both pictures
            enlarged 1.86 times, as the pairs of LFDOF are (Ruan et al., AIFNet, IEEE TCI 2021).
        noisy: defocused pictures with photon and read-out noise, deviation up to 0.02 at white.
        demosaiced: pairs, both pictures of which were sampled by a Bayer pattern.
        compressed: defocused pictures that went through JPEG of quality 75 to 98.

    Raises: ValueError: a value out of range.
    """

    side: int = 128
    layers: int = 4
    radius: float = 24.0
    sharp: float = 0.25
    slanted: float = 0.3
    highlights: float = 0.1
    enlarged: float = 0.2
    noisy: float = 0.4
    demosaiced: float = 0.2
    compressed: float = 0.1

    def __post_init__(self) -> None:
        for name, low, high in (("side", 8, 4096), ("layers", 1, 4), ("radius", 0.6, 64)):
            value = getattr(self, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            whole = " whole number from" if name != "radius" else ""
            if not number or not low <= value <= high or (whole and not isinstance(value, int)):
                raise ValueError(f"{name}: got {value}, want{whole} {low:g} to {high:g}")
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, want a share from 0 to 1")

    @property
    def margin(self) -> int:
        """Pixels around the picture from which light may fall into it."""
        return math.ceil(self.radius) + 1


OPTIONS = tuple(field.name for field in fields(RenderingOptions))
