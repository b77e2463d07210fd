"""Layers of fixed weights on the CPU, packed once, run on successive rows of one picture: for inference engines."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import _load, reference
from ._checks import slope_of
from ._dispatch import cpu_missing
from ._layouts import empty_output
from ._onednn import HALF, fused


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
        self.compute = torch.float32 if dtype in HALF and not fused(dtype) else dtype
        weight = weight.detach().to(self.compute, copy=True)
        self.bias = None if bias is None else bias.detach().to(self.compute, copy=True)
        if stride == 1 and self.compute == torch.float32 and _winograd_fits(weight, second):
            self.method, self.weight = "winograd", torch.ops.lfdeblur.winograd_weight(weight.contiguous(), False)
        else:
            self.method = "onednn" if cpu_missing() is None and fused(self.compute) else "pytorch"
            self.weight = weight
        self._reorder()

    def _reorder(self) -> None:
        """For oneDNN once more as it lays the weight out itself, which can be neither traced, copied nor pickled."""
        self.reordered = self.weight
        if self.method == "onednn" and not self.transposed:
            around = ([1, 1], [self.stride] * 2, [1, 1], 1, None)
            self.reordered = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *around)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "reordered"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reorder()

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
        out = self._convolve(x, padding, None if any(cut) else residual)
        if any(cut):
            out = out[:, :, cut[0] : out.shape[2] - cut[1]]
            out = out if residual is None else out.add_(residual)
        return out.to(self.dtype).contiguous(memory_format=torch.channels_last)

    def _convolve(self, x: Tensor, rows_of_zeros: int, residual: Tensor | None) -> Tensor:
        if self.method == "onednn":
            weight = self.weight if torch.compiler.is_compiling() else self.reordered
            out: Tensor = torch.ops.lfdeblur.convolution(
                x, weight, self.bias, residual, self.stride, rows_of_zeros, self.transposed, self.slope
            )
            return out
        convolve = F.conv_transpose2d if self.transposed else F.conv2d
        out = F.leaky_relu_(convolve(x, self.weight, self.bias, self.stride, (rows_of_zeros, 1)), self.slope)
        return out if residual is None else out.add_(residual)


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
        low: float | None = None,
        high: float | None = None,
    ) -> Tensor:
        """The rows from ``first_row`` on of ``drb_head``.

        Args:
            kernel_features, residual_features: ``[N, F, R, W]``, on the image's rows from ``first_row`` on.
            image: ``[N, C, H, W]`` contiguous, of their dtype or float32.
            first_row: of the result, in the image.
            low, high: bounds of the result; None: there is none.

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


if _load.extension is not None:

    @torch.library.register_fake("lfdeblur::convolution")
    def _(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        residual: Tensor | None,
        stride: int,
        pad_rows: int,
        transposed: bool,
        negative_slope: float,
    ) -> Tensor:
        n, _, h, w = x.shape
        size = (2 * h, 2 * w) if transposed else ((h + 2 * pad_rows - 3) // stride + 1, (w - 1) // stride + 1)
        return empty_output(x, (n, weight.shape[1 if transposed else 0], *size), torch.channels_last)

    @torch.library.register_fake("lfdeblur::drb_head_rows")
    def _(kernel_features, kernel_weight, kernel_bias, residual_features, residual_weight, residual_bias, image, *rest):  # type: ignore[no-untyped-def]
        n, c, _, w = image.shape
        return image.new_empty((n, c, kernel_features.shape[2], w))
