"""A light field that is shown: held once for all pages, its disparity map made once."""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from threading import Event, Lock

import torch
from torch import Tensor

from ...data import LightField, LightFieldError, ReadOptions, disparity_of
from ..answers import printable


class LightFieldExhibit:
    """A light field and what is known of it; for many pages at once.

    Args:
        id: by which the pages name it.
        path: where it was read from.
        light_field: its views are read when they are first asked for.
        options: that it was read with.
    """

    kind = "light-field"

    def __init__(self, id: str, path: Path, light_field: LightField, options: ReadOptions) -> None:
        self.id, self.path, self.light_field, self.options = id, path, light_field, options
        self._lock, self._closed = Lock(), Event()
        self._measuring = ThreadPoolExecutor(1, "map")
        self._map: Future[Tensor] | None = None

    @property
    def bits(self) -> int:
        """Of pictures that are saved: those of the views."""
        return 16 if self.light_field.dtype == torch.uint16 else 8

    def facts(self) -> dict[str, object]:
        field = self.light_field
        return {
            "name": printable(field.scene),
            "grid": list(field.grid),
            "size": list(field.size),
            "channels": field.shape[2],
            "format": field.format,
            "range": None if field.disparity_range is None else list(field.disparity_range),
            "radius": (min(field.grid) - 1) / 2,
        }

    def map(self) -> Future[Tensor]:
        """``[H, W]`` float32 disparity of the middle of the grid, pixels per view step; made once, in seconds.

        Its exception is a LightFieldError where there is no disparity to see.
        """
        with self._lock:
            if self._map is None or (self._map.done() and self._map.exception() is not None):
                self._map = self._measuring.submit(self._measure)
            return self._map

    def disparity(self) -> Tensor:
        """The map, waited for. Raises LightFieldError."""
        return self.map().result()

    def close(self) -> None:
        """End what is being measured."""
        self._closed.set()
        self._measuring.shutdown(cancel_futures=True)

    @cached_property
    def centred(self) -> LightField:
        """With a centre view, which disparity belongs to."""
        return self.light_field.with_center()

    def _measure(self) -> Tensor:
        return disparity_of(self.centred, between=self._go_on).cpu()

    def _go_on(self) -> None:
        if self._closed.is_set():
            raise LightFieldError(f"{self.light_field.scene}: the server ends")
