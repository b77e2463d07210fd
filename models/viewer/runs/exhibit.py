"""The folder of a training run that is shown."""

from pathlib import Path

from ..answers import printable
from .log import ValidationPictures


class RunExhibit:
    """The folder of a training run, and the pictures that were found in it."""

    kind = "run"

    def __init__(self, id: str, path: Path) -> None:
        self.id, self.path, self.pictures = id, path, ValidationPictures(path)

    def facts(self) -> dict[str, object]:
        return {"name": printable(self.path.resolve().name)}
