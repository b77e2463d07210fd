"""Raw pictures of sensors behind lenslets, made from light fields.

A pixel sees, through its lenslet, the place of the scene that the lenslet lies on from the direction that its offset
from the lenslet's centre stands for. Its light is taken from the light field's views: at that place, averaged over the
lenslet's area, and between the four views around that direction. Where the disparity is known, each of these is read
where the ray meets it; without it, neighbouring views are mixed as they are, which is right while they are less than a
pixel apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...system.memory import available, show_size
from ..errors import LightFieldError
from ..light_field import LightField, linear_light_field
from .bayer import planes
from .camera import CAMERAS, LensletCamera
from .grid import nearest

_ROWS_AT_ONCE = 256  # of the sensor
_WHITE = 0.9  # of the white level: what a white picture reaches
_EXPOSURES = 16  # whose mean the white and the dark picture are
_LUMA = (0.2126, 0.7152, 0.0722)
_AROUND = 2  # times the place in the centre view is looked up again with its disparity


@dataclass(frozen=True)
class Capture:
    """Raw pictures of one camera.

    Attributes:
        raw, white, dark: ``[H, W]`` uint16: of the scene, of an even white surface, of no light.
        camera: that took them, its size told.
        scale: pixels of the light field's views in one lenslet's pitch.
        scene: name of the light field.
    """

    raw: np.ndarray
    white: np.ndarray
    dark: np.ndarray
    camera: LensletCamera
    scale: float
    scene: str


def simulate_capture(
    light_field: LightField,
    camera: LensletCamera | str = "f01",
    *,
    disparity: Tensor | float | None = None,
    noise: tuple[float, float] = (0.0002, 0.001),
    seed: int = 0,
) -> Capture:
    """Take a picture of a light field.

    Its views fill the lenslets (of V rows, the first lies at ``-(V-1)/2V`` of the pitch, the last at ``(V-1)/2V``) and
    its picture covers the sensor, upright along the rows of lenslets. What is nearer has positive disparity in the
    decoded views as in these.

    Args:
        light_field: any; white is the white level of the camera.
        camera: or a name in ``CAMERAS``: ``f01``, ``illum`` (Lytro's), ``lab`` (square lenslets, grey, 16 bits).
        disparity: ``[H, W]`` of the centre view, or one for all, pixels per view step; None: the light field's own,
            else 0.
        noise: ``(shot, read)`` as ``Noise`` has them, in units of the white level. White and dark picture are means of
            16 exposures.
        seed: of the noise.

    Raises:
        LightFieldError: an unknown camera, a disparity of another size than the views or not finite, or a sensor that
            memory cannot hold.
    """
    camera = _camera(camera)
    if disparity is None:
        disparity = 0.0 if light_field.disparity is None else light_field.disparity
    height, width = light_field.size
    if isinstance(disparity, Tensor) and list(disparity.shape) != [height, width]:
        raise LightFieldError(f"disparity: got shape {list(disparity.shape)}, want {[height, width]} as the views")
    if not bool(torch.isfinite(torch.as_tensor(disparity)).all()):
        raise LightFieldError("disparity: got NaN or infinite values, want finite ones (disparity_of fills gaps)")
    if not abs(seed) < 1 << 63:
        raise LightFieldError(f"seed: got {seed}, want a number of 64 bits")
    if min(noise) < 0 or max(noise) > 1:
        raise LightFieldError(f"noise: got {noise}, want shot and read noise from 0 to 1, in units of white")
    size = camera.size or (round(height * camera.pitch), round(width * camera.pitch))
    camera = LensletCamera(**(vars(camera) | {"size": size}))
    need, free = 3 * np.dtype(np.uint16).itemsize * size[0] * size[1], available(torch.device("cpu"))
    if need > free:
        raise LightFieldError(
            f"size: got {size[1]}x{size[0]} pixels, which take {show_size(need)} of memory, have {show_size(free)}"
        )
    scale = min(height / size[0], width / size[1]) * camera.pitch
    scene = Rays(light_field, camera, scale, disparity)
    generator = torch.Generator().manual_seed(seed)
    raw, white, dark = (np.empty(size, np.uint16) for _ in range(3))
    grey = scene.white()
    calm = noise[0] / _EXPOSURES, noise[1] / _EXPOSURES**0.5
    for rows in _bands(size[0]):
        light, lit = scene.on(rows, size)
        brightness = np.empty_like(lit)
        pattern = camera.bayer or "GGGG"
        for letter, plane in planes(brightness, pattern):
            plane[:] = _WHITE * grey["RGB".index(letter)]
        for out, shown in ((raw, light * lit), (white, brightness * lit), (dark, np.zeros_like(lit))):
            out[rows] = _exposed(shown, camera, noise if out is raw else calm, generator)
    return Capture(raw, white, dark, camera, scale, light_field.scene)


def _camera(camera: LensletCamera | str) -> LensletCamera:
    if isinstance(camera, LensletCamera):
        return camera
    if camera not in CAMERAS:
        raise LightFieldError(f"camera: got {camera!r}, want one of {', '.join(CAMERAS)}")
    return CAMERAS[camera]


class Rays:
    """The light of a light field along any ray, in a camera's own colours.

    Args:
        scale: pixels of the views in one lenslet's pitch.
        disparity: ``[H, W]`` of the centre view, or one for all.
    """

    def __init__(self, light_field: LightField, camera: LensletCamera, scale: float, disparity: Tensor | float) -> None:
        views = linear_light_field(light_field).views.float()
        if camera.bayer is None:
            luma = torch.tensor(_LUMA)[:, None, None] if views.shape[2] == 3 else 1.0
            views = (views * luma).sum(2, keepdim=True)
        elif views.shape[2] == 1:
            views = views.expand(-1, -1, 3, -1, -1)
        self._to_camera = np.linalg.inv(np.reshape(camera.matrix, (3, 3))) / np.array(camera.gains)[:, None]
        if camera.bayer is not None:
            matrix = torch.from_numpy(self._to_camera.astype(np.float32))
            views = torch.einsum("ij,vujyx->vuiyx", matrix, views).clamp_min_(0)
        self._views = averaged(views, scale).permute(2, 0, 1, 3, 4).contiguous().numpy()
        self._camera, self._scale = camera, scale
        self._disparity = disparity if isinstance(disparity, float | int) else disparity.numpy().astype(np.float32)

    def white(self) -> np.ndarray:
        """``[3]``: the camera's colours of white light."""
        return self._to_camera.sum(1) if self._camera.bayer else np.ones(3)

    def on(self, rows: slice, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """``[rows, W]`` float32 of a sensor: the scene's light, and the part of it that lens and lenslets let through.

        ``rows`` begins at an even one.
        """
        camera, grid = self._camera, self._camera.grid(size)
        light = np.empty((rows.stop - rows.start, size[1]), np.float32)
        through = np.empty_like(light)
        middle = complex((size[1] - 1) / 2, (size[0] - 1) / 2)
        for index, (letter, plane) in enumerate(planes(light, camera.bayer or "GGGG")):
            y, x = divmod(index, 2)
            pixels = np.arange(x, size[1], 2) + 1j * np.arange(rows.start + y, rows.stop, 2)[:, None]
            center = grid.centers(*nearest(grid, pixels))
            own, place = (pixels - center) / grid.step, (center - middle) / grid.step
            channel = "RGB".index(letter) if camera.bayer else 0
            plane[:] = self.light(place, own, channel)
            out = np.abs(own)
            beyond = 1 - camera.falloff * (np.abs(pixels - middle) / abs(middle)) ** 2
            through[y::2, x::2] = np.exp(-((out / 0.52) ** 12)) * (1 - out**2) * beyond  # a round pupil, and falloff
        return light, through

    def light(self, place: np.ndarray, direction: np.ndarray, channel: int) -> np.ndarray:
        """The light at places, as many lenslets from the middle, from directions, in parts of a lenslet; ``x + iy``."""
        views = self._views[channel]
        rows, columns, height, width = views.shape
        v, u = direction.imag * rows, direction.real * columns  # from the centre
        y, x = place.imag * self._scale + (height - 1) / 2, place.real * self._scale + (width - 1) / 2
        depth = self._depth(y, x, v, u)
        v, u = v + (rows - 1) / 2, u + (columns - 1) / 2
        total = np.zeros(place.shape, np.float32)
        for v0, v_share in _neighbours(v, rows):
            for u0, u_share in _neighbours(u, columns):
                at_y, at_x = y + depth * (v - v0), x + depth * (u - u0)
                total += (v_share * u_share).astype(np.float32) * _between(views, v0 * columns + u0, at_y, at_x)
        return total

    def _depth(self, y: np.ndarray, x: np.ndarray, v: np.ndarray, u: np.ndarray) -> np.ndarray | float:
        """Disparity of what is seen, which the map has where the centre view sees it."""
        if not isinstance(self._disparity, np.ndarray):
            return self._disparity
        maps = self._disparity[None, None]
        first = np.zeros(y.shape, np.int64)
        depth = _between(maps, first, y, x)
        for _ in range(_AROUND):
            depth = _between(maps, first, y + depth * v, x + depth * u)
        return depth


def averaged(views: Tensor, scale: float) -> Tensor:
    """Views ``[V, U, C, H, W]`` averaged over squares of ``scale`` pixels: what a lenslet of that size sees."""
    reach = int(np.ceil(scale / 2 - 0.5))
    offsets = np.arange(-reach, reach + 1)
    shared = np.minimum(offsets + 0.5, scale / 2) - np.maximum(offsets - 0.5, -scale / 2)  # of each pixel's width
    kernel = torch.from_numpy((shared / shared.sum()).astype(np.float32))
    flat = F.pad(views.reshape(-1, 1, *views.shape[-2:]), (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(flat, kernel[None, None, :, None]), kernel[None, None, None, :]).reshape(views.shape)


def _neighbours(at: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The view before and the one behind, and their shares; beyond the outermost, that alone."""
    inside = np.clip(at, 0, count - 1)
    first = np.minimum(inside.astype(np.int64), max(count - 2, 0))
    share = inside - first
    yield first, 1 - share
    if count > 1:
        yield first + 1, share


def _between(pictures: np.ndarray, index: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bilinear values of the pictures ``[V, U, H, W]`` of these flat numbers; beyond them, their nearest pixels."""
    height, width = pictures.shape[-2:]
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    y0 = np.minimum(y.astype(np.int64), max(height - 2, 0))
    x0 = np.minimum(x.astype(np.int64), max(width - 2, 0))
    down, across = (y - y0).astype(np.float32), (x - x0).astype(np.float32)
    corner = (index * height + y0) * width + x0
    below, right = (width if height > 1 else 0), (1 if width > 1 else 0)
    flat = pictures.reshape(-1)
    upper = flat.take(corner) * (1 - across) + flat.take(corner + right) * across
    lower = flat.take(corner + below) * (1 - across) + flat.take(corner + below + right) * across
    return upper * (1 - down) + lower * down


def _exposed(
    light: np.ndarray, camera: LensletCamera, noise: tuple[float, float], generator: torch.Generator
) -> np.ndarray:
    """Raw values of an exposure: photons, read-out, levels, whole numbers."""
    shot, read = noise
    seen = torch.from_numpy(light)
    if shot > 0:
        seen = torch.poisson(seen / shot, generator=generator) * shot
    if read > 0:
        seen = seen + read * torch.randn(seen.shape, generator=generator)
    values = camera.black + (camera.white - camera.black) * seen.numpy()
    return np.clip(np.rint(values), 0, camera.white).astype(np.uint16)


def _bands(height: int) -> Iterator[slice]:
    for start in range(0, height, _ROWS_AT_ONCE):
        yield slice(start, min(start + _ROWS_AT_ONCE, height))
