"""``residual_block`` against PyTorch's convolutions, activation and addition, and against two ``conv3x3``."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from lfdeblur_ops import conv3x3, residual_block

from ._convolutions import FORMS, SLOPE, TOLERANCE, TOLERANCE_BACKWARD, activated, drawn, laid_out, sides
from ._convolutions import without_gradients as forward
from ._harness import Case, Unavailable, pytest_case

TWO = "two conv3x3"


def plain(x, weight1, bias1, weight2, bias2):
    return x + F.conv2d(activated(F.conv2d(x, weight1, bias1, padding=1)), weight2, bias2, padding=1)


def two(x, weight1, bias1, weight2, bias2):
    hidden = conv3x3(x, weight1, bias1, activation="leaky_relu", negative_slope=SLOPE)
    return conv3x3(hidden, weight2, bias2, residual=x)


def build(shape, dtype, device, backward, rivals):
    if dtype == torch.bfloat16 and device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise Unavailable("this processor has no fast bfloat16 convolution (it takes AVX-512)")
    channels = shape[1]
    tensors = [drawn(*shape, seed=0)]
    for seed in (1, 3):
        scale = (9 * channels) ** -0.5
        tensors += [drawn(channels, channels, 3, 3, seed=seed, scale=scale), drawn(channels, seed=seed + 1)]
    ours = partial(residual_block, negative_slope=SLOPE)
    made = sides(ours, plain, plain, tensors, dtype, device, backward=backward, rivals=rivals)
    if not backward:
        made.rivals[TWO] = forward(two, laid_out(tensors, dtype, device, True))
    return made


def case(shape, dtype, device, *, backward=False, rivals=FORMS):
    n, channels, height, width = shape
    pixels = n * height * width
    return Case(
        op="residual_block",
        shape=f"{channels} {height}x{width}" if n == 1 else f"{n}x {channels} {height}x{width}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, shape, dtype, device, backward, rivals),
        moved=(2 * pixels * channels + 18 * channels**2)
        * torch.empty((), dtype=dtype).element_size()
        * (3 if backward else 1),
        operations=2 * 18 * channels**2 * pixels * (3 if backward else 1),
        mode="forward+backward" if backward else "forward",
        arithmetic=str(dtype)[6:],
        tolerance=(TOLERANCE_BACKWARD if backward else TOLERANCE)[dtype],
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module."""
    quick = device == "cpu" and not full
    rivals = FORMS[:2] if quick else FORMS
    yield case((1, 32, 256, 256), torch.float32, device, rivals=rivals)
    if not quick:
        yield case((1, 32, 256, 256), torch.float32, device, backward=True)
        for dtype in (torch.float32, torch.bfloat16):
            yield case((1, 32, 720, 1280), dtype, device)
            yield case((1, 64, 360, 640), dtype, device)


@pytest.mark.parametrize("backward", [False, True])
def test_residual_block(benchmark, backward):
    pytest_case(benchmark, case((1, 8, 9, 11), torch.float32, "cpu", backward=backward))
