"""The photographs of one page, and all of memory and disk that they take."""

import shutil
from collections import OrderedDict
from itertools import count
from pathlib import Path
from threading import Lock

import numpy as np
from starlette.exceptions import HTTPException

from ..session import Session
from .picture import Picture, Pixels, Run
from .turn import Rectangle

MAX_PICTURES = 100
AT_WORK = ("waiting", "running")
HELD = 2  # pictures whose pixels are in memory: the one that is restored, the one that is looked at


class Album:
    """Pictures of a page by their ids.

    Args:
        session: the page.
        folder: for its files alone; it goes with the album.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        self.session, self.folder = session, folder
        self.closed = False
        self._pictures: dict[str, Picture] = {}
        self._held: OrderedDict[str, Pixels] = OrderedDict()
        self._lock, self._reading = Lock(), Lock()  # the first one is never held for long
        self._numbers = count(1)

    def place(self) -> Path:
        """For a file. Raises ValueError where the page has as many pictures as it may."""
        if len(self._pictures) >= MAX_PICTURES:
            raise ValueError(f"pictures: got {MAX_PICTURES + 1}, want at most {MAX_PICTURES} on a page")
        return self.folder / f"upload-{next(self._numbers)}"

    def place_of_result(self, suffix: str) -> Path:
        """For a file that is made to be sent."""
        return self.folder / f"result-{next(self._numbers)}{suffix}"

    def add(self, path: Path, name: str) -> Picture:
        """Take a picture in. Raises ImageError: it is none, or damaged."""
        number = next(self._numbers)
        picture = Picture(f"p{number}", name, path, self.folder / f"restored-{number}.npy")
        with self._lock:
            if self.closed or len(self._pictures) >= MAX_PICTURES:
                raise ValueError(f"pictures: got more than the {MAX_PICTURES} that a page may have")
            self._pictures[picture.id] = picture
        try:
            self.pixels(picture)  # a file that is damaged is told now
        except BaseException:
            self.remove(picture)
            raise
        return picture

    def get(self, id: str) -> Picture:
        """Raises HTTPException, 404."""
        if id not in self._pictures:
            raise HTTPException(404, f"no photograph {id!r} on this page")
        return self._pictures[id]

    def pixels(self, picture: Picture) -> Pixels:
        """A picture's pixels, read again where they are no longer held. Raises HTTPException, 404: it is gone."""
        held = self._known(picture)
        if held is not None:
            return held
        with self._reading:
            held = self._known(picture, room=True)
            if held is not None:  # someone else has read it meanwhile
                return held
            read = picture.read()
            with self._lock:
                self._held[picture.id] = read
            self._known(picture)  # it may be gone since
            return read

    def begin(self, picture: Picture, weights: str) -> Run:
        """Set a picture waiting, what was restored of it forgotten. Raises HTTPException, 409: it is at work."""
        with self._lock:
            if picture.run is not None and picture.state in AT_WORK:
                raise HTTPException(409, f"{picture.name}: is at work; cancel it first")
            picture.state, picture.message, picture.done = "waiting", "", 0
            picture.run = Run(picture, weights)
            self._forget(picture)
            self.session.send(picture.told())
            return picture.run

    def advance(self, run: Run, pixels: int, tile: Rectangle, following: Rectangle | None) -> None:
        """A tile of ``pixels`` pixels is finished; the page is told, and what follows."""
        with self._lock:
            if not run.stopped:
                run.picture.done += pixels
                self.session.send(run.picture.told(tile, following))

    def settle(self, run: Run, state: str, message: str = "") -> None:
        """Set a picture's state and tell the page, unless the run was stopped."""
        with self._lock:
            if not run.stopped:
                run.picture.state, run.picture.message = state, message
                if state == "failed":
                    self._forget(run.picture)
                self.session.send(run.picture.told())

    def keep(self, run: Run, after: np.ndarray) -> None:
        """Write what is restored to disk, from where it is read once it is no longer held."""
        picture = run.picture
        if self._wants(run):
            np.save(picture.kept, after)
        with self._lock:
            if not self._wants(run):  # any more
                picture.kept.unlink(missing_ok=True)
        if self.closed:
            self._clear_folder()

    def cancel(self, picture: Picture) -> None:
        """End its run, if there is one."""
        with self._lock:
            if picture.run is not None and picture.state in AT_WORK:
                picture.run.stopped = True
                picture.state = "cancelled"
                self.session.send(picture.told())

    def remove(self, picture: Picture) -> None:
        """Free a picture and its files."""
        self.cancel(picture)
        with self._lock:
            self._pictures.pop(picture.id, None)
            self._held.pop(picture.id, None)
        picture.kept.unlink(missing_ok=True)
        if picture.path.parent == self.folder:
            picture.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Free everything; runs end before their next tile."""
        with self._lock:
            self.closed = True
            for picture in self._pictures.values():
                if picture.run is not None:
                    picture.run.stopped = True
            self._pictures.clear()
            self._held.clear()
        self._clear_folder()

    def _known(self, picture: Picture, *, room: bool = False) -> Pixels | None:
        """What is held of a picture; ``room``: where that is nothing, others make room for it."""
        with self._lock:
            if picture.id not in self._pictures:
                self._held.pop(picture.id, None)
                raise HTTPException(404, f"{picture.name}: is gone")
            if picture.id in self._held:
                self._held.move_to_end(picture.id)
            elif room:
                idle = [id for id in self._held if self._pictures[id].state != "running"]
                for id in idle[: max(0, len(self._held) - HELD + 1)]:
                    del self._held[id]
            return self._held.get(picture.id)

    def _wants(self, run: Run) -> bool:
        return run.picture.run is run and run.picture.id in self._pictures

    def _clear_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _forget(self, picture: Picture) -> None:
        picture.kept.unlink(missing_ok=True)
        if picture.id in self._held:
            self._held[picture.id].after = None
