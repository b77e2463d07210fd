"""Where the files of a scene go: LFDOF's folders, or tar shards as WebDataset reads them."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...io.errors import OutputError
from .scene_pairs import Picture
from .storage import Storage

FOLDERS = {"defocused": "input", "left": "left", "right": "right", "defocus_map": "defocus_map"}


class LfdofLayout:
    """``input/SCENE/SCENE_apA_PP.png`` and ``ground_truth/SCENE.png``, A from 1, PP from 00 (Ruan et al., TCI 2021)."""

    def __init__(self, storage: Storage) -> None:
        self.storage, self.files = storage, dict[str, int]()

    def add(self, scene: str, pictures: list[Picture], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Tell the rows the names of their files."""
        names: dict[tuple[int | None, int | None], dict[str, str]] = {}
        for picture in pictures:
            names.setdefault((picture.aperture, picture.plane), {})[picture.kind] = self.name(scene, picture)
        whole = names.get((None, None), {})
        return [
            row | {"key": pair_key(scene, row)} | whole | names[row["aperture_index"] - 1, row["plane_index"]]
            for row in rows
        ]

    def put(self, scene: str, picture: Picture) -> Picture:
        """Write a picture at once, so that none is kept in memory."""
        name = self.name(scene, picture)
        self.storage.put(name, picture.data)
        self.files[name] = len(picture.data)
        return Picture(picture.kind, picture.aperture, picture.plane, picture.suffix, b"")

    def name(self, scene: str, picture: Picture) -> str:
        if picture.kind == "truth":
            return f"ground_truth/{scene}{picture.suffix}"
        if picture.kind == "truth_refocus":
            return f"ground_truth_refocus/{scene}{picture.suffix}"
        if picture.kind == "contact_sheet":
            return f"contact_sheets/{scene}{picture.suffix}"
        assert picture.aperture is not None
        file = f"{scene}_ap{picture.aperture + 1}_{picture.plane:02d}{picture.suffix}"
        return f"{FOLDERS[picture.kind]}/{scene}/{file}"


class ShardLayout:
    """``pairs-000000.tar``: per pair ``KEY.defocused.png``, ``KEY.truth.png``, ..., ``KEY.json`` side by side."""

    def __init__(self, storage: Storage, shard: str, tar: tarfile.TarFile) -> None:
        self.storage, self.shard, self.files = storage, shard, dict[str, int]()
        self._tar = tar

    def put(self, scene: str, picture: Picture) -> Picture:
        """Contact sheets stand beside the shards; the rest waits until the scene is whole."""
        if picture.kind == "contact_sheet":
            name = f"contact_sheets/{scene}{picture.suffix}"
            self.storage.put(name, picture.data)
            self.files[name] = len(picture.data)
        return picture

    def add(self, scene: str, pictures: list[Picture], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Write a whole scene; a broken one leaves nothing in the shard. Raises OutputError: disk full, ..."""
        kinds = {(picture.kind, picture.aperture, picture.plane): picture for picture in pictures}
        truths = [kinds[kind, None, None] for kind in ("truth", "truth_refocus") if (kind, None, None) in kinds]
        told = []
        for row in rows:
            key, place = pair_key(scene, row), (row["aperture_index"] - 1, row["plane_index"])
            row = row | {"key": key}
            if ("contact_sheet", None, None) in kinds:
                row["contact_sheet"] = f"contact_sheets/{scene}.jpg"
            for kind in FOLDERS:
                if (kind, *place) in kinds:
                    self._member(f"{key}.{kind}.png", kinds[(kind, *place)].data)
                    row[kind] = f"{self.shard}#{key}.{kind}.png"
            for truth in truths:
                self._member(f"{key}.{truth.kind}.png", truth.data)
                row[truth.kind] = f"{self.shard}#{key}.{truth.kind}.png"
            self._member(f"{key}.json", json.dumps(row, sort_keys=True).encode())
            told.append(row)
        return told

    def _member(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        try:
            self._tar.addfile(info, io.BytesIO(data))
        except OSError as error:  # not the scene's fault
            raise OutputError(f"cannot write {self.storage}/{self.shard}: {error.strerror or error}") from error


Layout = LfdofLayout | ShardLayout


@contextmanager
def open_layout(kind: str, storage: Storage, shard: str) -> Iterator[Layout]:
    """Where the scenes of one unit of work go; a shard appears, whole, at the end of the block."""
    if kind == "lfdof":
        yield LfdofLayout(storage)
        return
    name = f"{shard}.tar"
    with storage.writing(name) as path:
        # Fixed owner and time, so that the same pairs make the same shard.
        with open(path, "wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            layout = ShardLayout(storage, name, tar)
            yield layout
        layout.files[name] = path.stat().st_size


def pair_key(scene: str, row: dict[str, Any]) -> str:
    """``SCENE_apA_PP``; a dot in the scene's name would end a WebDataset key."""
    return f"{scene.replace('.', '_')}_ap{row['aperture_index']}_{row['plane_index']:02d}"
