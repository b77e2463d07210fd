"""``Layout``: what a file of this folder tells about the layout that it writes; ``registry.py`` finds it there."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import LightFieldError
from ..light_field import TRANSFERS, LightField
from ..resampling import encoded
from ..transfer import to_linear

KEPT = (
    "weights",
    "disparity",
    "disparity_range",
    "positions",
    "metadata",
)  # of a light field, beside its views and their transfer
SUFFIXES = (".png", ".tif", ".tiff")  # of pictures that hold 8 and 16 bits without loss

# Metadata that tell of the files that were read, and nothing of the scene: not told of other files.
_OF_THE_FILES = frozenset(
    (
        *("dataset", "axes", "attributes", "chunks", "matlab", "variables", "channels", "columns"),
        *("first_row", "first_column", "ignored", "order", "lenslet", "padded", "aspect"),
    )
)


def metadata_of(light_field: LightField) -> dict[str, Any]:
    """What is worth keeping of the metadata."""
    return {key: value for key, value in light_field.metadata.items() if key not in _OF_THE_FILES}


def _nothing(light_field: LightField) -> Iterator[str]:
    yield from ()


def _scene_and_ending(layout: "Layout", scene: str, light_field: LightField) -> str:
    return f"{scene}{layout.endings_for(light_field)[0]}"


@dataclass(frozen=True)
class Layout:
    """A layout; ``registry.py`` makes from these whatever is said and asked of layouts elsewhere.

    Attributes:
        name: as ``layout=`` and ``--to`` take it.
        write: writes a light field that it can hold to a path where nothing is, or raises LightFieldError. A layout
            that is a folder makes it.
        order: in lists.
        writes: what comes of it, a cell of the table in ``docs/formats.md``.
        format: of ``read_light_field``, that reads it.
        endings: of a path's name, the first one for names that are made; whatever the case.
        ending_of: the one that a light field has to have, where its size is told there.
        transfer: what its values are taken for (``srgb``, ``linear``); None: it tells.
        encodes: whether values of another transfer function are encoded anew for it.
        keeps: those of ``KEPT`` that it holds.
        floats: whether it holds floating point.
        light: whether it holds float32 in linear light, as TIFF.
        owns: a regular expression for the names of what lies in it, of a layout that is a folder: one with anything
            else is never replaced.
        values: a cell of the table, where it is not what ``floats`` says.
        losses: what else is lost of a light field, in words.
        hint: what has to be told to read it back, as options of the command; empty: nothing.
        name_of: the name for a scene, below the output folder.
        named_by_scene: whether that depends on the scene's name alone.
        needs: libraries of the extra ``formats``.
    """

    name: str
    write: Callable[[LightField, Path], None]
    order: int
    writes: str
    format: str
    endings: tuple[str, ...] = ("",)
    transfer: str | None = None
    encodes: bool = False
    keeps: tuple[str, ...] = ()
    ending_of: Callable[[LightField], str] | None = None
    floats: bool = False
    light: bool = False
    owns: str = ""
    values: str = ""
    losses: Callable[[LightField], Iterator[str]] = _nothing
    hint: Callable[[LightField], str] = lambda light_field: ""
    name_of: "Callable[[Layout, str, LightField], str]" = _scene_and_ending
    named_by_scene: bool = True
    needs: tuple[str, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and not one file."""
        return bool(self.owns)

    def endings_for(self, light_field: LightField) -> tuple[str, ...]:
        """Of the name of this light field."""
        if self.ending_of is not None:
            return (self.ending_of(light_field),)
        if light_field.dtype.is_floating_point and self.light and self.endings != ("",):
            return tuple(ending for ending in self.endings if not ending.endswith(".png"))
        return self.endings

    def check(self, light_field: LightField, path: Path) -> None:
        """Raise LightFieldError where the layout cannot hold the views, or the name is none of its own."""
        if light_field.dtype.is_floating_point and not self.floats and not self._holds_light(light_field):
            light = ", or float32 in linear light" if self.light else ""
            raise LightFieldError(
                f"{self.name} holds 8 or 16 bits{light}, got views of {light_field.dtype} in {light_field.transfer}: "
                "round them with bits 16 or 8, or write npz, h5 or zarr, which hold floating point"
            )
        if light_field.shape[2] not in (1, 3):
            raise LightFieldError(f"{self.name} holds grey or RGB, got views of {light_field.shape[2]} channels")
        endings = self.endings_for(light_field)
        if not path.name.lower().endswith(tuple(ending.lower() for ending in endings)):
            raise LightFieldError(f"{path}: {self.name}: want a name that ends with {' or '.join(endings)}")

    def _holds_light(self, light_field: LightField) -> bool:
        return self.light and light_field.dtype == torch.float32 and light_field.transfer == "linear"

    def lost(self, light_field: LightField) -> tuple[str, ...]:
        """What is lost of a light field, a line each; its views are read to know of weights."""
        return tuple(self._lost(light_field))

    def _lost(self, light_field: LightField) -> Iterator[str]:
        if self.transfer not in (None, light_field.transfer) and not self._holds_light(light_field):
            means = (
                f"it means {self.transfer}, read it with --transfer {light_field.transfer}, or write it with "
                f"--encode {self.transfer}"
            )
            yield f"{self.name} tells no transfer function: " + (
                f"values are encoded as {self.transfer}" if self.encodes else means
            )
        for name in KEPT[:-1]:
            if name not in self.keeps and getattr(light_field, name) is not None:
                yield f"{self.name} holds no {name.replace('_', ' ')}: left out"
        told = list(metadata_of(light_field))
        if "metadata" not in self.keeps and told:
            more = f" and {len(told) - 5} more" if len(told) > 5 else ""
            yield f"{self.name} holds no metadata: left out {', '.join(told[:5])}{more}"
        yield from self.losses(light_field)

    def held_by(self, folder: Path) -> list[str]:
        """The names in a folder that are this layout's own."""
        names = re.compile(self.owns or r"(?!)")
        return [entry.name for entry in folder.iterdir() if names.fullmatch(entry.name)]


