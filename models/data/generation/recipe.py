"""Every choice that makes training pairs from a light field, in one place."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from lfdeblur_ops import __version__

from ..rendering.aperture import Aperture
from ..rendering.noise import Noise
from ..rendering.planes import PLACEMENTS
from ..rendering.truth import TRUTHS

LAYOUTS = ("lfdof", "webdataset")
DEFAULT_APERTURES = (Aperture("disk", 1.5), Aperture("disk", 2.5), Aperture("disk", 4.0))
DEFAULT_PLANES = 5


@dataclass(frozen=True)
class Recipe:
    """How pairs are rendered and written; the same recipe, seed and scene give the same bytes.

    Attributes:
        apertures: shapes, sizes in view steps.
        disparities: planes in focus, pixels per view step; None: ``planes`` of them, placed by ``placement``.
        planes: how many, where ``disparities`` are not given.
        placement: ``even`` over the scene's disparity range, or by its ``content`` (equal shares of its texture).
        truth: ``center``, the centre view; ``refocus``, all views by the disparity map; or ``both``: the first is every
            pair's truth and the second lies beside.
        scale: 1, or 2 for twice the views' resolution by the sub-pixel sampling of the views.
        noise: of the sensor, None: none.
        bits: 8 or 16 per channel.
        dual_pixel: also left and right.
        defocus_maps: also a defocus map with every pair.
        contact_sheets: also a sheet of small pictures per scene.
        interpolation: ``nearest``, ``bilinear`` or ``bicubic``.
        layout: ``lfdof`` (folders of pictures) or ``webdataset`` (tar shards).
        shard_scenes: scenes in a shard of ``webdataset``.
        compression: of PNG files, 0 (none) to 9; 1 makes them about as small as zlib's level 3 does.
        seed: a whole number >= 0; all that is random comes from it and from the scene's name.
    """

    apertures: tuple[Aperture, ...] = DEFAULT_APERTURES
    disparities: tuple[float, ...] | None = None
    planes: int = DEFAULT_PLANES
    placement: str = "even"
    truth: str = "center"
    scale: int = 1
    noise: Noise | None = None
    bits: int = 8
    dual_pixel: bool = False
    defocus_maps: bool = True
    contact_sheets: bool = True
    interpolation: str = "bilinear"
    layout: str = "lfdof"
    shard_scenes: int = 8
    compression: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.apertures:
            raise ValueError("apertures: got none, want at least one")
        if self.disparities is not None and not self.disparities:
            raise ValueError("disparities: got none, want at least one focus plane")
        for name, wanted in (
            ("placement", PLACEMENTS),
            ("truth", (*TRUTHS, "both")),
            ("layout", LAYOUTS),
            ("interpolation", ("nearest", "bilinear", "bicubic")),
            ("bits", (8, 16)),
            ("scale", (1, 2)),
        ):
            value = getattr(self, name)
            if value not in wanted:
                raise ValueError(f"{name}: got {value!r}, want {' or '.join(map(str, wanted))}")
        for name, low, high in (
            ("planes", 1, 100),
            ("shard_scenes", 1, 10**6),
            ("compression", 0, 9),
            ("seed", 0, 2**63),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: got {getattr(self, name)}, want a whole number from {low} to {high}")

    def told(self) -> dict[str, Any]:
        """All choices as JSON holds them."""
        return asdict(self) | {"apertures": [asdict(aperture) for aperture in self.apertures], "version": __version__}

    def fingerprint(self, *more: Any) -> str:
        """Changes with every choice and with ``more``, which JSON must hold."""
        text = json.dumps([self.told(), more], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]
