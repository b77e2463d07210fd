"""Deblurring of pictures with DRBNet: pictures of any size."""

import logging

import torch
from torch import Tensor

from ..networks import DRBNet
from ..system.memory import held, parse_size
from ..system.progress import Progress, Report, tell
from .exported import ExportedNetwork
from .optimize import OptimizedDRBNet
from .tiled_network import SMALL, TiledNetwork, default_memory
from .tiles import Span, run_tiles

_LOG = logging.getLogger("lfdeblur.deblur")


def deblur(
    network: DRBNet | OptimizedDRBNet | ExportedNetwork,
    picture: Tensor,
    *,
    left: Tensor | None = None,
    right: Tensor | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    memory: int | str | None = None,
    strength: float = 1.0,
    report: Report | None = None,
) -> Tensor:
    """Deblur one picture of any size, in overlapped tiles where memory asks for them.

    Tiles start at multiples of what the network pools and see ``overlap`` pixels beyond their own part; where they meet
    they are mixed linearly. With an overlap of the receptive field's radius (``exact_overlap(network)``, 144 for the
    paper's network) the result is that of the whole picture to rounding; with the default it is closer than 50 dB.

    Args:
        network: single or dual view, in evaluation mode; its parameters' device and dtype are those of the computation.
            What ``optimize`` returns is faster and needs less memory; what ``open_exported`` returns is run too.
        picture: ``[C, H, W]``, C = 1 or 3, any H and W; floating point in [0, 1], sRGB-encoded.
        left, right: as ``picture``, for a dual-view network only.
        tile: side of square tiles in pixels, rounded up to what the network pools; default: by memory.
        overlap: pixels, rounded up likewise; default 48.
        memory: bytes (or ``"2GB"``) that the process may hold, the given picture and the result included; on CUDA, what
            PyTorch may hold on that GPU. Default: what is held and half of what is free. A tile's need is measured once
            for each network, on a small tile.
        strength: from 0, the picture as it is, to 1, as the network restores it; between them their mixture.
        report: called with a ``Progress`` after each part of the picture; where it returns False the call ends
            with ``Cancelled``.

    Returns: ``[C, H, W]`` float32 in [0, 1] on the picture's device; a grey picture passes as three equal channels
        and their mean is returned.

    Raises:
        TypeError: ``left`` and ``right`` are missing or surplus, or one of the pictures is not floating point.
        ValueError: a wrong shape, tile, overlap, strength or memory (BudgetError: too little memory for any tile).
    """
    pictures = _checked(network, picture, left, right)
    tiled = TiledNetwork(network, tile=tile, overlap=overlap, strength=strength)
    channels, height, width = picture.shape
    allowed = None if memory is None else parse_size(memory) if isinstance(memory, str) else memory
    if allowed is None and (tile is not None or height * width <= SMALL):
        tiles = tiled.grid(height, width, None)
    else:
        need = tiled.need  # measured first: setting up takes memory that stays
        del need
        total = default_memory(tiled.device) if allowed is None else allowed
        own = 0 if tiled.device.type == "cuda" else 4 * picture.numel()
        tiles = tiled.grid(height, width, total - held(tiled.device) - own)
    _LOG.debug("%dx%d pixels in %dx%d tiles", width, height, len(tiles.rows), len(tiles.columns))
    out = torch.empty(picture.shape, dtype=torch.float32, device=picture.device)
    dtype = torch.promote_types(tiled.dtype, torch.float32)

    done = 0

    def read(row: Span, column: Span) -> Tensor:
        parts = [view[:, row.start : row.stop, column.start : column.stop].to(dtype) for view in pictures]
        return torch.cat([part.expand(3, -1, -1) for part in parts])[None] * 2 - 1

    def write(top: int, left: int, block: Tensor) -> None:
        nonlocal done
        block = (block + 1) / 2
        block = block if channels == 3 else block.mean(0, keepdim=True)
        out[:, top : top + block.shape[1], left : left + block.shape[2]] = block.to(out.device)
        done += block.shape[1] * block.shape[2]
        tell(report, Progress("deblur", done, height * width, "pixels"))

    run_tiles(tiled, tiles, read, write)
    return out


def _checked(
    network: DRBNet | OptimizedDRBNet | ExportedNetwork, picture: Tensor, left: Tensor | None, right: Tensor | None
) -> list[Tensor]:
    """What the network takes, checked."""
    pictures = []
    for name, view in (("picture", picture), ("left", left), ("right", right)):
        if name != "picture" and (view is None) == (network.views == 2):
            state = "missing" if view is None else "surplus"
            raise TypeError(f"{name}: {state}, the network has views={network.views}")
        if view is None:
            continue
        if not view.is_floating_point():
            raise TypeError(f"{name}: got dtype {view.dtype}, want floating point in [0, 1]")
        if view.dim() != 3 or view.shape[0] not in (1, 3) or 0 in view.shape:
            raise ValueError(f"{name}: got shape {list(view.shape)}, want [1 or 3, H, W]")
        if view.shape != picture.shape:
            raise ValueError(f"{name}: got shape {list(view.shape)}, want that of picture, {list(picture.shape)}")
        pictures.append(view)
    return pictures
