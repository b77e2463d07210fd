"""Packed layers on bands of rows against the reference on the whole."""

import itertools

import pytest
import torch

from lfdeblur_ops import decompositions, drb_head, reference, row_layers
from lfdeblur_ops.row_layers import PackedConvolution, PackedHead
from lfdeblur_ops.testing import MANY_ROUNDINGS, TOL, TOL_HIDDEN

from .checks import draw

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
SLOPE = 0.1


@pytest.fixture(params=["extension", "plain"])
def extension(request, monkeypatch):
    """With the extension, and as where it is missing."""
    if request.param == "plain":
        monkeypatch.setattr(row_layers, "cpu_missing", lambda: "not here")
    else:  # its kernel in the narrow types, where the processor has a convolution of them too
        monkeypatch.setattr(row_layers, "fused", lambda dtype: dtype == torch.float32)
    return request.param == "extension"


def image_like(*shape, dtype):
    return draw(*shape, dtype=dtype, layout="channels_last")


def weights(*shape, fan):
    return torch.randn(shape) / fan**0.5, torch.randn(shape[1] if shape[2] == 4 else shape[0])


def expected(x, x2, weight, bias, residual, dtype, **options):
    wide = [None if t is None else t.double() for t in (x, x2, weight, bias, residual)]
    return reference.conv3x3(*wide, options.get("stride", 1), SLOPE).to(dtype)


def check(got, want, dtype):
    assert got.dtype == dtype
    assert got.is_contiguous(memory_format=torch.channels_last)
    # Transforms of tiles add up the same products in another order: as a value between two layers.
    torch.testing.assert_close(got, want, **(TOL if dtype == torch.float32 else TOL_HIDDEN)[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (4, 4), (13, 34), (6, 150)], ids=str)
