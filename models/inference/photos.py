"""Files through decoding, the network and encoding, three files at a time at most."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import pyvips
import torch

from ..io.errors import ImageError, OutputError
from ..io.images import KINDS, ImageInfo, check_writable, decode_pixels, image_info, open_image, write_pixels
from ..system.memory import held, show_size, trim
from .exported import ExportedFileError
from .picture_buffer import PictureBuffer
from .tiled_network import BudgetError, TiledNetwork
from .tiles import Grid, run_tiles

_LOG = logging.getLogger("lfdeblur.deblur")
WORTH = 1.1  # how much more may be computed, in smaller tiles, so that neighbours are decoded and encoded meanwhile
# Bytes per pixel and byte of a channel that libvips takes beside the pixels, measured on 6 and 24 megapixels:
# WebP and AVIF hold and compress whole pictures; interlaced files, and kinds that libvips does not read, are decoded
# whole.
_DECODE, _DECODE_AT_ONCE, _DECODE_WHOLE = 1.5, 7.5, {"webp": 12.0, "bmp": 12.0, "avif": 22.0, "heic": 12.0}
_ENCODE, _ENCODE_WHOLE = 1.0, {".webp": 44.0, ".avif": 50.0, ".bmp": 7.5, ".exr": 7.5}
_SPARE = 32 << 20  # bytes for what no model counts: threads' stacks, caches of kernels


@dataclass(frozen=True)
class Photo:
    """A file to restore, its header read.

    Attributes:
        paths: the picture and, for a dual-view network, its left and right views.
        target: where the result goes.
        info: of the picture.
        note: why the result has another name than the picture; empty: it has not.
    """

    paths: tuple[Path, ...]
    target: Path
    info: ImageInfo
    note: str = ""

    @property
    def bands(self) -> int:
        """Channels with alpha."""
        return self.info.channels + self.info.has_alpha

    @property
    def pixels(self) -> int:
        return self.info.height * self.info.width

    @property
    def own(self) -> int:
        """Bytes of the decoded pixels of all views."""
        return self.pixels * self.bands * self.info.bits // 8 * len(self.paths)

    @property
    def decoding(self) -> int:
        """Bytes at the peak of decoding."""
        beside = _DECODE_WHOLE.get(self.info.format, _DECODE_AT_ONCE if self.info.at_once else _DECODE)
        return self.own + int(beside * self.pixels * self.info.bits // 8)

    @property
    def encoding(self) -> int:
        """Bytes at the peak of encoding."""
        beside = _ENCODE_WHOLE.get(self.target.suffix.lower(), _ENCODE)
        return self.own + int(beside * self.pixels * self.info.bits // 8)

    def running(self, tiles: Grid) -> int:
        """Bytes of the pixels and of the rows and strips that tiles need beside them."""
        row = self.info.width * self.bands * self.info.bits // 8
        return self.own + 2 * tiles.tile[0] * row + 4 * 3 * 4 * tiles.blend * self.info.width


def open_photo(paths: Sequence[Path], target: Path) -> Photo:
    """Read the headers of a picture and its views.

    Where the picture's own kind cannot be written (HEIC, BMP with alpha), the result is a PNG.

    Raises: ImageError: one cannot be read, the views differ, or the result's name cannot hold the picture's kind.
    """
    info = image_info(paths[0], upright=False)
    note, named = "", target
    try:
        check_writable(target, info.bits, info.channels + info.has_alpha)
    except ImageError as error:
        if target.suffix.lower() not in KINDS[info.format].suffixes:
            raise
        target = target.with_suffix(".png")
        note = str(error).replace(str(named), str(paths[0]), 1).partition(": write")[0] + f": the result is {target}"
        check_writable(target, info.bits, info.channels + info.has_alpha)
    for path in paths[1:]:
        other = image_info(path, upright=False)
        if _form(other) != _form(info):
            raise ImageError(f"{path}: differs from {paths[0]} in size, depth or channels")
    return Photo(tuple(paths), target, info, note)


def _form(info: ImageInfo) -> tuple[int, ...]:
    return info.channels, info.has_alpha, info.bits, info.height, info.width


class Pipeline:
    """Restores files: while one runs through the network, the next is decoded and the one before encoded.

    Where the memory does not allow for three pictures at a time, one follows the other.

    Args:
        network: what restores them.
        memory: bytes that the process may hold (CUDA: on the GPU); None: no limit.
        progress: is told the number of pixels that are finished.

    Raises: BudgetError: the memory does not suffice for one tile.
    """

    def __init__(
        self, network: TiledNetwork, memory: int | None = None, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        self._network, self._progress = network, progress
        self._on_gpu = network.device.type == "cuda"
        self._left: float | None = None
        if memory is not None:
            least = network.least  # measured before anything else: setting up takes memory that stays
            trim()
            least += held(network.device) + _SPARE
            if least > memory:
                raise BudgetError(
                    f"got {show_size(memory)}, want at least {show_size(least)} for the program and one small tile"
                )
            self._left = memory - held(network.device) - _SPARE
        self._lock = Lock()
        self._busy: dict[int, pyvips.Image] = {}  # by identity: == compares the pixels of two pictures
        self._cancelled = False

    def run(self, photos: Sequence[Photo], done: Callable[[Photo], None] = lambda _: None) -> list[str]:
        """Restore the files one after the other; each result appears whole or not at all, also when interrupted.

        Args:
            photos: the files.
            done: is told each file whose result is written.

        Returns: a reason for each file that failed, its name first.
        """
        failed: list[str] = []

        @contextmanager
        def caught(photo: Photo) -> Iterator[None]:
            try:
                yield
            except (ImageError, OutputError) as error:
                failed.append(str(error))
                self._progress(photo.pixels)
            except (BudgetError, ExportedFileError, FloatingPointError, MemoryError, torch.OutOfMemoryError) as error:
                failed.append(f"{photo.paths[0]}: {str(error) or 'not enough memory'}")
                self._progress(photo.pixels)

        writing: tuple[Photo, Future[None]] | None = None

        def finish() -> None:
            nonlocal writing
            if writing is not None:
                (photo, future), writing = writing, None
                with caught(photo):
                    future.result()
                    done(photo)

        grids, ahead = self._plan(photos)
        with ThreadPoolExecutor(1, "decode") as decoder, ThreadPoolExecutor(1, "encode") as encoder:
            try:
                reading: Future[list[np.ndarray]] | None = None
                for photo, tiles, following in zip(photos, grids, [*photos[1:], None], strict=True):
                    current, reading = reading or decoder.submit(self._decode, photo), None
                    pictures = None
                    with caught(photo):
                        pictures = current.result()
                        del current
                        if ahead and following is not None:
                            reading = decoder.submit(self._decode, following)
                        if isinstance(tiles, BudgetError):
                            raise tiles
                        _LOG.debug("%s: %dx%d tiles", photo.paths[0], len(tiles.rows), len(tiles.columns))
                        buffer = PictureBuffer(pictures, self._progress)
                        run_tiles(self._network, tiles, buffer.read, buffer.write)
                        del buffer
                        finish()
                        writing = photo, encoder.submit(self._encode, photo, pictures[0])
                    pictures = None
                    if not ahead:
                        finish()
                        trim()
                finish()
            except BaseException:
                self._cancel()
                raise
        return failed

    def _plan(self, photos: Sequence[Photo]) -> tuple[list[Grid | BudgetError], bool]:
        """Each file's tiles (or why there are none), and whether neighbours are decoded and encoded meanwhile."""
        alone = [self._tiles(photo, 0) for photo in photos]
        if len(photos) < 2:
            return alone, False
        neighbours = zip([0, *(p.encoding for p in photos[:-1])], [*(p.decoding for p in photos[1:]), 0], strict=True)
        together = [self._tiles(photo, sum(others)) for photo, others in zip(photos, neighbours, strict=True)]
        more = 0.0
        for one, other in zip(alone, together, strict=True):
            if isinstance(one, Grid):
                if isinstance(other, BudgetError):
                    return alone, False
                more += other.computed - WORTH * one.computed
        return (together, True) if more <= 0 else (alone, False)

    def _tiles(self, photo: Photo, others: int) -> Grid | BudgetError:
        size = photo.info.height, photo.info.width
        try:
            if self._left is None or self._on_gpu:
                return self._network.grid(*size, self._left)
            most = max(photo.decoding, photo.encoding)
            if most > self._left:
                return BudgetError(f"reading and writing it takes {show_size(most)}, {show_size(self._left)} are left")
            left = self._left - others
            first = self._network.grid(*size, left - photo.own)
            return self._network.grid(*size, left - photo.running(first))
        except BudgetError as error:
            return error

    def _decode(self, photo: Photo) -> list[np.ndarray]:
        pictures = []
        for path in photo.paths:
            image, info = open_image(path, upright=False)
            with self._cancellable(image):
                pixels = decode_pixels(path, image)
            if pixels.shape != (photo.info.height, photo.info.width, photo.bands) or info.bits != photo.info.bits:
                raise ImageError(f"{path}: changed while others were processed")
            if pixels.dtype == np.float32 and np.isnan(pixels).any():
                raise ImageError(f"{path}: holds NaN, want light")
            pictures.append(pixels)
        return pictures

    def _encode(self, photo: Photo, pixels: np.ndarray) -> None:
        with ExitStack() as stack:
            write_pixels(
                photo.target,
                pixels,
                like=photo.info,
                started=lambda image: stack.enter_context(self._cancellable(image)),
            )

    @contextmanager
    def _cancellable(self, image: pyvips.Image) -> Iterator[None]:
        with self._lock:
            if self._cancelled:
                raise OutputError("interrupted")
            self._busy[id(image)] = image
        try:
            yield
        finally:
            with self._lock:
                del self._busy[id(image)]

    def _cancel(self) -> None:
        """Make the threads end soon; what is half written is removed by them."""
        with self._lock:
            self._cancelled = True
            for image in self._busy.values():
                image.set_kill(True)
