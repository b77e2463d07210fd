"""A network made ready for pictures of any size: tiles within a memory budget."""

from collections.abc import Callable
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ..io.errors import LfdeblurError
from ..networks import DRBNet
from ..networks.receptive_field import exact_overlap
from ..system.memory import available, held, show_size, trim
from .engines.cpu_bands import RowEngine
from .exported import ExportedNetwork
from .memory_need import BANDS, SQUARES, Need, measure
from .optimize import OptimizedDRBNet
from .tiles import Grid, fitting_grid, grid

DEFAULT_OVERLAP = 48  # over 70 dB for every kind of weights in docs/tile_overlap.png; 32 gave 57 dB and more
DEFAULT_SHARE = 0.5  # of the memory that is there
SMALL = 2**18  # pixels up to which pictures are run whole where nobody set a limit: too few to measure for
LARGEST = 2**24  # pixels of a tile; beyond, kernels that count elements with 32 bits overflow at 128 channels
OWN_COPIES = 64  # bytes per pixel of a tile outside the network: integers, float32 going in and coming out
_needs: "WeakKeyDictionary[object, dict[torch.dtype, Need]]" = WeakKeyDictionary()


class BudgetError(LfdeblurError, ValueError):
    """A memory budget that is too small for the work; the message tells how much is needed."""


class TiledNetwork:
    """Calls a network on its pictures side by side and lays out tiles for it.

    Args:
        network: single or dual view, in evaluation mode, on the device that computes; plain, optimised or exported.
        call: what runs, of the same call as ``network``; default: ``network``.
        dtype: of the input of ``call``; default: that of the network's parameters, of others float32.
        tile: side of square tiles in pixels, rounded up to what the network pools; default: by memory.
        overlap: pixels that a tile sees beyond its own part on each side, rounded up likewise; default 48, or the
            radius of the receptive field where that is smaller (with the radius, results are exact).
        strength: from 0, the picture as it is, to 1, as the network restores it; between them their mixture.

    Raises: ValueError: ``tile``, ``overlap`` or ``strength`` out of range.
    """

    def __init__(
        self,
        network: DRBNet | OptimizedDRBNet | ExportedNetwork,
        *,
        call: Callable[..., Tensor] | None = None,
        dtype: torch.dtype | None = None,
        tile: int | None = None,
        overlap: int | None = None,
        strength: float = 1.0,
    ) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength: got {strength}, want 0 to 1")
        self.strength = strength
        self.network, self.call = network, call or network
        if isinstance(network, OptimizedDRBNet | ExportedNetwork):
            # They keep pictures in float32 beside narrower features.
            self.device, self.dtype = network.device, dtype or torch.promote_types(network.dtype, torch.float32)
        else:
            weight = next(network.parameters())
            self.device, self.dtype = weight.device, dtype or weight.dtype
        self.multiple = network.multiple
        if overlap is not None and overlap < 0:
            raise ValueError(f"overlap: got {overlap}, want at least 0")
        self.overlap = self._up(min(DEFAULT_OVERLAP, exact_overlap(network)) if overlap is None else overlap)
        self.tile = None if tile is None else self._up(tile)
        least = 2 * self.overlap + self.multiple
        if self.tile is not None and self.tile < least:
            raise ValueError(f"tile: got {tile}, want at least {least} with an overlap of {self.overlap}")

    def __call__(self, x: Tensor) -> Tensor:
        """``[1, 3, h, w]`` (dual view: ``[1, 9, h, w]``: centre, left, right) in [-1, 1], to ``[1, 3, h, w]``."""
        views = x.to(self.device, self.dtype).split(3, 1)
        restored = self.call(*views)
        return restored if self.strength == 1 else torch.lerp(views[0].to(restored.dtype), restored, self.strength)

    @cached_property
    def need(self) -> Need:
        """Memory of one tile, measured once for each network and dtype."""
        known = _needs.setdefault(self.network, {}) if self.call is self.network else {}
        if self.dtype not in known:
            probes = BANDS if isinstance(getattr(self.network, "engine", None), RowEngine) else SQUARES
            found = measure(self, 3 * self.network.configuration.pictures, self.device, probes)
            known[self.dtype] = Need(found.fixed, found.per_pixel + OWN_COPIES)
        return known[self.dtype]

    @property
    def least(self) -> float:
        """Bytes for the smallest tile that can be run."""
        return self.need.bytes(float((self.tile or 2 * self.overlap + self.multiple) ** 2))

    def grid(self, height: int, width: int, memory: float | None) -> Grid:
        """Tiles for a picture.

        Args:
            height, width: of the picture.
            memory: bytes that a tile may take beyond what the process holds; None: as much as it takes.

        Raises: BudgetError: no tile is that small.
        """
        if self.tile is not None:
            found = grid(height, width, (self.tile, self.tile), self.overlap, self.multiple)
            if memory is None or self.need.bytes(found.tile[0] * found.tile[1]) <= memory:
                return found
        else:
            pixels = LARGEST if memory is None else min(LARGEST, self.need.pixels(memory))
            best = fitting_grid(height, width, pixels, self.overlap, self.multiple)
            if best is not None:
                return best
        wanted = self.need.bytes(min(height * width, (self.tile or 2 * self.overlap + self.multiple) ** 2))
        raise BudgetError(f"a tile takes {show_size(wanted)}, the memory allows {show_size(memory or 0)} for it")

    def _up(self, pixels: int) -> int:
        return -(-pixels // self.multiple) * self.multiple


def default_memory(device: torch.device) -> int:
    """Bytes that the process may hold where nobody said: what it holds, and half of what is free."""
    trim()
    return held(device) + int(DEFAULT_SHARE * available(device))