def test_whole_pictures(extension, dtype, size):
    x, x2 = image_like(2, 16, *size, dtype=dtype), image_like(2, 32, *size, dtype=dtype)
    residual = image_like(2, 48, *size, dtype=dtype)
    weight, bias = weights(48, 48, 3, 3, fan=48 * 9)
    layer = PackedConvolution(weight, bias, dtype=dtype, activation="leaky_relu", second=32)
    assert layer.method == (("winograd" if layer.compute == torch.float32 else "onednn") if extension else "pytorch")
    got = layer(x, x2=x2, residual=residual)
    check(got, expected(x, x2, weight, bias, residual, dtype), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("cuts", [(3,), (1,), (10,), (2, 4, 9), (4, 8)], ids=str)
def test_bands_of_rows_make_the_whole(extension, dtype, cuts):
    """Each band with the rows above it in a tensor of their own, as slices of channels."""
    parts = [image_like(1, 32, 11, 13, dtype=dtype)[:, 16:], image_like(1, 8, 11, 13, dtype=dtype)]
    residual = image_like(1, 16, 11, 13, dtype=dtype)
    weight, bias = weights(16, 24, 3, 3, fan=24 * 9)
    layer = PackedConvolution(weight, bias, dtype=dtype, activation="leaky_relu", second=8)
    bands = []
    for begin, end in zip((0, *cuts), (*cuts, 11), strict=True):
        middle = min(begin + 1, end)
        low, high = max(0, begin - 1), min(11, end + 1)
        above = max(low, middle - 1)
        bands.append(
            layer(
                parts[0][:, :, above:high],
                above=parts[0][:, :, low:above],
                x2=parts[1][:, :, above:high],
                x2_above=parts[1][:, :, low:above],
                residual=residual[:, :, middle:end],
                residual_above=residual[:, :, begin:middle],
                top=begin == 0,
                bottom=end == 11,
            )
        )
    check(torch.cat(bands, 2), expected(*parts, weight, bias, residual, dtype), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_layers_without_transforms(extension, dtype):
    x = image_like(1, 3, 10, 12, dtype=dtype)
    weight, bias = weights(8, 3, 3, 3, fan=27)
    layer = PackedConvolution(weight, bias, dtype=dtype, activation="leaky_relu", stride=2)
    assert layer.method == ("onednn" if extension else "pytorch")
    want = expected(x, None, weight, bias, None, dtype, stride=2)
    check(layer(x), want, dtype)
    bands = layer(x[:, :, :4], bottom=False), layer(x[:, :, 3:], top=False, bottom=False)
    check(torch.cat(bands, 2), want, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_transposed(extension, dtype):
    x, residual = image_like(2, 8, 5, 7, dtype=dtype), image_like(2, 4, 10, 14, dtype=dtype)
    weight, bias = weights(8, 4, 4, 4, fan=32)
    layer = PackedConvolution(weight, bias, dtype=dtype, activation="leaky_relu", stride=2, transposed=True)
    wide = [t.double() for t in (x, weight, bias, residual)]
    want = reference.conv_transpose4x4(*wide, SLOPE).to(dtype)
    check(layer(x, residual=residual), want, dtype)
    bands = (
        layer(x[:, :, :3], residual=residual[:, :, :4], bottom=False),
        layer(x[:, :, 1:4], residual=residual[:, :, 4:6], top=False, bottom=False),
        layer(x[:, :, 2:], residual=residual[:, :, 6:], top=False),
    )
    check(torch.cat(bands, 2), want, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("size", [(1, 1), (5, 9), (12, 40)], ids=str)
def test_head_on_rows(extension, dtype, size):
    kernels, residual = image_like(1, 8, *size, dtype=dtype), image_like(1, 6, *size, dtype=dtype)
    image = draw(1, 3, *size)
    tensors = (draw(25, 8) / 10, draw(25) / 10, draw(3, 6), draw(3))
    head = PackedHead(*tensors, 5, dtype=dtype)
    assert head.method == ("fused" if extension else "pytorch")
    narrow = [t.to(dtype) for t in tensors]
    want = drb_head(kernels, *narrow[:2], residual, *narrow[2:], image, 5, SLOPE, clip=(-1, 1))
    cuts = [c for c in (0, 1, 5, size[0]) if c <= size[0]]
    for begin, end in itertools.pairwise(cuts):
        got = head(kernels[:, :, begin:end], residual[:, :, begin:end], image, begin, -1.0, 1.0)
        torch.testing.assert_close(got, want[:, :, begin:end])


def test_values_that_are_not_finite_stay_in_their_tiles():
    x = image_like(1, 8, 16, 16, dtype=torch.float32)
    x[0, 0, 0, 0] = float("nan")
    weight, bias = weights(16, 8, 3, 3, fan=72)
    got = PackedConvolution(weight, bias)(x)
    assert got[..., 5:, 5:].isfinite().all()
    assert got[0, 0, 0, 0].isnan()


def test_the_weights_are_copied():
    weight, bias = weights(16, 8, 3, 3, fan=72)
    x = image_like(1, 8, 5, 5, dtype=torch.float32)
    layers = [PackedConvolution(weight, bias, stride=stride) for stride in (1, 2)]
    before = [layer(x) for layer in layers]
    weight.zero_(), bias.zero_()
    for layer, want in zip(layers, before, strict=True):
        torch.testing.assert_close(layer(x), want, rtol=0, atol=0)


def test_bad_layers_are_refused():
    weight, bias = weights(16, 8, 3, 3, fan=72)
    with pytest.raises(RuntimeError, match=r"weight: got shape \[16, 8, 3, 3\] on cpu, want .* on the CPU"):
        PackedConvolution(weight, bias, transposed=True)
    with pytest.raises(ValueError, match="stride: got 3, want 1 or 2"):
        PackedConvolution(weight, bias, stride=3)
    with pytest.raises(ValueError, match="activation"):
        PackedConvolution(weight, bias, activation="relu")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"x": torch.zeros(1, 8, 5, 5)}, "x: want channels-last"),
        ({"x": torch.zeros(1, 8, 5, 5).double().contiguous(memory_format=torch.channels_last)}, "want float32"),
        ({"above": torch.zeros(1, 8, 2, 4).contiguous(memory_format=torch.channels_last)}, "above: want shape"),
        ({"residual": torch.zeros(1, 16, 4, 5).contiguous(memory_format=torch.channels_last)}, "residual: want shape"),
        ({"weight": torch.zeros(36, 1, 16, 16)}, "weight: want shape"),
        ({"weight": torch.zeros(36, 1, 8, 16).double()}, "weight: want contiguous float32"),
        ({"bias": torch.zeros(8)}, "bias: want shape"),
        ({"pad_top": 2}, "pad_top, pad_bottom: want 0 or 1"),
    ],
)
def test_direct_calls_are_memory_safe(change, text):
    arguments = {
        "above": None,
        "x": torch.zeros(1, 8, 5, 5).contiguous(memory_format=torch.channels_last),
        "x2_above": None,
        "x2": None,
        "weight": torch.zeros(36, 1, 8, 16),
        "bias": None,
        "residual_above": None,
        "residual": None,
        "pad_top": 1,
        "pad_bottom": 1,
        "negative_slope": 0.1,
    } | change
    with pytest.raises(RuntimeError, match=text):
        torch.ops.lfdeblur.winograd_conv3x3(*arguments.values())


def test_decompositions():
    table, ours = decompositions(), torch.ops.lfdeblur

    def tall(*shape):
        return torch.randn(shape).contiguous(memory_format=torch.channels_last)

    packed = ours.winograd_weight(torch.randn(16, 24, 3, 3) * 0.1, False)
    for arguments in (
        (
            *(tall(1, 16, 2, 7), tall(1, 16, 5, 7), tall(1, 8, 2, 7), tall(1, 8, 5, 7), packed, torch.randn(16)),
            *(tall(1, 16, 2, 7), tall(1, 16, 4, 7), 1, 0, 0.1),
        ),
        (None, tall(1, 24, 5, 7), None, None, packed, None, None, None, 1, 1, 1.0, tall(1, 24, 5, 7), 0.2),
    ):
        want = ours.winograd_conv3x3(*arguments)
        got = table[ours.winograd_conv3x3.default](*arguments)
        torch.testing.assert_close(got, want, rtol=MANY_ROUNDINGS, atol=MANY_ROUNDINGS)
        assert got.stride() == want.stride()
    weights = (torch.randn(9, 8) * 0.1, torch.randn(9) * 0.1)
    for first_row in (0, 2, 5):
        arguments = (tall(1, 8, 3, 7), *weights, tall(1, 6, 3, 7), torch.randn(3, 6), torch.randn(3))
        arguments = (*arguments, torch.randn(1, 3, 8, 7), first_row, 3, 0.1, -1.0, 1.0)
        got = table[ours.drb_head_rows.default](*arguments)
        torch.testing.assert_close(got, ours.drb_head_rows(*arguments), rtol=MANY_ROUNDINGS, atol=MANY_ROUNDINGS)
