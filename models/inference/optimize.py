"""``optimize``: a DRBNet made ready for repeated inference."""

from typing import Any

import torch
from torch import Tensor, nn

from lfdeblur_ops._checks import FLOATS, without_autocast
from lfdeblur_ops._choice import chosen
from lfdeblur_ops._levels import transformed

from ..networks import DRBNet
from ..networks.drbnet import check_views
from .engines.cpu_bands import RowEngine
from .engines.cuda_graphs import GraphEngine
from .engines.whole import whole_pictures


class OptimizedDRBNet(nn.Module):
    """What ``optimize`` returns. ``choices`` and ``print(net)`` tell what runs.

    Attributes:
        configuration, views, width, kernel_size, scales, multiple, receptive_radius: those of the network.
        device: where it runs.
        dtype: that the features are kept in.
        choices: what was chosen, in words, by subject.
    """

    def __init__(self, net: DRBNet, dtype: torch.dtype) -> None:
        super().__init__()
        self.configuration, self.multiple, self.receptive_radius = net.configuration, net.multiple, net.receptive_radius
        self.views, self.width, self.kernel_size, self.scales = net.views, net.width, net.kernel_size, net.scales
        self.dtype = dtype
        self.device = next(net.parameters()).device
        # The bands of rows restore at every scale, know no other forward than DRBNet's, and have layers of their own.
        in_rows = self.device.type == "cpu" and type(net) is DRBNet and net.configuration.variant != "single-scale"
        in_rows = in_rows and chosen() == "auto"
        self.engine: RowEngine | GraphEngine = RowEngine(net, dtype) if in_rows else GraphEngine(net, dtype)
        self.choices: dict[str, str] = self.engine.choices()
        self.eval()

    def forward(self, center: Tensor, left: Tensor | None = None, right: Tensor | None = None) -> Tensor:
        """As ``DRBNet.forward``, without gradients.

        Args:
            center, left, right: ``[N, 3, H, W]`` RGB in [-1, 1], of any size and floating dtype, on ``device``.

        Returns: ``[N, 3, H, W]`` in [-1, 1], dtype of ``center``; it carries no gradient, whatever the inputs do.
            Autocast is not heeded.

        Raises:
            RuntimeError: shapes or devices disagree; or a transform of ``torch.func`` or forward mode is active: the
                network itself knows these, docs/transforms.md.
            TypeError: ``left`` and ``right`` missing or surplus, not tensors, or not floating point.
        """
        if transformed():
            raise RuntimeError(
                "optimize: got a call under torch.func or forward mode, want one without: it has no derivatives and no "
                "batching rules; take the network that it was made of"
            )
        # Not a decorator: that imports the compiler, two seconds and 150 MB, for everyone who imports this package.
        apart = torch.compiler.is_compiling() and not torch.compiler.is_exporting()
        run = torch.compiler.disable(self._run) if apart else self._run
        return run(center, left, right)

    def _run(self, center: Tensor, left: Tensor | None, right: Tensor | None) -> Tensor:
        check_views(self.views, self.device, center, left, right)
        with without_autocast(center.new_empty(0, dtype=torch.float32)):
            if torch.compiler.is_exporting():  # with no_grad the program would have a second one within
                engine = self.engine
                whole = whole_pictures if isinstance(engine, RowEngine) else GraphEngine.__call__
                return whole(engine, center, left, right).to(center.dtype)  # type: ignore[arg-type]
            with torch.no_grad():
                return self.engine(center, left, right).to(center.dtype)

    def extra_repr(self) -> str:
        return "\n".join(f"{subject}: {choice}" for subject, choice in self.choices.items())

    def _apply(self, fn: Any, recurse: bool = True) -> "OptimizedDRBNet":
        raise RuntimeError("an optimised network stays on its device and in its dtype: call optimize again")


def optimize(
    net: DRBNet, dtype: torch.dtype | None = None, example_size: tuple[int, int] | None = None
) -> OptimizedDRBNet:
    """A module of the same call as ``net`` that runs faster and in less memory; for inference.

    On the CPU the weights are packed once and the network runs band by band of rows: 3x3 convolutions by Winograd's
    F(4x4, 3x3) in the extension, or by oneDNN where the processor has instructions for a narrow ``dtype``; the first
    convolutions of a dynamic residual block's two branches as one; the picture in float32 throughout. On CUDA the fused
    ops run in ``dtype``, channels-last, and a graph is captured for each size (the eight used last are kept). Variants
    of the network run on the fused ops, on the CPU without more. ``torch.export`` takes the module: then the packed
    layers run on whole pictures, of any number and size; ``torch.compile`` runs it as it is, beside its graph.

    Args:
        net: single or dual view, on the CPU or CUDA. It is neither changed nor needed afterwards: the weights are
            copied, and later changes of ``net`` have no effect.
        dtype: of the features: float32, bfloat16, float16 or float64; default: that of the parameters. The calls take
            and return any floating dtype.
        example_size: ``(H, W)`` to prepare for now, so that the first call on that size is as fast as the others.

    Returns: the module. Its outputs are those of ``net`` to rounding: 1e-5 in float32 on the CPU; on CUDA PyTorch
        computes float32 convolutions as TF32 unless ``torch.backends.cudnn.conv.fp32_precision`` is ``"ieee"``, and the
        module follows it: 1e-3.

    Raises:
        TypeError: ``net`` is not a ``DRBNet``, or ``dtype`` not one of these.
        ValueError: a bad ``example_size``.
    """
    if not isinstance(net, DRBNet):
        raise TypeError(f"net: got {type(net).__name__}, want a DRBNet")
    if dtype is None:
        dtype = next(net.parameters()).dtype
    if dtype not in FLOATS:
        raise TypeError(f"dtype: got {dtype!r}, want torch.float32, bfloat16, float16 or float64")
    if example_size is not None:
        _check_size(example_size)
    optimized = OptimizedDRBNet(net, dtype)
    if example_size is not None:
        pictures = [torch.zeros(1, 3, *example_size, dtype=dtype, device=optimized.device)]
        optimized(*pictures * net.configuration.pictures)
    return optimized


def _check_size(size: object) -> None:
    is_pair = isinstance(size, (tuple, list, torch.Size)) and all(
        isinstance(side, int) and not isinstance(side, bool) and side >= 1 for side in size
    )
    if not is_pair or len(size) != 2:  # type: ignore[arg-type]
        raise ValueError(f"example_size: got {size!r}, want None or (height, width) in pixels, both at least 1")
