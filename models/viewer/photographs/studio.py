"""Where photographs are restored: one after the other, for all pages in turn."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition, Thread
from time import monotonic

import torch
from torch import Tensor

from ...inference.picture_buffer import PictureBuffer
from ...inference.tiles import Grid, Span, run_tiles
from ...system.memory import trim
from ..session import Session
from .album import Album
from .networks import Networks
from .picture import Picture, Run
from .turn import Rectangle


class _Stopped(Exception):
    """A run that nobody wants any more."""


class Studio:
    """The albums of the pages that are open, and the thread that restores their pictures.

    Args:
        weights: files of weights by their names.
        device: where the networks run.

    Attributes:
        hands: draw parts for the screen, two at a time.
    """

    def __init__(self, weights: Mapping[str, Path], device: torch.device) -> None:
        self.networks = Networks(weights, device)
        self.hands = ThreadPoolExecutor(2, "photographs")
        self._folder: TemporaryDirectory[str] | None = None
        self._albums: dict[str, Album] = {}
        self._waiting: OrderedDict[Album, deque[Run]] = OrderedDict()
        self._changed, self._closed = Condition(), False
        self._thread: Thread | None = None

    def album(self, session: Session) -> Album:
        """The page's; on the server's own thread."""
        if session.id not in self._albums:
            if self._folder is None:
                self._folder = TemporaryDirectory(prefix="lfdeblur-view-", ignore_cleanup_errors=True)
            folder = Path(self._folder.name) / f"page-{session.id}"
            folder.mkdir()
            album = self._albums[session.id] = Album(session, folder)
            leaving = ExitStack()
            leaving.callback(self._leave, session.id)
            session.own(leaving)
            return album
        return self._albums[session.id]

    def start(self, album: Album, picture: Picture, weights: str) -> None:
        """Restore a picture once it is its turn; the page is told how it goes."""
        run = album.begin(picture, weights)
        with self._changed:
            self._waiting.setdefault(album, deque()).append(run)
            if self._thread is None and not self._closed:
                self._thread = Thread(target=self._work, name="restore", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """End all work and remove all files."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        for album in list(self._albums.values()):
            album.close()
        self.hands.shutdown(wait=False, cancel_futures=True)
        if self._thread is not None:
            self._thread.join()  # the end of the process while a tile is computed is none that PyTorch expects
        if self._folder is not None:
            self._folder.cleanup()

    def _leave(self, id: str) -> None:
        album = self._albums.pop(id)
        with self._changed:
            self._waiting.pop(album, None)
        album.close()
        trim()

    def _next(self) -> tuple[Album, Run] | None:
        """Of the page that has waited longest since its last turn; None: it is over."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            album, runs = self._waiting.popitem(last=False)
            run = runs.popleft()
            if runs:
                self._waiting[album] = runs
            return album, run

    def _work(self) -> None:
        while (turn := self._next()) is not None:
            album, run = turn
            if run.stopped:
                continue
            try:
                self._restore(album, run)
            except _Stopped:
                pass
            except Exception as error:  # whatever it is, other pictures wait
                album.settle(run, "failed", " ".join(str(error).split()) or type(error).__name__)
            trim()

    def _restore(self, album: Album, run: Run) -> None:
        album.settle(run, "running")
        network = self.networks.get(run.weights)
        pixels = album.pixels(run.picture)
        after = pixels.after = pixels.before.copy()
        run.begun = monotonic()
        tiles = network.grid(run.picture.info.height, run.picture.info.width, None)
        blocks = deque(_blocks(tiles))
        buffer = PictureBuffer([after])

        def read(row: Span, column: Span) -> Tensor:
            if run.stopped:
                raise _Stopped
            return buffer.read(row, column)

        def write(top: int, left: int, block: Tensor) -> None:
            if run.stopped:
                raise _Stopped
            buffer.write(top, left, block)
            done = blocks.popleft()
            album.advance(run, done[2] * done[3], done, blocks[0] if blocks else None)

        try:
            run_tiles(network, tiles, read, write)
        finally:
            album.keep(run, after)
        album.settle(run, "done")


def _blocks(tiles: Grid) -> list[Rectangle]:
    """What ``run_tiles`` writes, in its order."""
    return [
        (column.first, row.first, _written(column, tiles.columns, tiles.blend), _written(row, tiles.rows, tiles.blend))
        for row in tiles.rows
        for column in tiles.columns
    ]


def _written(span: Span, line: tuple[Span, ...], blend: int) -> int:
    """A strip at the end comes with the next tile."""
    return span.last - span.first - (0 if span is line[-1] else 2 * blend)
