"""DRBNet as an ONNX graph of standard operators, written node by node from a state dict.

By hand, since PyTorch's exporter gives opset 18 at least, and for opset 17 an opset 18 without an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..networks.blocks import SLOPE
from ..networks.configuration import Configuration

COLOURS = 3
HEIGHT, WIDTH = 2, 3  # axes


class Nodes:
    """Nodes in the order in which they run, and their constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; the name of its output, of several a list."""
        name = f"{operator}_{len(self.nodes)}"
        names = [f"{name}.{index}" if outputs > 1 else name for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=name, **attributes))
        return names if outputs > 1 else names[0]

    def constant(self, value: np.ndarray, name: str | None = None) -> str:
        """A tensor of the graph; equal ones without a name are there once."""
        if name is None:
            key = str(value.dtype), value.shape, value.tobytes()
            name = self._names.setdefault(key, f"constant_{len(self._names)}")
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def integers(self, *values: int) -> str:
        """A vector of int64, as shapes are."""
        return self.constant(np.array(values, np.int64))


class Network(Nodes):
    """The layers of a DRBNet, added one after the other; each method takes and gives names of tensors.

    Args:
        configuration: of the network.
        state: its state dict, as arrays of the type that features are to have, float32 or float16.
    """

    def __init__(self, configuration: Configuration, state: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self.configuration, self.state = configuration, state
        self.narrow = next(iter(state.values())).dtype == np.float16

    def restored(self, center: str, left: str | None = None, right: str | None = None) -> str:
        """The whole network: pictures in [0, 1] of any size, to one of [0, 1]."""
        configuration = self.configuration
        sides = [self.add("Shape", center, start=axis, end=axis + 1) for axis in (HEIGHT, WIDTH)]
        picture = self._signed(center, sides)
        features = picture
        if left is not None and right is not None:
            features = self._signed(self.add("Concat", right, left, axis=1), sides)
        features = self._cast(features, TensorProto.FLOAT16)
        skips = []
        for level in range(configuration.scales):
            for layer in range(3):
                stride = 2 if level > 0 and layer == 0 else 1
                features = self._active(f"encoder.{level}.{layer}", features, stride)
            skips.append(features)
        skips.pop()
        features = self._active("bottleneck.0", features)
        features = self._block("bottleneck.1", features)
        features = self._block("bottleneck.2", features)
        features = self._active("bottleneck.3", features)
        scales = configuration.restored_scales
        side = 1 << (scales - 1)
        if side > 1:
            picture = self.add("AveragePool", picture, kernel_shape=[side, side], strides=[side, side])
        for level in reversed(range(configuration.scales)):
            if level < configuration.scales - 1:
                features = self._up(f"decoder.{level}", features, skips.pop())
            if level < scales - 1:
                picture = self._doubled(picture)
            if level < scales:
                picture = self._restore(f"restore.{level}", picture, features)
        return self._unsigned(picture, sides)

    def _signed(self, picture: str, sides: Sequence[str]) -> str:
        """From [0, 1] to [-1, 1], reflected at the bottom and right up to multiples; tiny pictures to and fro."""
        picture = self.add("Sub", self.add("Mul", picture, self._number(2)), self._number(1))
        multiple = self.configuration.multiple
        if multiple == 1:
            return picture
        one, several = self.integers(1), self.integers(multiple)
        for axis, side in zip((HEIGHT, WIDTH), sides, strict=True):
            last = self.add("Sub", side, one)
            count = self.add("Mul", self.add("Div", self.add("Add", last, several), several), several)
            zero, step = self.constant(np.array(0, np.int64)), self.constant(np.array(1, np.int64))
            index = self.add("Range", zero, self.add("Squeeze", count, self.integers(0)), step)
            period = self.add("Max", self.add("Mul", last, self.integers(2)), one)
            away = self.add("Abs", self.add("Sub", self.add("Mod", index, period), last))
            picture = self.add("Gather", picture, self.add("Sub", last, away), axis=axis)
        return picture

    def _unsigned(self, picture: str, sides: Sequence[str]) -> str:
        """As it was before ``_signed``: cut to its size, and in [0, 1]."""
        if self.configuration.multiple > 1:
            size = self.add("Concat", *sides, axis=0)
            picture = self.add("Slice", picture, self.integers(0, 0), size, self.integers(HEIGHT, WIDTH))
        picture = self.add("Mul", self.add("Add", picture, self._number(1)), self._number(0.5))
        return self.add("Clip", picture, self._number(0), self._number(1))

    def _convolution(self, name: str, x: str, stride: int = 1) -> str:
        weight = self.state[f"{name}.weight"]
        side = weight.shape[-1]
        return self.add(
            "Conv",
            x,
            *self._weights(name),
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[side // 2] * 4,
        )

    def _active(self, name: str, x: str, stride: int = 1) -> str:
        return self._leaky(self._convolution(name, x, stride))

    def _leaky(self, x: str) -> str:
        return self.add("LeakyRelu", x, alpha=SLOPE)

    def _block(self, name: str, x: str) -> str:
        return self.add("Add", x, self._convolution(f"{name}.conv2", self._active(f"{name}.conv1", x)))

    def _up(self, name: str, x: str, skip: str) -> str:
        up = self.add(
            "ConvTranspose",
            x,
            *self._weights(f"{name}.up"),
            kernel_shape=[4, 4],
            strides=[2, 2],
            pads=[1] * 4,
        )
        x = self.add("Add", self._leaky(up), skip)
        return self._block(f"{name}.blocks.1", self._block(f"{name}.blocks.0", x))

    def _doubled(self, picture: str) -> str:
        return self.add(
            "Resize",
            picture,
            "",
            self.constant(np.array([1, 1, 2, 2], np.float32)),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def _restore(self, name: str, picture: str, features: str) -> str:
        """The dynamic residual block."""
        narrow = self._cast(picture, TensorProto.FLOAT16)
        of_picture = narrow
        for layer in range(3):
            of_picture = self._active(f"{name}.image.{layer}", of_picture)
        joint = self.add("Concat", features, of_picture, axis=1)
        heads = {}
        for branch in ("filters", "residual"):
            hidden = self._active(f"{name}.{branch}.1", self._active(f"{name}.{branch}.0", joint))
            heads[branch] = self._convolution(f"{name}.{branch}.2", hidden)
        change = self.add("Add", self._filtered(narrow, heads["filters"]), self._leaky(heads["residual"]))
        return self.add("Add", picture, self._cast(change, TensorProto.FLOAT))

    def _filtered(self, picture: str, kernels: str) -> str:
        """Each pixel with its own kernel, row of taps by row of taps.

        A convolution with one-hot kernels lays the neighbours along a row side by side; they are multiplied with the
        kernels, and a convolution with ones adds them up. Of the forms that were measured within a few percent of the
        fastest in both runtimes, and in little memory (docs/export.md).
        """
        side = self.configuration.kernel_size
        around, kind = side // 2, np.float16 if self.narrow else np.float32
        if side > 1:
            picture = self.add("Pad", picture, self.integers(0, 0, around, around, 0, 0, around, around), mode="edge")
        one_hot = np.tile(np.eye(side, dtype=kind).reshape(side, 1, 1, side), (COLOURS, 1, 1, 1))
        beside, ones = self.constant(one_hot, "one_hot"), self.constant(np.ones((COLOURS, side, 1, 1), kind), "ones")
        rows = (
            self.add("Split", kernels, self.integers(*[side] * side), axis=1, outputs=side) if side > 1 else [kernels]
        )
        height, total = self.add("Shape", kernels, start=HEIGHT, end=HEIGHT + 1), ""
        for row, weights in enumerate(rows):
            first = self.integers(row)
            part = self.add("Slice", picture, first, self.add("Add", first, height), self.integers(HEIGHT))
            part = self.add("Conv", part, beside, group=COLOURS, kernel_shape=[1, side])
            part = self.add("Mul", part, self.add("Concat", *[weights] * COLOURS, axis=1))
            part = self.add("Conv", part, ones, group=COLOURS, kernel_shape=[1, 1])
            total = self.add("Add", total, part) if total else part
        return total

    def _weights(self, name: str) -> list[str]:
        return [self.constant(self.state[key], key) for key in (f"{name}.weight", f"{name}.bias")]

    def _number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def _cast(self, x: str, to: int) -> str:
        return self.add("Cast", x, to=to) if self.narrow else x
