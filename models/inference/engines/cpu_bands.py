"""DRBNet on the CPU, band of rows by band of rows: what lies between two scales never exists as a whole.

Each layer keeps the last two rows that it has seen, so no row is computed twice; what is held as a whole are the skip
connections, one feature map of the coarser scale and the pictures.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lfdeblur_ops.row_layers import PackedConvolution, PackedHead, stacked

from ...networks import DRBNet
from ...networks.blocks import RANGE, SLOPE, DynamicResidual, reflect_to_multiple

BAND_BYTES = 8 << 20  # of the widest tensor of a band: with its neighbours it stays in the last-level cache
METHODS = {
    "winograd": "Winograd F(4x4, 3x3)",
    "onednn": "oneDNN, weights packed",
    "fused": "the fused kernel",
    "pytorch": "plain PyTorch",
}
LEAST_ROWS = 16  # more than the layers of a scale lag behind its first row


class Band(NamedTuple):
    """Rows ``begin`` to ``end`` of a scale."""

    begin: int
    end: int
    last: bool


def bands(height: int, rows: int) -> Iterator[Band]:
    for begin in range(0, height, rows):
        yield Band(begin, min(begin + rows, height), begin + rows >= height)


class ConvRows:
    """A 3x3 convolution on successive rows; but for the last, its result ends one row before its input."""

    def __init__(self, convolution: PackedConvolution) -> None:
        self.convolution = convolution
        self.above: Tensor | None = None
        self.x2_above: Tensor | None = None

    def __call__(self, x: Tensor, last: bool, x2: Tensor | None = None) -> Tensor:
        out = self.convolution(x, above=self.above, x2=x2, x2_above=self.x2_above, top=self.above is None, bottom=last)
        self.above, self.x2_above = _tail(x), None if x2 is None else _tail(x2)
        return out


class BlockRows:
    """A residual block on successive rows; but for the last, its result ends two rows before its input."""

    def __init__(self, convolutions: tuple[PackedConvolution, PackedConvolution]) -> None:
        self.first, self.second = convolutions
        self.above: Tensor | None = None
        self.hidden_above: Tensor | None = None

    def __call__(self, x: Tensor, last: bool) -> Tensor:
        above, top = self.above, self.above is None
        if above is not None and self.first.method != "winograd":  # it would be copied for each of the two
            x, above = stacked(above, x), None
        hidden = self.first(x, above=above, top=top, bottom=last)
        out = self.second(
            hidden,
            above=self.hidden_above,
            residual=x if last else x[:, :, :-2],
            residual_above=above,
            top=top,
            bottom=last,
        )
        self.above, self.hidden_above = _tail(x), _tail(hidden)
        return out


def _tail(x: Tensor) -> Tensor:
    """A copy, so that the band itself can go."""
    return x[:, :, -2:].clone(memory_format=torch.channels_last)


class RestoreRows:
    """A dynamic residual block on successive rows of its features."""

    def __init__(self, layers: "RestoreLayers", image: Tensor, clip: tuple[float, float] | None) -> None:
        self.layers, self.image = layers, image
        self.clip = () if clip is None else clip
        self.to_features = [ConvRows(layer) for layer in layers.image]
        self.both, self.filters, self.residual = (
            ConvRows(layer) for layer in (layers.both, layers.filters, layers.residual)
        )
        self.out = torch.empty_like(image)
        self.features = self.read = self.written = 0  # rows that came, were read of the picture, were written

    def __call__(self, features: Tensor, last: bool) -> None:
        height = self.image.shape[2]
        self.features += features.shape[2]
        # The picture's features lag by their layers: so many rows more are read that both end on the same one.
        until = height if last else min(height, self.features + len(self.to_features))
        rows = self.image[:, :, self.read : until].to(features.dtype).contiguous(memory_format=torch.channels_last)
        self.read = until
        for layer in self.to_features:
            rows = layer(rows, last)
        both = self.both(features, last, x2=rows)
        del features, rows
        wide = self.layers.wide
        for_filters, for_residual = self.filters(both[:, :wide], last), self.residual(both[:, wide:], last)
        del both
        restored = self.layers.head(for_filters, for_residual, self.image, self.written, *self.clip)
        self.out[:, :, self.written : self.written + restored.shape[2]] = restored
        self.written += restored.shape[2]


class RestoreLayers:
    """The layers of a ``DynamicResidual``; the first ones of its two branches are one convolution."""

    def __init__(self, block: DynamicResidual, dtype: torch.dtype) -> None:
        image, filters, residual = (_modules(part) for part in (block.image, block.filters, block.residual))
        channels = image[-1].out_channels  # as many as the features have
        self.image = [pack(layer, dtype) for layer in image]
        self.wide = filters[0].out_channels
        self.both = PackedConvolution(
            torch.cat([filters[0].weight, residual[0].weight]),
            torch.cat([filters[0].bias, residual[0].bias]),
            dtype=dtype,
            activation="leaky_relu",
            second=channels,
            negative_slope=SLOPE,
        )
        self.filters, self.residual = pack(filters[1], dtype), pack(residual[1], dtype)
        self.head = PackedHead(
            filters[2].weight,
            filters[2].bias,
            residual[2].weight,
            residual[2].bias,
            block.kernel_size,
            dtype=dtype,
            negative_slope=SLOPE,
        )
        self.widest = max(2 * channels, self.both.outputs, *(layer.outputs for layer in self.image))


class RowEngine:
    """A ``DRBNet`` packed for the CPU; it holds copies of the weights.

    Args:
        net: on the CPU.
        dtype: of the features between the layers; pictures are kept in float32 (float64 for float64).
    """

    def __init__(self, net: DRBNet, dtype: torch.dtype) -> None:
        self.dtype, self.multiple = dtype, net.multiple
        self.image_dtype = torch.promote_types(dtype, torch.float32)
        self.encoder = [[pack(layer, dtype) for layer in stage] for stage in _modules(net.encoder)]
        self.bottleneck = [self._pack(layer) for layer in _modules(net.bottleneck)]
        self.decoder = [
            (pack(level.up, dtype), [self._pack(block) for block in level.blocks]) for level in _modules(net.decoder)
        ]
        self.restore = [RestoreLayers(block, dtype) for block in _modules(net.restore)]

    def _pack(self, layer: nn.Module) -> Any:
        if isinstance(layer, nn.Conv2d):
            return pack(layer, self.dtype)
        block: Any = layer
        return pack(block.conv1, self.dtype, activation="leaky_relu"), pack(block.conv2, self.dtype, activation=None)

    def layers(self) -> list[PackedConvolution]:
        """Every convolution."""
        found: list[Any] = [layer for stage in self.encoder for layer in stage]
        blocks: list[Any] = [*self.bottleneck, *(part for up, parts in self.decoder for part in (up, *parts))]
        for part in blocks:
            found.extend(part if isinstance(part, tuple) else [part])
        for restore in self.restore:
            found.extend([*restore.image, restore.both, restore.filters, restore.residual])
        return found

    def choices(self) -> dict[str, str]:
        """What runs, in words."""
        methods = Counter(layer.method for layer in self.layers())
        computed = {str(layer.compute)[6:] for layer in self.layers()}
        return {
            "engine": f"bands of rows on the CPU, about {BAND_BYTES >> 20} MiB at the widest layer",
            "dtype": f"features {str(self.dtype)[6:]}, computed in {', '.join(sorted(computed))}; "
            f"pictures {str(self.image_dtype)[6:]}",
            "convolutions": ", ".join(f"{count} by {METHODS[name]}" for name, count in methods.most_common()),
            "merged": f"{len(self.restore)} pairs of sibling convolutions",
            "heads": METHODS[self.restore[0].head.method],
        }

    def __call__(self, center: Tensor, left: Tensor | None = None, right: Tensor | None = None) -> Tensor:
        """As ``DRBNet.forward``, picture by picture; the result has the dtype of the pictures inside."""
        out = torch.empty(center.shape, dtype=self.image_dtype)
        for n in range(center.shape[0]):
            inputs = [None if view is None else view[n : n + 1] for view in (center, left, right)]
            out[n : n + 1] = self._picture(*inputs)  # type: ignore[arg-type]
        return out

    def _picture(self, center: Tensor, left: Tensor | None, right: Tensor | None) -> Tensor:
        height, width = center.shape[2:]
        padded = reflect_to_multiple(center, self.multiple)
        seen = padded
        if left is not None and right is not None:
            seen = torch.cat([reflect_to_multiple(view, self.multiple) for view in (right, left)], 1)
        image = F.avg_pool2d(padded.to(self.image_dtype), self.multiple)
        del padded
        skips: list[Tensor] = []
        features = seen.to(self.dtype)
        del seen
        for stage in self.encoder:
            features = self._encode(stage, features)
            skips.append(features)
        for level in reversed(range(len(self.restore))):
            skip = skips.pop()
            if level < len(self.decoder):
                image = F.interpolate(image, scale_factor=2.0, mode="nearest")
            image, features = self._decode(level, skip, features, image)
            del skip
        return image[..., :height, :width]

    def _rows(self, channels: int, width: int) -> int:
        bytes_per_row = channels * width * torch.empty((), dtype=self.dtype).element_size()
        return max(LEAST_ROWS, BAND_BYTES // bytes_per_row // 8 * 8)

    def _encode(self, stage: list[PackedConvolution], x: Tensor) -> Tensor:
        first, *others = stage
        n, _, height, width = x.shape
        step = first.stride
        shape = (n, first.outputs, height // step, width // step)
        out = _empty_rows(x, shape)
        chain, written = [ConvRows(layer) for layer in others], 0
        for band in bands(shape[2], self._rows(first.outputs, shape[3])):
            begin, end = max(0, step * band.begin - 1), min(height, step * band.end + 2 - step)
            rows = x[:, :, begin:end].contiguous(memory_format=torch.channels_last)
            # With a stride of 2 the last window ends on the last row: no zeros are read, and packed layers are fastest
            # with the same on both sides.
            bottom = band.last if step == 1 else band.begin == 0
            rows = first(rows, top=band.begin == 0, bottom=bottom)
            for layer in chain:
                rows = layer(rows, band.last)
            out[:, :, written : written + rows.shape[2]] = rows
            written += rows.shape[2]
        return out

    def _decode(self, level: int, skip: Tensor, coarser: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Picture and features of a scale; the finest scale's features are not kept."""
        lowest = level == len(self.decoder)
        blocks = self.bottleneck if lowest else self.decoder[level][1]
        chain = [BlockRows(part) if isinstance(part, tuple) else ConvRows(part) for part in blocks]
        restore = self.restore[level]
        restored = RestoreRows(restore, image, RANGE if level == 0 else None)
        kept = _empty_rows(skip, skip.shape) if level > 0 else skip
        height, width = skip.shape[2:]
        written = 0
        for band in bands(height, self._rows(restore.widest, width)):
            if lowest:
                rows = skip[:, :, band.begin : band.end]
            else:
                begin, end = max(0, band.begin // 2 - 1), min(height // 2, band.end // 2 + 1)
                rows = self.decoder[level][0](
                    coarser[:, :, begin:end],
                    residual=skip[:, :, band.begin : band.end],
                    top=band.begin == 0,
                    bottom=band.last,
                )
            for part in chain:
                rows = part(rows, band.last)
            if level > 0:
                kept[:, :, written : written + rows.shape[2]] = rows
                written += rows.shape[2]
            restored(rows, band.last)
        return restored.out, kept


def pack(layer: nn.Module, dtype: torch.dtype, activation: str | None = "leaky_relu") -> PackedConvolution:
    """A convolution of the network."""
    convolution: Any = layer
    return PackedConvolution(
        convolution.weight,
        convolution.bias,
        dtype=dtype,
        activation=activation,
        stride=convolution.stride[0],
        transposed=isinstance(convolution, nn.ConvTranspose2d),
        negative_slope=SLOPE,
    )


def _empty_rows(like: Tensor, shape: tuple[int, ...] | torch.Size) -> Tensor:
    return torch.empty(tuple(shape), dtype=like.dtype, memory_format=torch.channels_last)


def _modules(modules: Any) -> list[Any]:
    return list(modules)
