"""``--dry-run`` of commands that take many scenes."""

from collections.abc import Sequence

from ..data.generation.generate import named_scenes
from ..data.generation.storage import open_storage
from ..data.sources.find import Reading
from .output import say


def would_write(sources: Sequence[str], reading: Reading, out: str, what: str) -> None:
    """Tell each scene that is found, and where it would go; nothing but that the folder can be written is tried.

    Raises: LightFieldError, OutputError: as the command itself.
    """
    open_storage(out).check()
    scenes = named_scenes(sources, reading)
    for name, source in scenes:
        say(f"{name}: {source}")
    say(f"would write {len(scenes)} scene{'s' * (len(scenes) != 1)} to {out} {what}")
