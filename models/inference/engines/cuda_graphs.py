"""DRBNet on a GPU: the fused ops in one dtype, channels-last, replayed as one CUDA graph for each size."""

import copy
import threading
from collections.abc import Callable
from typing import Any

import torch
from cachetools import LRUCache
from torch import Tensor

from ...networks import DRBNet
from ...networks.blocks import DynamicResidual

GRAPHS = 8  # sizes whose graphs are kept; they share one pool of memory
WARM_UPS = 3  # calls before a capture: kernels are compiled and chosen, workspaces allocated


class Graphs(LRUCache):
    """A graph for each shape, made when it is first asked for; of those used least recently only so many are kept."""

    def __init__(self, most: int, capture: Callable[[Any], Any]) -> None:
        super().__init__(most)
        self.capture = capture

    def __missing__(self, shape: Any) -> Any:
        if self.currsize >= self.maxsize:  # before the capture, so that the new graph can have the old one's memory
            self.popitem()
        self[shape] = graph = self.capture(shape)
        return graph


class GraphEngine:
    """A copy of a ``DRBNet`` with merged weights; on CUDA each size is captured once and replayed.

    Args:
        net: on its device.
        dtype: of weights and features. The picture that is restored stays in float32 beside narrower ones.
    """

    def __init__(self, net: DRBNet, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.picture_dtype = torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype
        self.device = next(net.parameters()).device
        net = copy.deepcopy(net).requires_grad_(False).eval()
        self.net = net.to(self.device, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for block in self.net.modules():
            if isinstance(block, DynamicResidual):
                block.merge()
        self._no_graphs()

    def __getstate__(self) -> dict[str, Any]:
        """Without the graphs: a copy captures its own."""
        return {name: self.__dict__[name] for name in ("dtype", "picture_dtype", "device", "net")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._no_graphs()

    def _no_graphs(self) -> None:
        self.graphs = Graphs(GRAPHS, self._capture)
        on_gpu = self.device.type == "cuda"
        self.pool = torch.cuda.graph_pool_handle() if on_gpu else None
        # Captures in one pool share memory if they share a stream; PyTorch's own stays on the device of its first one.
        self.stream = torch.cuda.Stream(self.device) if on_gpu else None
        self.lock = threading.Lock()  # a graph has one set of inputs, and all share their memory
        self.last: Any = None  # event after the last replay, which may have run on another stream

    def choices(self) -> dict[str, str]:
        """What runs, in words."""
        graphs = f"a CUDA graph for each size, the {GRAPHS} used last kept" if self.pool else "no graphs"
        return {
            "engine": f"fused ops on {self.device}, {graphs}",
            "dtype": f"{str(self.dtype)[6:]}, channels-last; the picture {str(self.picture_dtype)[6:]}",
            "merged": f"{len(self.net.restore)} pairs of sibling convolutions",
        }

    def __call__(self, center: Tensor, left: Tensor | None = None, right: Tensor | None = None) -> Tensor:
        """As ``DRBNet.forward``, on pictures of any floating dtype; the result is in ``picture_dtype``."""
        pictures = [view.to(self.picture_dtype) for view in (center, left, right) if view is not None]
        # Exported, or within another capture, the kernels become part of that graph.
        if self.pool is None or torch.compiler.is_exporting():
            return self.net(*pictures)
        if center.shape[0] == 0 or torch.cuda.is_current_stream_capturing():
            out: Tensor = self.net(*pictures)
            return out
        with self.lock, torch.cuda.device(self.device):
            stream = torch.cuda.current_stream(self.device)
            if self.last is not None:
                stream.wait_event(self.last)
            out = self.graphs[tuple(center.shape)].replay(pictures, stream)
            self.last = stream.record_event(self.last)
            return out

    def _capture(self, shape: tuple[int, ...]) -> "Graph":
        return Graph(
            self.net, shape, self.net.configuration.pictures, self.picture_dtype, self.device, self.pool, self.stream
        )


class Graph:
    """The network on inputs of one shape, captured."""

    def __init__(
        self,
        net: DRBNet,
        shape: tuple[int, ...],
        pictures: int,
        dtype: torch.dtype,
        device: torch.device,
        pool: Any,
        stream: Any,
    ) -> None:
        # Tensors made in inference mode could not be written to by a later call outside of it.
        with torch.inference_mode(False), torch.no_grad():
            zeros = torch.zeros(shape, dtype=dtype, device=device)
            self.inputs = [zeros.to(memory_format=torch.channels_last, copy=True) for _ in range(pictures)]
            # What ran before must not be captured.
            stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(stream):
                for _ in range(WARM_UPS):
                    net(*self.inputs)
            torch.cuda.current_stream(device).wait_stream(stream)
            self.graph = torch.cuda.CUDAGraph()
            # thread_local: other threads may go on calling CUDA meanwhile.
            with torch.cuda.graph(self.graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                self.output = net(*self.inputs)

    def replay(self, pictures: list[Tensor], stream: Any) -> Tensor:
        """The output, in memory of its own: the graph's is overwritten by the next replay.

        Args:
            pictures: what the network takes.
            stream: the current one. It may not be the one that the inputs were made on: they are kept until it has read
                them, also when the graph is dropped while it runs.
        """
        for mine, picture in zip(self.inputs, pictures, strict=True):
            mine.copy_(picture)
            if mine.is_cuda:
                mine.record_stream(stream)
        self.graph.replay()
        return self.output.clone()
