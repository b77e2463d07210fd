"""JSON metadata of cameras, each value checked as it is read: files are damaged, and made by others."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import LightFieldError


@dataclass(frozen=True)
class Told:
    """An object of a JSON document.

    Attributes:
        name: begins the errors.
        values: its members; ``null`` counts as left out.
        where: its place in the document, as ``devices.mla.``; empty: all of it.
    """

    name: str
    values: Mapping[str, Any]
    where: str = ""

    def has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def part(self, key: str) -> "Told":
        """An object in it; empty where it is left out. Raises LightFieldError: another kind of value."""
        value = self.values.get(key)
        if value is None:
            value = {}
        elif not isinstance(value, dict):
            raise self._error(key, "an object")
        return Told(self.name, value, f"{self.where}{key}.")

    def number(self, key: str, usual: float | None = None, least: float = -1e9, most: float = 1e9) -> float:
        """A number. Raises LightFieldError: none, or out of range; left out, and there is no usual one."""
        value = self.values.get(key)
        if value is None and usual is not None:
            return usual
        if not _is_number(value, least, most):
            raise self._error(key, f"a number from {least:g} to {most:g}")
        return float(value)  # type: ignore[arg-type]  # it is a number

    def numbers(self, key: str, count: int, most: float) -> tuple[float, ...]:
        """So many numbers, none beyond ``most``. Raises LightFieldError: anything else."""
        value = self.values.get(key)
        if not isinstance(value, list) or len(value) != count or not all(_is_number(v, -most, most) for v in value):
            raise self._error(key, f"{count} numbers from {-most:g} to {most:g}")
        return tuple(float(v) for v in value)

    def whole(self, key: str, usual: float | None = None, least: int = 0, most: int = 65535) -> int:
        """``number``, without its fraction."""
        return int(self.number(key, usual, least, most))

    def text(self, key: str, usual: str = "") -> str:
        """A text. Raises LightFieldError: another kind of value."""
        value = self.values.get(key)
        if not isinstance(value, str | None):
            raise self._error(key, "a text")
        return usual if value is None else value

    def _error(self, key: str, want: str) -> LightFieldError:
        got = reprlib.repr(self.values.get(key))
        return LightFieldError(f"{self.name}: metadata: {self.where}{key}: got {got}, want {want}")


def _is_number(value: object, least: float, most: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and least <= value <= most
