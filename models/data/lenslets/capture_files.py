"""Simulated captures as files: a Lytro container, its white picture within or in a calibration folder, or pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...io.atomic import atomic_path, make_output_folder
from ...io.images import write_image
from ..errors import LightFieldError
from .camera import LensletCamera
from .container import sha1_name, write_container
from .packing import Packing
from .simulate import Capture

SUFFIXES = (".lfp", ".lfr")
SERIAL = "A000000000"  # of the camera that does not exist
_PHASES = ("r", "gr", "gb", "b")


def check_target(path: str | Path, camera: LensletCamera, calibration: str | Path | None = None) -> Path:
    """The file or folder that a capture of this camera can be written to.

    Raises:
        LightFieldError: a container for a sensor without a Bayer pattern, or of a packing that no reader knows; a
            calibration folder without a container.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        if calibration is not None:
            raise LightFieldError(f"calibration: only containers ({', '.join(SUFFIXES)}) have one, got {path}")
        return path
    if camera.bayer is None:
        raise LightFieldError(
            f"{path}: a container holds the picture of a Bayer sensor; name a folder for {camera.model!r}"
        )
    camera.packing.check(str(path))
    return path


def write_capture(capture: Capture, path: str | Path, *, calibration: str | Path | None = None) -> None:
    """Write a capture so that ``read_light_field`` decodes it.

    Args:
        path: ``.lfp`` or ``.lfr``: a container, its metadata laid out as an F01's or an Illum's; else a folder, which
            gets ``capture.png``, ``white.png`` and ``dark.png``, 16 bits.
        calibration: a folder for the white picture, ``MOD_0000.RAW`` and ``MOD_0000.TXT``, in place of the container.

    Raises:
        LightFieldError: as ``check_target``.
        OutputError: it cannot be written.
    """
    path = check_target(path, capture.camera, calibration)
    if path.suffix.lower() not in SUFFIXES:
        folder = make_output_folder(path)
        for name in ("capture", "white", "dark"):
            picture = capture.raw if name == "capture" else getattr(capture, name)
            write_image(folder / f"{name}.png", torch.from_numpy(picture)[None])
        return
    packing = capture.camera.packing
    raw, white = packing.pack(capture.raw), packing.pack(capture.white)
    first = path.suffix.lower() == ".lfp"
    metadata = _bytes(_metadata(capture.camera, first=first))
    private = _bytes(_private(first=first))
    frame = {"metadataRef": sha1_name(metadata), "privateMetadataRef": sha1_name(private), "imageRef": sha1_name(raw)}
    sections = [raw, metadata, private]
    if calibration is None:
        frame["modulationDataRef"] = sha1_name(white)
        sections.append(white)
    else:
        _write_calibration(Path(calibration), white, capture.camera)
    frames = [{"frame": frame}]
    contents = {"picture": {"frameArray": frames}, "version": {"major": 1}} if first else {"frames": frames}
    write_container(path, contents, sections)


def _write_calibration(folder: Path, white: bytes, camera: LensletCamera) -> None:
    folder = make_output_folder(folder)
    frame = {"metadata": _metadata(camera, first=True), "privateMetadata": _private(first=True)}
    described = {"master": {"picture": {"frameArray": [{"frame": frame}]}}}
    for suffix, data in ((".RAW", white), (".TXT", _bytes(described))):
        with atomic_path(folder / f"MOD_0000{suffix}") as temporary:
            temporary.write_bytes(data)


def _metadata(camera: LensletCamera, *, first: bool) -> dict[str, Any]:
    """Laid out as a camera of the first or the second generation does."""
    if camera.size is None or camera.bayer is None:
        raise ValueError("want a capture's camera, with a Bayer pattern")
    height, width = camera.size
    packing: Packing = camera.packing
    details = {
        "pixelFormat": {
            "rightShift": 0,
            "black": dict.fromkeys(_PHASES, camera.black),
            "white": dict.fromkeys(_PHASES, camera.white),
        },
        "pixelPacking": packing._asdict() | {"bitsPerPixel": packing.bits},
        "mosaic": {"tile": "r,gr:gb,b", "upperLeftPixel": _upper_left(camera.bayer)},
    }
    details["pixelPacking"].pop("bits")
    red, green, blue = camera.gains
    color = {
        "ccmRgbToSrgbArray" if first else "ccm": list(camera.matrix),
        "whiteBalanceGain": {"r": red, "gr": green, "gb": green, "b": blue},
    }
    image = {"width": width, "height": height, "orientation": 1, "color": color}
    image |= {"representation": "rawPacked", "rawDetails": details} if first else details
    return {
        "image": image,
        "devices": {
            "sensor": {"bitsPerPixel": camera.bits, "mosaic": details["mosaic"], "pixelPitch": camera.pixel_pitch},
            "lens": {"zoomStep": 0, "focusStep": 0},
            "shutter": {"frameExposureDuration": 0.01},
            "mla": {
                "tiling": "hexUniformRowMajor" if camera.hexagonal else "square",
                "lensPitch": camera.pitch * camera.pixel_pitch,
                "rotation": float(np.radians(camera.rotation)),
                "scaleFactor": {"x": 1.0, "y": camera.stretch},
                "sensorOffset": {
                    "x": camera.offset[1] * camera.pixel_pitch,
                    "y": camera.offset[0] * camera.pixel_pitch,
                },
            },
        },
        "camera": {"make": "lfdeblur simulate", "model": camera.model},
    }


def _private(*, first: bool) -> dict[str, Any]:
    return {
        "devices": {"sensor": {"sensorSerial" if first else "serialNumber": "0"}},
        "camera": {"serialNumber": SERIAL},
    }


def _upper_left(bayer: str) -> str:
    """The name of the first pixel in a tile ``r,gr:gb,b``."""
    return {"RGGB": "r", "GRBG": "gr", "GBRG": "gb", "BGGR": "b"}[bayer.upper()]


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode()
