"""The networks that photographs are restored by, each made ready once."""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import torch

from ...inference.optimize import optimize
from ...inference.tiled_network import TiledNetwork
from ...io.errors import LfdeblurError
from ...networks.weights import load_network

# Sides of tiles: a compromise of how soon the first one is seen and how much is computed beside each one's own part.
TILE, GPU_TILE = 384, 1024
_SMALL = 160  # pixels: a first call, which sets up what stays


class Networks:
    """Networks by the names of their weights, in float32.

    Args:
        weights: files by their names.
        device: where they run.
    """

    def __init__(self, weights: Mapping[str, Path], device: torch.device) -> None:
        self._files, self._device = dict(weights), device
        self._ready: dict[str, TiledNetwork] = {}
        self._lock = Lock()

    def check(self, name: str) -> str:
        """The name, ``""`` being the first one's. Raises ValueError: there is no such."""
        name = name or next(iter(self._files))
        if name not in self._files:
            raise ValueError(f"weights: got {name!r}, want one of {', '.join(self._files)}")
        return name

    def get(self, name: str) -> TiledNetwork:
        """Raises LfdeblurError: the file holds no weights of a single-view network."""
        with self._lock:
            if name not in self._ready:
                network = load_network(self._files[name])
                if network.views != 1:
                    raise LfdeblurError(f"weights: got {name} of the dual-view network, want single-view ones")
                on_cpu = self._device.type == "cpu"
                ready = optimize(network, torch.float32) if on_cpu else network.to(self._device, torch.float32)
                tiled = TiledNetwork(ready, tile=TILE if on_cpu else GPU_TILE)
                with torch.inference_mode():
                    tiled(torch.zeros(1, 3, _SMALL, _SMALL))
                self._ready[name] = tiled
            return self._ready[name]
