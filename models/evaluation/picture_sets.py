"""Data sets to evaluate on: items by name, read one at a time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..data.datasets.picture_files import KINDS, PictureFiles, find_pictures, pictures_in
from ..data.datasets.picture_pairs import as_float
from ..data.errors import DataError
from ..io.errors import ImageError
from ..io.images import ImageInfo, image_info, read_encoded
from .disk_blur import disk_blurred

PIXEL4, DISK_BLUR, STACK = "pixel4", "disk-blur", "stack"
SCENE_KINDS = (*KINDS, PIXEL4, DISK_BLUR, STACK)
SHIPPED_STACK = Path(__file__).parents[1] / "assets" / "stack"


@dataclass(frozen=True)
class Scene:
    """The pictures of one item: ``[C, H, W]`` float32 in [0, 1], sRGB-encoded, as most files are.

    C is 1 where all of them are grey, else 3.

    Attributes:
        defocused: what is restored.
        sharp: its truth, or None.
        left, right: dual-pixel views, or None.
        info: of the defocused picture's file; None where the picture was computed from several files.
    """

    defocused: Tensor
    sharp: Tensor | None = None
    left: Tensor | None = None
    right: Tensor | None = None
    info: ImageInfo | None = None


class PictureSet:
    """The items of a data set, all files found and their headers read.

    Args:
        kind: those of ``find_pictures``, or ``pixel4`` (``NNN_left.png``, ``NNN_right.png``, ``NNN_gt.png`` and the
            gain of the right view; grey, the truth's exposure fitted to the defocused picture's), or ``disk-blur``
            (sharp pictures, each put out of focus by ``disk_blurred``), or ``stack`` (real defocus with its truth, of
            focal stacks: ``input`` and ``truth``).
        root: the set's folder; None: the ``stack`` that ships with the package.
        split, listing, defocused, sharp: as for ``find_pictures``.
        dual: also the left and right views.
        scenes: of ``pixel4``, only these.
        middle: only so many pixels in the middle of each picture, along each side.
        radius, noise: of ``disk-blur``: as ``disk_blurred`` takes them.

    Attributes:
        names: of the items: the files' stems, or what tells them apart where stems are equal.
        sizes: heights and widths.
        truth: whether the set has sharp pictures.
        blur: radius and noise of ``disk-blur``, else None.

    Raises:
        DataError: a file is missing, surplus, unreadable or of another size than its partner; it is named.
    """

    def __init__(
        self,
        kind: str,
        root: str | Path | None,
        *,
        split: str = "test",
        dual: bool = False,
        listing: str | Path | None = None,
        defocused: str | None = None,
        sharp: str | None = None,
        scenes: Sequence[str] = (),
        middle: int | None = None,
        radius: float = 2.0,
        noise: float = 0.0,
    ) -> None:
        if kind not in SCENE_KINDS:
            raise DataError(f"data: got {kind!r}, want one of {', '.join(SCENE_KINDS)}")
        if root is None and kind != STACK:
            raise DataError(f"root: missing; {kind} is a folder of yours")
        root = Path(root or SHIPPED_STACK)
        self._pixel4 = None
        self.blur = (radius, noise) if kind == DISK_BLUR else None
        if kind == DISK_BLUR:
            self.items = _sharp_pictures(root, dual)
        elif kind == PIXEL4:
            from ..data.datasets.pixel4 import Pixel4Pairs

            if not root.is_dir():
                raise DataError(f"{root}: no such folder")
            self._pixel4 = Pixel4Pairs(root, dual=dual, keep=False, scenes=scenes)
            self.items = self._pixel4.items
        elif kind == STACK:
            self.items = find_pictures("folders", root, dual=dual, defocused="input", sharp="truth")
        else:
            self.items = find_pictures(
                kind, root, split=split, dual=dual, defocused=defocused, sharp=sharp, listing=listing
            )
        self.middle = middle
        self.names = _names(self.items)
        headers = [image_info(item.defocused) for item in self.items]
        self.sizes = [(header.height, header.width) for header in headers]
        self.truth = self.items[0].sharp is not None

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Scene:
        """Raises ImageError: a file is damaged or has changed."""
        if self._pixel4 is not None:
            views = self._pixel4[index]
            grey: dict[str, Any] = {kind: self._middle(view[:1]) for kind, view in views.items() if kind != "name"}
            return Scene(**grey)
        item = self.items[index]
        picture, info = read_encoded(item.defocused)
        if self.blur is not None:
            truth = self._middle(as_float(picture))
            return Scene(disk_blurred(truth, *self.blur), truth, info=info)
        files = {"defocused": item.defocused, "sharp": item.sharp, "left": item.left, "right": item.right}
        pictures: dict[str, Tensor] = {"defocused": as_float(picture)}
        for kind, path in files.items():
            if path is not None and kind != "defocused":
                pictures[kind] = as_float(read_encoded(path)[0])
                if pictures[kind].shape[-2:] != picture.shape[-2:]:
                    raise ImageError(f"{path}: changed while others were processed")
        channels = max(len(one) for one in pictures.values())
        parts = {kind: self._middle(one.expand(channels, -1, -1)) for kind, one in pictures.items()}
        return Scene(**parts, info=info)

    def _middle(self, picture: Tensor) -> Tensor:
        if self.middle is None:
            return picture
        top, left = (max(0, (side - self.middle) // 2) for side in picture.shape[-2:])
        return picture[:, top : top + self.middle, left : left + self.middle]


def _sharp_pictures(root: Path, dual: bool) -> list[PictureFiles]:
    if dual:
        raise DataError(f"data: {DISK_BLUR} has no left and right views, and the network takes two")
    paths = pictures_in(root)
    if not paths:
        raise DataError(f"{root}: no pictures there")
    return [PictureFiles(path.stem, path, path) for path in paths]


def _names(items: Sequence[PictureFiles]) -> list[str]:
    """Stems; the files' names where two stems are equal, the folders' names before them where that does not do."""
    candidates = (
        [item.name for item in items],
        [item.defocused.name for item in items],
        [f"{item.defocused.parent.name}_{item.defocused.name}" for item in items],
    )
    for names in candidates:
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if not repeated:
            return names
    raise DataError(f"two pictures are called {repeated[0]}")
