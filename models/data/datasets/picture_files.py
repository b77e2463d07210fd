"""Data sets of pictures on disk: which files belong together, checked before anything else is done."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...io.errors import ImageError
from ...io.images import image_info, is_image_name
from ...io.natural_order import natural_key
from ..errors import DataError


@dataclass(frozen=True)
class PictureFiles:
    """The files of one item.

    Attributes:
        name: of the item, as reports show it.
        defocused: the picture to restore.
        sharp: its truth, or None where the set has none.
        left, right: dual-pixel views, or None.
    """

    name: str
    defocused: Path
    sharp: Path | None = None
    left: Path | None = None
    right: Path | None = None


FOLDER_NAMES = (
    ("source", "target"),
    ("input", "ground_truth"),
    ("input", "target"),
    ("input", "gt"),
    ("blur", "sharp"),
)


def find_pictures(
    kind: str,
    root: str | Path,
    *,
    split: str = "test",
    dual: bool = False,
    defocused: str | None = None,
    sharp: str | None = None,
    listing: str | Path | None = None,
) -> list[PictureFiles]:
    """List a data set and check it; only the pictures' headers are read.

    Args:
        kind: ``dpdd`` (``SPLIT_c/source``, ``SPLIT_c/target``, ``SPLIT_l/source``, ``SPLIT_r/source``; files are paired
            in natural order), ``lfdof`` (``SPLIT_data/input/SCENE/SCENE_apA_PP.png`` and
            ``SPLIT_data/ground_truth/SCENE.png``, or both without ``SPLIT_data``, or inputs without folders),
            ``realdof`` (``source``, ``target``), ``cuhk`` (pictures, no truth), ``pixeldp`` (``SPLIT_c/source`` and so
            on, no truth), or ``folders`` (any two folders).
        root: the set's folder.
        split: ``train``, ``val`` or ``test``, of ``dpdd``, ``lfdof`` and ``pixeldp``.
        dual: also the left and right views (``dpdd``, ``pixeldp``; ``folders`` and ``lfdof`` with ``left`` and
            ``right`` beside).
        defocused, sharp: for ``folders``, names below ``root``; None: ``source`` and ``target``, ``input`` and
            ``ground_truth`` or the like.
        listing: for ``lfdof``, a text file with a picture to use in each line: its path, of which the last part that
            exists below the set's folder counts (back-slashes are taken for slashes); a second path is the truth.

    Raises:
        DataError: a folder or file is missing, surplus, unreadable, or of another size than its partner; the message
            names it.
    """
    root = Path(root)
    if kind not in KINDS:
        raise DataError(f"data: got {kind!r}, want one of {', '.join(KINDS)}")
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    if listing is not None and kind != "lfdof":
        raise DataError(f"listing: only lfdof has lists, got {kind}")
    if kind == "lfdof":
        items = _lfdof(root, split, dual, listing)
    elif kind == "folders":
        items = _folders(root, defocused, sharp, dual)
    else:
        items = KINDS[kind](root, split, dual)
    if not items:
        raise DataError(f"{root}: no pictures of the set {kind}")
    check_sizes(items)
    return items


def check_sizes(items: Sequence[PictureFiles]) -> None:
    """Open every picture's header. Raises DataError naming a file that is unreadable or differs from its partner."""
    known: dict[Path, tuple[int, int]] = {}

    def size(path: Path) -> tuple[int, int]:
        if path not in known:
            try:
                info = image_info(path)
            except ImageError as error:
                raise DataError(str(error)) from error
            known[path] = info.height, info.width
        return known[path]

    for item in items:
        height, width = size(item.defocused)
        for other in (item.sharp, item.left, item.right):
            if other is not None and size(other) != (height, width):
                got = size(other)
                raise DataError(f"{other}: {got[1]}x{got[0]} pixels, but {item.defocused} has {width}x{height}")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures right in a folder, in natural order; other files are left out. Raises DataError: no such folder."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found = [path for path in folder.iterdir() if path.is_file() and is_image_name(path)]
    return sorted(found, key=lambda path: natural_key(path.name))


def pair_up(first: Path, second: Path) -> list[tuple[Path, Path]]:
    """Pictures of two folders that belong together: by name where most names agree, else in natural order.

    Raises:
        DataError: one has no partner; it is named.
    """
    ours, theirs = pictures_in(first), pictures_in(second)
    if not ours or not theirs:
        raise DataError(f"{first if not ours else second}: no pictures in it")
    by_stem = {path.stem: path for path in theirs}
    if len(by_stem) < len(theirs) or len({path.stem for path in ours}) < len(ours):
        raise DataError(f"{first}, {second}: two pictures have one name and different suffixes")
    common = sum(path.stem in by_stem for path in ours)
    if 2 * common >= min(len(ours), len(theirs)):
        for path in ours:
            if path.stem not in by_stem:
                raise DataError(f"{path}: no picture of this name in {second}")
        stems = {path.stem for path in ours}
        for path in theirs:
            if path.stem not in stems:
                raise DataError(f"{path}: no picture of this name in {first}")
        return [(path, by_stem[path.stem]) for path in ours]
    if len(ours) != len(theirs):
        more, fewer, other = (ours, theirs, second) if len(ours) > len(theirs) else (theirs, ours, first)
        lonely = ", ".join(path.name for path in _without_partner(more, fewer)[:5])
        raise DataError(
            f"{more[0].parent}: {len(more)} pictures, but {other} has {len(fewer)}; seemingly without partner: {lonely}"
        )
    return list(zip(ours, theirs, strict=True))


def _without_partner(more: list[Path], fewer: list[Path]) -> list[Path]:
    """Those of the longer list that are left when each of the shorter one takes the nearest number."""
    free = list(more)
    for path in fewer:
        number = _last_number(path)
        nearest = min(free, key=lambda other: abs(_last_number(other) - number))
        free.remove(nearest)
    return free


