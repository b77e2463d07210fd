"""``lfdeblur simulate``."""

from dataclasses import replace
from pathlib import Path

from ..data import CAMERAS, LightField, ReadOptions, disparity_of, parse_noise, simulate_capture, write_capture
from ..data.errors import LightFieldError
from ..data.lenslets.camera import LensletCamera
from ..data.lenslets.capture_files import check_target
from ..data.readers.registry import read_as_told
from ..io.atomic import check_output_folder
from .options import CommandError, bad_option, grid_of
from .output import say


def simulate(
    *,
    light_field: Path,
    out: Path,
    camera: str,
    lenslets: str | None,
    size: str | None,
    pitch: float | None,
    rotation: float | None,
    offset: str | None,
    bits: int | None,
    noise: str,
    seed: int,
    disparity: str,
    calibration: Path | None,
    read_options: ReadOptions,
    dry_run: bool,
) -> None:
    """Do what ``commands/simulate.py`` declares."""
    with bad_option():
        told = _camera(camera, lenslets, size, pitch, rotation, offset, bits)
        amount = parse_noise(noise)
        check_target(out, told, calibration)
    check_output_folder(out.parent if out.suffix.lower() in (".lfp", ".lfr") else out)
    depth = _number("--disparity", disparity) if disparity != "auto" else None
    field = read_as_told(light_field, read_options).with_center()
    if dry_run:
        say(f"would write {out}: a capture of {field.scene} by {told.model}")
        return
    capture = simulate_capture(
        field,
        told,
        disparity=disparity_of(field) if depth is None else depth,
        noise=(amount.shot, amount.read),
        seed=seed,
    )
    write_capture(capture, out, calibration=calibration)
    say(f"{out}: {_described(field, capture.camera, capture.scale)}")


def _camera(
    name: str,
    lenslets: str | None,
    size: str | None,
    pitch: float | None,
    rotation: float | None,
    offset: str | None,
    bits: int | None,
) -> LensletCamera:
    """A camera by its name, with what was told otherwise of it. Raises LightFieldError."""
    camera = CAMERAS[name]
    bits = camera.bits if bits is None else bits
    if not 8 <= bits <= 16:
        raise LightFieldError(f"bits: got {bits}, want from 8 to 16")
    scale = 2.0 ** (bits - camera.bits)
    return replace(
        camera,
        size=_size(size) or camera.size,
        hexagonal=camera.hexagonal if lenslets is None else lenslets == "hexagonal",
        pitch=camera.pitch if pitch is None else pitch,
        rotation=camera.rotation if rotation is None else rotation,
        offset=camera.offset if offset is None else _pair(offset),
        bits=bits,
        black=int(camera.black * scale),
        white=min(int((camera.white + 1) * scale), 1 << bits) - 1,
    )


def _size(text: str | None) -> tuple[int, int] | None:
    try:
        return grid_of(text)
    except ValueError:
        raise CommandError(f"--size: got {text!r}, want HEIGHTxWIDTH, for example 3280x3280") from None


def _pair(text: str) -> tuple[float, float]:
    down, comma, right = text.partition(",")
    if not comma:
        raise CommandError(f"--offset: got {text!r}, want DOWN,RIGHT, for example 2.5,-1")
    return _number("--offset", down), _number("--offset", right)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CommandError(f"{name}: got {text!r}, want a number") from None


def _described(field: LightField, camera: LensletCamera, scale: float) -> str:
    height, width = camera.size or (0, 0)
    kind = "hexagonal" if camera.hexagonal else "square"
    colours = "grey" if camera.bayer is None else camera.bayer
    return (
        f"{width}x{height} pixels of {camera.bits} bits, {colours}, below {kind} lenslets of {camera.pitch:g} pixels; "
        f"a lenslet is {scale:.3g} pixels of {field.scene}"
    )
