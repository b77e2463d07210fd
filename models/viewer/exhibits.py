"""What the command's paths are: light fields, photographs, folders of training runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data import ReadOptions
from ..data.readers.registry import read_as_told, sure_format
from ..io.images import is_image_name, open_image
from .answers import printable
from .errors import ViewError
from .light_fields.exhibit import LightFieldExhibit
from .runs.exhibit import RunExhibit

RUN_FILES = ("recipe.json", "training.csv")
DEMO = Path(__file__).parents[1] / "assets" / "chess"


@dataclass(frozen=True)
class PhotographExhibit:
    """A picture to restore."""

    id: str
    path: Path
    kind: str = "photograph"

    def facts(self) -> dict[str, object]:
        return {"name": printable(self.path.name)}


Exhibit = LightFieldExhibit | PhotographExhibit | RunExhibit


def find_exhibits(paths: Sequence[Path], options: ReadOptions) -> list[Exhibit]:
    """One for each path; of none, the light field that ships. Headers are read, pixels when they are first shown.

    Raises: ViewError, LightFieldError, ImageError: a path is missing, or nothing that can be shown.
    """
    return [_exhibit(index, path, options) for index, path in enumerate(paths or [DEMO], 1)]


def _exhibit(index: int, path: Path, options: ReadOptions) -> Exhibit:
    if not path.exists():
        raise ViewError(f"{path}: no such file or folder")
    if path.is_dir() and any((path / name).is_file() for name in RUN_FILES):
        return RunExhibit(f"run-{index}", path)
    if options == ReadOptions() and path.is_file() and is_image_name(path) and sure_format(path) is None:
        open_image(path, upright=False)
        return PhotographExhibit(f"photograph-{index}", path)
    return LightFieldExhibit(f"light-field-{index}", path, read_as_told(path, options), options)
