"""Recipes as TOML files: read, changed from the command line, and checked whole before any work.

TOML because it is typed (YAML 1.1 reads ``1e-4`` as text and ``no`` as false), holds comments, and is read by Python's
own library from 3.11 on.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from ..system.suggestions import did_you_mean
from .errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPES = Path(__file__).parent.parent / "assets" / "recipes"


class Part(BaseModel):
    """A part of a recipe: unknown keys are errors, values are of the stated types, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Recipe = TypeVar("Recipe", bound=BaseModel)


def recipes() -> list[str]:
    """Names of the recipes that ship."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read_recipe(kind: type[Recipe], source: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """A recipe from a file or, where no such file exists, from those that ship, by name.

    Args:
        kind: of the recipe.
        source: path or name.
        changes: ``KEY=VALUE``, the value in TOML or, if it is none, taken as text: ``data.0.root=/data/LFDOF``,
            ``run.steps=200``.

    Raises:
        ConfigError: no such file, not TOML, or a key that is unknown, missing or out of range.
    """
    path = Path(source)
    if not path.is_file():
        shipped = RECIPES / f"{source}.toml"
        if str(source) not in recipes():
            near = did_you_mean(str(source), recipes())
            raise ConfigError(f"{source}: no such file, nor a shipped recipe: {', '.join(recipes())}{near}")
        path = shipped
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a readable TOML file ({error})") from error
    for change in changes:
        _apply(values, change)
    return parse_recipe(kind, values, str(source))


def parse_recipe(kind: type[Recipe], values: dict[str, Any], source: str = "recipe") -> Recipe:
    """A recipe from plain values. Raises ConfigError as ``read_recipe``."""
    try:
        return kind.model_validate(_tuples(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        got = "" if first["type"] in ("missing", "value_error") else f" (got {first['input']!r})"
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            said, got = "no such key" + _near_key(kind, first["loc"]), ""
        elif first["type"] == "literal_error":
            got += did_you_mean(str(first["input"]), re.findall(r"'([^']*)'", said))
        raise ConfigError(f"{source}: {place or 'recipe'}: {said}{got}") from error


def _near_key(kind: type[BaseModel], place: Sequence[int | str]) -> str:
    """``; did you mean run.steps?`` for a key that is none."""
    part: Any = kind
    above = place[:-1]
    for key in above:
        if isinstance(key, str) and part is not None:
            part = _model_in(part.model_fields[key].annotation) if key in part.model_fields else None
    known = [".".join(map(str, (*above, name))) for name in (part.model_fields if part is not None else ())]
    return did_you_mean(".".join(map(str, place)), known)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The part of a recipe that a field holds, also within a tuple or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _tuples(value: Any) -> Any:
    """Lists as tuples, whole numbers untouched: what the strict models take."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


def _apply(values: Any, change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set: got {change!r}, want KEY=VALUE")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    place = values
    for number, parent in enumerate(parents):
        if isinstance(place, list):
            place = place[_index(place, parent, key)]
        elif parent in place:
            place = place[parent]
        else:
            later = (*parents, last)[number + 1]
            place[parent] = [{}] if later == "0" else {}
            place = place[parent]
        if not isinstance(place, (dict, list)):
            raise ConfigError(f"--set: {key}: {parent} is a value, not a part of the recipe")
    if isinstance(place, list):
        place[_index(place, last, key)] = value
    else:
        place[last] = value


def _index(place: list[Any], text: str, key: str) -> int:
    if not text.isdigit() or int(text) >= len(place):
        raise ConfigError(f"--set: {key}: got {text!r}, want a number below {len(place)}")
    return int(text)