def check_wanted(bits: int | None, transfer: str | None) -> None:
    """Raises LightFieldError: bits or a transfer function that views cannot be given."""
    if bits not in (None, 8, 16):
        raise LightFieldError(f"bits: got {bits}, want 8 or 16")
    if transfer not in (None, *TRANSFERS):
        raise LightFieldError(f"encode: got {transfer!r}, want 'srgb' or 'linear'")


def with_bits(light_field: LightField, bits: int | None) -> tuple[LightField, tuple[str, ...]]:
    """The light field with its views rounded to 8 or 16 bits, and what is lost by that; as it is for None.

    Raises:
        LightFieldError: other ``bits``, or values that are no numbers.
    """
    check_wanted(bits, None)
    if bits is None:
        return light_field, ()
    own = {torch.uint8: 8, torch.uint16: 16}.get(light_field.dtype)
    if own == bits:
        return light_field, ()
    views = light_field.views
    if own is not None:
        wide = views.to(torch.int32)
        rounded = wide * 257 if bits == 16 else (wide + 128) // 257
    else:
        if not bool(torch.isfinite(views).all()):
            raise LightFieldError(f"{light_field.scene}: the views hold NaN or infinite values")
        rounded = (views.double().clamp(0, 1) * (255 if bits == 8 else 65535)).round().to(torch.int32)
    said = () if own == 8 else (f"values were rounded to {bits} bits",)
    return light_field.copy(views=rounded.to(torch.uint8 if bits == 8 else torch.uint16)), said


def with_encoding(light_field: LightField, transfer: str | None) -> tuple[LightField, tuple[str, ...]]:
    """The same light, encoded as ``transfer``, and what is lost by that; as it is for None.

    Raises:
        LightFieldError: no such transfer function.
    """
    check_wanted(None, transfer)
    if transfer in (None, light_field.transfer):
        return light_field, ()
    views = light_field.views
    result = torch.empty_like(views)
    for index in np.ndindex(*views.shape[:2]):  # one at a time: in light a view takes four times as much memory
        result[index] = encoded(to_linear(views[index].contiguous(), light_field.transfer), transfer, views.dtype)
    said = f"values were encoded anew, from {light_field.transfer} to {transfer}"
    return light_field.copy(views=result, transfer=transfer), (said,)
