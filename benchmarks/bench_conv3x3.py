"""``conv3x3`` against PyTorch's convolution, activation and concatenation one after the other."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from lfdeblur_ops import conv3x3

from ._convolutions import FORMS, SLOPE, TOLERANCE, TOLERANCE_BACKWARD, activated, drawn, sides
from ._harness import Case, Unavailable, pytest_case


def ours(x, x2, weight, bias, *, stride):
    return conv3x3(x, weight, bias, activation="leaky_relu", x2=x2, stride=stride, negative_slope=SLOPE)


def plain(x, x2, weight, bias, *, stride):
    return activated(F.conv2d(torch.cat([x, x2], 1), weight, bias, stride, 1))


def build(shape, second, outputs, stride, dtype, device, backward, rivals):
    if dtype == torch.bfloat16 and device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise Unavailable("this processor has no fast bfloat16 convolution (it takes AVX-512)")
    n, channels, height, width = shape
    first = channels - second
    fan = 9 * channels
    tensors = [drawn(n, first, height, width, seed=0)]
    tensors += [drawn(n, second, height, width, seed=1)] if second else []
    tensors += [drawn(outputs, channels, 3, 3, seed=2, scale=fan**-0.5), drawn(outputs, seed=3)]

    def called(function):
        if second:
            return partial(function, stride=stride)
        return lambda x, weight, bias: function(x, None, weight, bias, stride=stride)

    def one(x, x2, weight, bias, *, stride):
        return plain(x, x2, weight, bias, stride=stride) if second else activated(F.conv2d(x, weight, bias, stride, 1))

    return sides(called(ours), called(one), called(one), tensors, dtype, device, backward=backward, rivals=rivals)


def case(shape, outputs, dtype, device, *, second=0, stride=1, backward=False, rivals=FORMS):
    n, channels, height, width = shape
    size = torch.empty((), dtype=dtype).element_size()
    pixels = n * (height // stride) * (width // stride)
    moved = n * channels * height * width + pixels * outputs + 9 * channels * outputs
    label = f"{channels}->{outputs} {height}x{width}" + (f" stride {stride}" if stride > 1 else "")
    label += " two inputs" if second else ""
    return Case(
        op="conv3x3",
        shape=label if n == 1 else f"{n}x {label}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, shape, second, outputs, stride, dtype, device, backward, rivals),
        moved=moved * size * (3 if backward else 1),
        operations=2 * 9 * channels * outputs * pixels * (3 if backward else 1),
        mode="forward+backward" if backward else "forward",
        arithmetic=str(dtype)[6:],
        tolerance=(TOLERANCE_BACKWARD if backward else TOLERANCE)[dtype],
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module."""
    quick = device == "cpu" and not full
    rivals = FORMS[:2] if quick else FORMS
    yield case((1, 64, 256, 256), 64, torch.float32, device, rivals=rivals)
    yield case((1, 64, 128, 128), 64, torch.float32, device, backward=True, rivals=rivals)
    if not quick:
        for dtype in (torch.float32, torch.bfloat16):
            yield case((1, 3, 720, 1280), 32, dtype, device)
            yield case((1, 32, 720, 1280), 32, dtype, device)
            yield case((1, 64, 720, 1280), 128, dtype, device, second=32)
            yield case((1, 32, 720, 1280), 64, dtype, device, stride=2)
            yield case((1, 128, 180, 320), 128, dtype, device)
            yield case((1, 256, 90, 160), 256, dtype, device)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("options", [{}, {"second": 4}, {"stride": 2}], ids=str)
def test_conv3x3(benchmark, options, backward):
    pytest_case(benchmark, case((1, 8, 12, 14), 16, torch.float32, "cpu", backward=backward, **options))
