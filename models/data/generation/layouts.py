"""Where the files of a scene go: LFDOF's folders, or tar shards as WebDataset reads them."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ...io.errors import OutputError
from .manifest import PairRow
from .scene_renderer import Picture
from .storage import Storage

FOLDERS = {"defocused": "input", "left": "left", "right": "right", "defocus_map": "defocus_map"}


class LfdofLayout:
    """``input/SCENE/SCENE_apA_PP.png`` and ``ground_truth/SCENE.png``, A from 1, PP from 00 (Ruan et al., TCI 2021)."""

    def __init__(self, storage: Storage) -> None:
        self.storage, self.files = storage, dict[str, int]()

    def add(self, scene: str, pictures: list[Picture], rows: list[PairRow]) -> list[PairRow]:
        """Tell the rows the names of their files."""
        names: dict[tuple[int | None, int | None], dict[str, Any]] = {}
        for picture in pictures:
            names.setdefault((picture.aperture, picture.plane), {})[picture.kind] = self.name(scene, picture)
        shared = names.get((None, None), {})
        return [replace(row, **shared, **names[row.aperture_index - 1, row.plane_index]) for row in rows]

    def put(self, scene: str, picture: Picture) -> Picture:
        """Write a picture at once, so that none is kept in memory."""
        name = self.name(scene, picture)
        self.storage.put(name, picture.data)
        self.files[name] = len(picture.data)
        return replace(picture, data=b"")

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

    def add(self, scene: str, pictures: list[Picture], rows: list[PairRow]) -> list[PairRow]:
        """Write a whole scene; a broken one leaves nothing in the shard. Raises OutputError: disk full, ..."""
        made = {(picture.kind, picture.aperture, picture.plane): picture.data for picture in pictures}
        told = []
        for row in rows:
            names: dict[str, Any] = {}
            if ("contact_sheet", None, None) in made:
                names["contact_sheet"] = f"contact_sheets/{scene}.jpg"
            places = {kind: (row.aperture_index - 1, row.plane_index) for kind in FOLDERS}
            for kind, place in (places | dict.fromkeys(("truth", "truth_refocus"), (None, None))).items():
                if (kind, *place) in made:
                    member = f"{row.key}.{kind}.png"
                    self._member(member, made[(kind, *place)])
                    names[kind] = f"{self.shard}#{member}"
            told.append(replace(row, **names))
            self._member(f"{row.key}.json", json.dumps(told[-1].to_json(), sort_keys=True).encode())
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
