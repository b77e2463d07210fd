"""``conv_transpose4x4`` against PyTorch's transposed convolution, activation and addition one after the other."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from lfdeblur_ops import conv_transpose4x4

from ._convolutions import FORMS, SLOPE, TOLERANCE, TOLERANCE_BACKWARD, activated, drawn, sides
from ._harness import Case, Unavailable, pytest_case


def ours(x, weight, bias, skip):
    return conv_transpose4x4(x, weight, bias, activation="leaky_relu", residual=skip, negative_slope=SLOPE)


def plain(x, weight, bias, skip):
    return activated(F.conv_transpose2d(x, weight, bias, 2, 1)) + skip


def build(shape, outputs, dtype, device, backward, rivals):
    if dtype == torch.bfloat16 and device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise Unavailable("this processor has no fast bfloat16 convolution (it takes AVX-512)")
    n, channels, height, width = shape
    tensors = [
        drawn(*shape, seed=0),
        drawn(channels, outputs, 4, 4, seed=1, scale=(4 * channels) ** -0.5),
        drawn(outputs, seed=2),
        drawn(n, outputs, 2 * height, 2 * width, seed=3),
    ]
    return sides(ours, plain, plain, tensors, dtype, device, backward=backward, rivals=rivals)


def case(shape, outputs, dtype, device, *, backward=False, rivals=FORMS):
    n, channels, height, width = shape
    pixels = n * height * width
    moved = pixels * (channels + 8 * outputs) + 16 * channels * outputs
    label = f"{channels}->{outputs} {height}x{width}"
    return Case(
        op="conv_transpose4x4",
        shape=label if n == 1 else f"{n}x {label}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, shape, outputs, dtype, device, backward, rivals),
        moved=moved * torch.empty((), dtype=dtype).element_size() * (3 if backward else 1),
        operations=2 * 16 * channels * outputs * pixels * (3 if backward else 1),
        mode="forward+backward" if backward else "forward",
        arithmetic=str(dtype)[6:],
        tolerance=(TOLERANCE_BACKWARD if backward else TOLERANCE)[dtype],
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module."""
    quick = device == "cpu" and not full
    rivals = FORMS[:2] if quick else FORMS
    yield case((1, 64, 128, 128), 32, torch.float32, device, rivals=rivals)
    if not quick:
        yield case((1, 64, 128, 128), 32, torch.float32, device, backward=True)
        for dtype in (torch.float32, torch.bfloat16):
            yield case((1, 64, 360, 640), 32, dtype, device)
            yield case((1, 256, 90, 160), 128, dtype, device)


@pytest.mark.parametrize("backward", [False, True])
def test_conv_transpose4x4(benchmark, backward):
    pytest_case(benchmark, case((1, 8, 6, 7), 16, torch.float32, "cpu", backward=backward))
