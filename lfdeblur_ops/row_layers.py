"""Layers of fixed weights on the CPU, packed once, run on successive rows of one picture: for inference engines."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import reference
from ._checks import slope_of
from ._dispatch import cpu_missing, define
from ._onednn import convolution, fused

# As `drb_head`, for features [N, F, R, W] that lie on the rows from first_row on of the image -> [N, C, R, W].
define(
    "drb_head_rows(Tensor kernel_features, Tensor kernel_weight, Tensor? kernel_bias, Tensor residual_features, "
    "Tensor residual_weight, Tensor? residual_bias, Tensor image, int first_row, int kernel_size, "
    "float negative_slope, float low, float high) -> Tensor"
)

_HALF = (torch.bfloat16, torch.float16)


class PackedConvolution:
    """A 3x3 convolution, or the 4x4 transposed one of stride 2, with its weights in the order that its kernel reads.

    For inference on the CPU: it gives what ``conv3x3`` and ``conv_transpose4x4`` give, without gradients, on a band of
    rows whose neighbours may lie in other tensors. ``method`` tells what runs: ``winograd`` (F(4x4, 3x3) in the
    extension, a quarter of the multiplications), ``onednn`` or ``pytorch``.

    Args:
        weight: ``[O, C, 3, 3]`` or, transposed, ``[C, O, 4, 4]``; on the CPU.
        bias: ``[O]`` or None.
        dtype: of the tensors that come in and go out: float32, float16 or bfloat16.
        activation: ``"leaky_relu"`` or None.
        stride: 1 or 2; a transposed one has 2.
        transposed: whether it doubles the size.
        second: how many of the ``C`` channels come as ``x2``.
        negative_slope: of LeakyReLU.

    Raises:
        RuntimeError: the weight is not on the CPU or has another shape.
        ValueError: a bad ``activation``, ``stride`` or ``negative_slope``.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        activation: str | None = None,
        stride: int = 1,
        transposed: bool = False,
        second: int = 0,
        negative_slope: float = 0.1,
    ) -> None:
        self.slope = slope_of(activation, negative_slope)
        side = 4 if transposed else 3
        if weight.device.type != "cpu" or weight.dim() != 4 or weight.shape[2:] != (side, side):
            raise RuntimeError(
                f"weight: got shape {list(weight.shape)} on {weight.device}, want [.., .., {side}, {side}] on the CPU"
            )
        if stride not in ((2,) if transposed else (1, 2)):
            raise ValueError(f"stride: got {stride!r}, want {'2' if transposed else '1 or 2'}")
        self.transposed, self.stride, self.dtype = transposed, stride, dtype
        self.outputs = weight.shape[1 if transposed else 0]
        # Where the processor has no convolution of a narrow type, float32 is a hundred times as fast.
        self.compute = torch.float32 if dtype in _HALF and not fused(dtype) else dtype
        weight = weight.detach().to(self.compute, copy=True)
        self.bias = None if bias is None else bias.detach().to(self.compute, copy=True)
        if stride == 1 and self.compute == torch.float32 and _winograd_fits(weight, second):
            self.method, self.weight = "winograd", torch.ops.lfdeblur.winograd_weight(weight.contiguous(), False)
        elif fused(self.compute):
            self.method, self.weight = "onednn", weight if transposed else self._reordered(weight)
        else:
            self.method, self.weight = "pytorch", weight

    def __getstate__(self) -> dict[str, Any]:
        """oneDNN's own layouts can be neither copied nor pickled: the weight as it was."""
        return self.__dict__ | ({"weight": self.weight.to_dense()} if self.weight.is_mkldnn else {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.method == "onednn" and not self.transposed:
            self.weight = self._reordered(self.weight)

    def _reordered(self, weight: Tensor) -> Tensor:
        around = ([1, 1], [self.stride] * 2, [1, 1], 1, None)
        reordered: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, *around)
        return reordered

    def __call__(
        self,
        x: Tensor,
        *,
        above: Tensor | None = None,
        x2: Tensor | None = None,
        x2_above: Tensor | None = None,
        residual: Tensor | None = None,
        residual_above: Tensor | None = None,
        top: bool = True,
        bottom: bool = True,
    ) -> Tensor:
        """``activation(conv(cat([x, x2])) + bias) + residual`` on the rows whose neighbours are all there.

        Args:
            x: ``[N, C, H, W]``, channels-last; may be a slice of channels.
            above: ``[N, C, A, W]``, the rows before those of ``x``; or None.
            x2, x2_above: further input channels, as ``x`` and ``above``.
            residual: ``[N, O, .., W]``, added after the activation, with ``residual_above`` before it: together the
                rows of the result.
            top, bottom: whether the first and last of these rows are the picture's, with zeros beyond; else they serve
                as neighbours only.

        Returns: ``[N, O, A + H - 2 + top + bottom, W]`` (transposed: twice the rows and columns), channels-last.
        """
        if self.method == "winograd":
            out: Tensor = torch.ops.lfdeblur.winograd_conv3x3(
                above,
                x,
                x2_above,
                x2,
                self.weight,
                self.bias,
                residual_above,
                residual,
                int(top),
                int(bottom),
                self.slope,
            )
            return out
        x = stacked(above, x)
        x = (x if x2 is None else torch.cat([x, stacked(x2_above, x2)], 1)).to(self.compute)
        residual = None if residual is None else stacked(residual_above, residual).to(self.compute)
        # oneDNN adds zeros on both sides or none. The result of a row that is a neighbour only is cut off again: that
        # takes less than a padded copy of the input.
        padding, cut = int(top or bottom), (0, 0)
        if self.transposed:
            padding, cut = 1, (2 * int(not top), 2 * int(not bottom))
        elif top != bottom and self.stride == 1:
            cut = (int(not top), int(not bottom))
        elif top != bottom:
            x, padding = F.pad(x, (0, 0, int(top), int(bottom))), 0
        out = convolution(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=(padding, 1),
            transposed=self.transposed,
            negative_slope=self.slope,
            residual=None if any(cut) else residual,
            layout=torch.channels_last,
        )
        if any(cut):
            out = out[:, :, cut[0] : out.shape[2] - cut[1]]
            out = out if residual is None else out.add_(residual)
        return out.to(self.dtype).contiguous(memory_format=torch.channels_last)


class PackedHead:
    """``drb_head`` of fixed weights on successive rows of one picture.

    Args: as those of ``drb_head``; weights and biases are cast to ``dtype``, that of the features.
    """

    def __init__(
        self,
        kernel_weight: Tensor,
        kernel_bias: Tensor | None,
        residual_weight: Tensor,
        residual_bias: Tensor | None,
        kernel_size: int,
        *,
        dtype: torch.dtype = torch.float32,
        negative_slope: float = 0.1,
    ) -> None:
        weights = (kernel_weight.flatten(1), kernel_bias, residual_weight.flatten(1), residual_bias)
        self.kernel_weight, self.kernel_bias, self.residual_weight, self.residual_bias = (
            None if w is None else w.detach().to(dtype, copy=True) for w in weights
        )
        self.kernel_size, self.slope = kernel_size, negative_slope
        self.method = "pytorch" if cpu_missing() else "fused"

    def __call__(
        self,
        kernel_features: Tensor,
        residual_features: Tensor,
        image: Tensor,
        first_row: int,
        low: float = -float("inf"),
        high: float = float("inf"),
    ) -> Tensor:
        """The rows from ``first_row`` on of ``drb_head``.

        Args:
            kernel_features, residual_features: ``[N, F, R, W]``, on the image's rows from ``first_row`` on.
            image: ``[N, C, H, W]`` contiguous, of their dtype or float32.
            first_row: of the result, in the image.
            low, high: bounds of the result.

        Returns: ``[N, C, R, W]`` contiguous, dtype of ``image``.
        """
        weights = (self.kernel_weight, self.kernel_bias, self.residual_weight, self.residual_bias)
        if self.method == "fused":
            out: Tensor = torch.ops.lfdeblur.drb_head_rows(
                kernel_features,
                *weights[:2],
                residual_features,
                *weights[2:],
                image,
                first_row,
                self.kernel_size,
                self.slope,
                low,
                high,
            )
            return out
        rows, radius = kernel_features.shape[2], self.kernel_size // 2
        begin, end = max(0, first_row - radius), min(image.shape[2], first_row + rows + radius)
        around = (0, 0, first_row - begin, end - first_row - rows)  # rows whose results are cut off again
        out = reference.drb_head(
            F.pad(kernel_features, around),
            *weights[:2],  # type: ignore[arg-type]
            F.pad(residual_features, around),
            *weights[2:],  # type: ignore[arg-type]
            image[:, :, begin:end],
            self.kernel_size,
            self.slope,
            low,
            high,
        )
        return out[:, :, first_row - begin : first_row - begin + rows]


def _winograd_fits(weight: Tensor, second: int) -> bool:
    outputs, channels = weight.shape[:2]
    whole = (channels - second) % 8 == 0 and second % 8 == 0 and outputs % 16 == 0
    return cpu_missing() is None and whole and weight.shape[2] == 3


def stacked(above: Tensor | None, x: Tensor) -> Tensor:
    """Rows of a picture and those above them, as one tensor."""
    return x if above is None else torch.cat([above, x], 2)
