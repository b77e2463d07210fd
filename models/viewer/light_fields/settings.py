"""What a page asks for: the settings of a picture, and the lines that make it elsewhere."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...data import ReadOptions, parse_aperture
from ...data.rendering.shot import Shot, parse_viewpoint
from .exhibit import LightFieldExhibit

_TRUE, _FALSE = ("true", "True", "1", True), ("false", "False", "0", "", False)


@dataclass(frozen=True)
class Settings:
    """Of one picture.

    Attributes:
        shot: what the camera is set to.
        disparity: of the plane in focus, pixels per view step.
        all_in_focus: everything is in focus instead.
        aperture: as it was written.
    """

    shot: Shot
    disparity: float
    all_in_focus: bool
    aperture: str

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> "Settings":
        """Read JSON or a query string. Raises ValueError, which names the setting that is none."""
        aperture = str(asked.get("aperture", "disk:3"))
        shape = parse_aperture(aperture)
        if shape.radius < 0.5:
            raise ValueError(f"aperture: got {aperture!r}, want a radius of at least 0.5 view steps")
        focus = asked.get("all_in_focus", False)
        if focus not in (*_TRUE, *_FALSE):
            raise ValueError(f"all_in_focus: got {focus!r}, want true or false")
        shot = Shot(
            shape,
            parse_viewpoint(str(asked.get("viewpoint", "0,0"))),
            str(asked.get("half", "whole")),
            _number("exposure", asked.get("exposure", 0)),
            asked.get("interpolation") or None,
        )
        return cls(shot, _number("disparity", asked.get("disparity", 0)), focus in _TRUE, aperture)

    def words(self) -> dict[str, str]:
        """Every setting by its name, as the command takes it."""
        shot = self.shot
        focus = {"all-in-focus": ""} if self.all_in_focus else {"disparity": _plain(self.disparity)}
        told = {**focus, "aperture": self.aperture}
        if shot.viewpoint != (0, 0):
            told["viewpoint"] = ",".join(map(_plain, shot.viewpoint))
        if shot.half != "whole":
            told["half"] = shot.half
        if shot.exposure:
            told["exposure"] = _plain(shot.exposure)
        if shot.interpolation is not None:
            told["interpolation"] = shot.interpolation
        return told


def shell_line(exhibit: LightFieldExhibit, settings: Settings) -> str:
    """The command that makes this picture."""
    words = ["lfdeblur", "refocus", shlex.quote(str(exhibit.path)), *_reading(exhibit.options)]
    for name, value in settings.words().items():
        words.append(f"--{name}={shlex.quote(value)}" if value else f"--{name}")
    return " ".join([*words, "--out", "refocused"])


def python_lines(exhibit: LightFieldExhibit, settings: Settings) -> str:
    """Python that makes this picture and writes it."""
    shot, default = settings.shot, Shot(settings.shot.aperture)
    told = [f"parse_aperture({settings.aperture!r})"]
    for name in ("viewpoint", "half", "exposure", "interpolation"):
        if getattr(shot, name) != getattr(default, name):
            told.append(f"{name}={getattr(shot, name)!r}")
    options = [
        f"{option.name}={getattr(exhibit.options, option.name)!r}"
        for option in fields(ReadOptions)
        if getattr(exhibit.options, option.name) != option.default
    ]
    picture = (
        "shot.all_in_focus(light_field, disparity_of(light_field))"
        if settings.all_in_focus
        else f"shot.on_planes(light_field, [{settings.disparity!r}])[0]"
    )
    read = f"read_light_field({', '.join([repr(str(exhibit.path)), *options])})"
    if settings.all_in_focus:
        read += ".with_center()"
    names = ["Shot", *(["disparity_of"] if settings.all_in_focus else []), "parse_aperture", "read_light_field"]
    return "\n".join(
        [
            f"from lfdeblur_models.data import {', '.join(names)}",
            "from lfdeblur_models.io.images import write_image",
            "",
            f"light_field = {read}",
            f"shot = Shot({', '.join(told)})",
            f"picture = {picture}  # [C, H, W] in [0, 1], sRGB",
            f'write_image("refocused.png", picture, bits={exhibit.bits})',
            "",
        ]
    )


def _plain(value: float) -> str:
    """Every digit that counts, and no more."""
    return repr(value).removesuffix(".0")


def _number(name: str, given: Any) -> float:
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name}: got {given!r}, want a number")
    return value


def _reading(options: ReadOptions) -> list[str]:
    """The command's options that tell how a light field is read."""
    words = []
    for option in fields(ReadOptions):
        value = getattr(options, option.name)
        if value == option.default or option.name in ("rows", "columns", "crop"):
            continue
        if option.name == "grid":
            value = "x".join(map(str, value))
        elif isinstance(value, tuple):  # the command takes one number for both
            value = value[0]
        words.append(f"--{option.name}={shlex.quote(str(value))}")
    return words
