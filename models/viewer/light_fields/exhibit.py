"""A light field that is shown: held once for all pages, its disparity map made once."""

from functools import cached_property
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor

from ...data import LightField, ReadOptions, disparity_of


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
        self._measuring = Lock()

    @property
    def bits(self) -> int:
        """Of pictures that are saved: those of the views."""
        return 16 if self.light_field.dtype == torch.uint16 else 8

    def facts(self) -> dict[str, object]:
        field = self.light_field
        return {
            "name": field.scene,
            "grid": list(field.grid),
            "size": list(field.size),
            "channels": field.shape[2],
            "format": field.format,
            "range": None if field.disparity_range is None else list(field.disparity_range),
            "radius": (min(field.grid) - 1) / 2,
            "truth": field.disparity is not None,
        }

    def disparity(self) -> Tensor:
        """``[H, W]`` float32 of the middle of the grid, pixels per view step; made when first asked for, in seconds.

        Raises: LightFieldError: there is no disparity to see.
        """
        with self._measuring:
            return self._disparity

    @cached_property
    def centred(self) -> LightField:
        """With a centre view, which disparity belongs to."""
        return self.light_field.with_center()

    @cached_property
    def _disparity(self) -> Tensor:
        return disparity_of(self.centred).cpu()