def _last_number(path: Path) -> int:
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else 0


def _views(center: list[Path], folders: Sequence[Path]) -> list[tuple[Path, Path]]:
    left, right = ([other for _, other in pair_up(center[0].parent, folder)] for folder in folders)
    return list(zip(left, right, strict=True))


def _dpdd(root: Path, split: str, dual: bool) -> list[PictureFiles]:
    source = root / f"{split}_c" / "source"
    pairs = pair_up(source, root / f"{split}_c" / "target")
    views: list[tuple[Path | None, Path | None]] = [(None, None)] * len(pairs)
    if dual:
        views = [*_views([a for a, _ in pairs], [root / f"{split}_{side}" / "source" for side in "lr"])]
    return [PictureFiles(a.stem, a, b, *view) for (a, b), view in zip(pairs, views, strict=True)]


def _pixeldp(root: Path, split: str, dual: bool) -> list[PictureFiles]:
    center = pictures_in(root / f"{split}_c" / "source")
    views: list[tuple[Path | None, Path | None]] = [(None, None)] * len(center)
    if dual and center:
        views = [*_views(center, [root / f"{split}_{side}" / "source" for side in "lr"])]
    return [PictureFiles(path.stem, path, None, *view) for path, view in zip(center, views, strict=True)]


def _realdof(root: Path, split: str, dual: bool) -> list[PictureFiles]:
    _single_only("realdof", dual)
    return [PictureFiles(a.stem, a, b) for a, b in pair_up(root / "source", root / "target")]


def _cuhk(root: Path, split: str, dual: bool) -> list[PictureFiles]:
    _single_only("cuhk", dual)
    return [PictureFiles(path.stem, path) for path in pictures_in(root)]


def _folders(root: Path, defocused: str | None, sharp: str | None, dual: bool) -> list[PictureFiles]:
    if (defocused is None) != (sharp is None):
        raise DataError("folders: give both names, of the defocused and of the sharp folder, or none")
    if defocused is None or sharp is None:
        fits = [names for names in FOLDER_NAMES if all((root / name).is_dir() for name in names)]
        if not fits:
            raise DataError(
                f"{root}: no two folders {' or '.join('/'.join(names) for names in FOLDER_NAMES)}; name them"
            )
        defocused, sharp = fits[0]
    pairs = pair_up(root / defocused, root / sharp)
    views: list[tuple[Path | None, Path | None]] = [(None, None)] * len(pairs)
    if dual:
        views = [*_views([a for a, _ in pairs], [root / "left", root / "right"])]
    return [PictureFiles(a.stem, a, b, *view) for (a, b), view in zip(pairs, views, strict=True)]


def _lfdof(root: Path, split: str, dual: bool, listing: str | Path | None) -> list[PictureFiles]:
    base = next((root / name for name in (f"{split}_data", ".") if (root / name / "input").is_dir()), None)
    if base is None:
        raise DataError(f"{root / f'{split}_data' / 'input'}: no such folder")
    truths = {path.stem: path for path in pictures_in(base / "ground_truth")}
    given = _found(base) if listing is None else _listed(base, Path(listing))
    items, used = [], set()
    for path, told in given:
        scene = path.stem.split("_ap")[0]
        truth = told or truths.get(scene)
        if truth is None:
            raise DataError(f"{path}: its truth {base / 'ground_truth' / scene}.png is missing")
        used.add(truth.stem)
        left, right = (base / side / path.relative_to(base / "input") if dual else None for side in ("left", "right"))
        for side in (left, right):
            if side is not None and not side.is_file():
                raise DataError(f"{side}: no such file")
        items.append(PictureFiles(path.stem, path, truth, left, right))
    if listing is None:
        for name, truth in truths.items():
            if name not in used:
                raise DataError(f"{truth}: no defocused picture of this scene in {base / 'input'}")
    return items


def _found(base: Path) -> list[tuple[Path, Path | None]]:
    folder = base / "input"
    paths = pictures_in(folder)
    for inner in sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: natural_key(path.name)):
        paths += pictures_in(inner)
    return [(path, None) for path in paths]


def _listed(base: Path, listing: Path) -> list[tuple[Path, Path | None]]:
    try:
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{listing}: not a readable list ({error})") from error
    found: list[tuple[Path, Path | None]] = []
    for number, line in enumerate(lines, 1):
        names = [name for name in re.split(r"[\s,]+", line.strip().replace("\\", "/")) if name]
        if not names:
            continue
        if len(names) > 2:
            raise DataError(f"{listing}, line {number}: {len(names)} paths, want a picture and perhaps its truth")
        files = []
        for name, folder in zip(names, ("input", "ground_truth"), strict=False):
            parts = [part for part in name.split("/") if part not in ("", ".")]
            tails = [base / folder / Path(*parts[start:]) for start in range(len(parts))]
            file = next((tail for tail in tails if tail.is_file()), None)
            if file is None:
                raise DataError(f"{listing}, line {number}: {name} is not below {base / folder}")
            files.append(file)
        found.append((files[0], files[1] if len(files) == 2 else None))
    return found


def _single_only(kind: str, dual: bool) -> None:
    if dual:
        raise DataError(f"{kind}: the set has no left and right views")


KINDS: dict[str, Callable[[Path, str, bool], list[PictureFiles]]] = {
    "dpdd": _dpdd,
    "lfdof": lambda root, split, dual: _lfdof(root, split, dual, None),
    "realdof": _realdof,
    "cuhk": _cuhk,
    "pixeldp": _pixeldp,
    "folders": lambda root, split, dual: _folders(root, None, None, dual),
}
