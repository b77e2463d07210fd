"""The layers of ``lfdeblur_ops.modules`` against their published formulas in plain PyTorch, in float64."""

import pytest
import torch
import torch.nn.functional as F

import lfdeblur_ops
from lfdeblur_ops import FAC, Carafe, ConvexUpsample, DynamicFilter, Involution, KernelWeighting, dynamic_filter
from lfdeblur_ops.testing import TOL, compare


def rand(*shape):
    return torch.randn(shape, dtype=torch.float64)


def patches(x, k, *, dilation=1, stride=1, mode="constant"):
    """``[N, C, k*k, H', W']``"""
    reach = dilation * (k // 2)
    rows, columns = ((size - 1) // stride + 1 for size in x.shape[-2:])
    columns_of = F.unfold(F.pad(x, (reach,) * 4, mode=mode), k, dilation=dilation, stride=stride)
    return columns_of.view(x.shape[0], x.shape[1], k * k, rows, columns)


def equal(theirs, ours, *inputs):
    """Outputs and gradients."""
    result = compare(theirs, ours, inputs, seconds=0.0)
    assert result.ok, result
    assert result.backward is not None


def test_dynamic_filter():
    options = {"dilation": 2, "border": "reflect", "normalize": "softmax", "layout": "taps_first", "interleaved": True}
    layer = DynamicFilter(3, **options)
    x, filters = rand(2, 4, 7, 9), rand(2, 9, 2, 7, 9)

    def published(x, filters):
        taps = filters.softmax(1).transpose(1, 2).repeat(1, 2, 1, 1, 1)
        return (patches(x, 3, dilation=2, mode="reflect") * taps).sum(2)

    equal(published, layer, x, filters)
    bias = rand(4)
    torch.testing.assert_close(layer(x, filters, bias), layer(x, filters) + bias[:, None, None], **TOL[torch.float64])
    assert "dilation=2" in repr(layer)
    assert "interleaved=True" in repr(layer)


@pytest.mark.parametrize(
    ("options", "shape"),
    [({"stride": 2}, (1, 9, 3, 4)), ({"scale": 2}, (1, 36, 6, 8)), ({"groups": 2}, (1, 18, 6, 8))],
    ids=str,
)
def test_dynamic_filter_passes_on_every_option(options, shape):
    x, filters = rand(1, 4, 6, 8), rand(*shape)
    torch.testing.assert_close(DynamicFilter(3, **options)(x, filters), dynamic_filter(x, filters, 3, **options))


@pytest.mark.parametrize("shared", [False, True])
def test_fac(shared):
    x, kernel = rand(2, 3, 6, 7), rand(2, 25 if shared else 75, 6, 7)

    def published(x, kernel):
        return (patches(x, 5, mode="replicate") * kernel.unflatten(1, (-1, 25))).sum(2)

    equal(published, FAC(5), x, kernel)
    equal(published, FAC(kernel_size=5), x.transpose(2, 3), kernel.transpose(2, 3))


@pytest.mark.parametrize("normalize", [None, "softmax", "sum"])
def test_kernel_weighting(normalize):
    data, weights = rand(2, 3, 6, 7), rand(2, 3, 5, 6, 7).abs()

    def published(data, weights):
        taps = weights.flatten(1, 2)
        taps = taps.softmax(1) if normalize == "softmax" else taps / taps.sum(1, True) if normalize else taps
        windows = F.pad(data, (2, 2, 1, 1)).unfold(2, 3, 1).unfold(3, 5, 1).flatten(4)  # [N, C, H, W, k*k]
        return torch.einsum("nchwt,nthw->nchw", windows, taps), taps.sum(1)

    equal(published, KernelWeighting(normalize), data, weights)


@pytest.mark.parametrize(
    ("data", "weights", "error", "text"),
    [
        (None, rand(1, 3, 3, 4, 4), TypeError, "data: got NoneType, want a tensor"),
        (
            rand(1, 2, 4, 4),
            rand(1, 9, 4, 4),
            RuntimeError,
            r"weights: got shape \[1, 9, 4, 4\], want \[1, kh, kw, 4, 4\]",
        ),
        (rand(2, 4, 4), rand(1, 3, 3, 4, 4), RuntimeError, r"data: got shape \[2, 4, 4\], want 4 axes \[N, C, H, W\]"),
        (rand(1, 2, 4, 4), rand(1, 2, 3, 4, 4), RuntimeError, "weights: got .* kh and kw odd, to 51"),
        (rand(1, 2, 4, 4), rand(1, 3, 53, 4, 4), RuntimeError, "weights: got .* kh and kw odd, to 51"),
        (rand(1, 2, 4, 4), rand(1, 3, 3, 4, 5), RuntimeError, r"weights: .* for data \[1, 2, 4, 4\]"),
        (rand(3, 2, 4, 4), rand(2, 3, 3, 4, 4), RuntimeError, r"weights: .* want \[3 or 1, kh, kw, 4, 4\]"),
        (
            rand(1, 2, 4, 4),
            rand(1, 3, 3, 4, 4).float(),
            TypeError,
            "weights: got dtype torch.float32, want that of data",
        ),
    ],
)
def test_kernel_weighting_refuses(data, weights, error, text):
    with pytest.raises(error, match=text):
        KernelWeighting()(data, weights)


def test_convex_upsample_as_raft_has_it():
    flow, mask = rand(2, 2, 5, 6), rand(2, 9 * 64, 5, 6)

    def published(flow, mask):
        weights = mask.view(2, 1, 9, 8, 8, 5, 6).softmax(2)
        fine = (weights * patches(8 * flow, 3)[:, :, :, None, None]).sum(2)  # [N, 2, 8, 8, H, W]
        return fine.permute(0, 1, 4, 2, 5, 3).reshape(2, 2, 40, 48)

    equal(published, ConvexUpsample(), flow, mask)


def test_convex_upsample_as_igev_has_it():
    disparity, weights = rand(1, 1, 5, 6), rand(1, 9, 20, 24)

    def published(disparity, weights):
        coarse = patches(disparity, 3)[:, 0]
        return (F.interpolate(coarse, scale_factor=4, mode="nearest") * weights).sum(1, keepdim=True)

    equal(published, ConvexUpsample(4, gain=1, normalize=None), disparity, weights)


@pytest.mark.parametrize("group", [1, 2])
def test_carafe(group):
    layer = Carafe(4, 2, up_group=group, compressed_channels=8).double()
    torch.nn.init.normal_(layer.content_encoder.weight)
    parameters = dict(layer.named_parameters())
    assert {name: list(p.shape) for name, p in parameters.items()} == {
        "channel_compressor.weight": [8, 4, 1, 1],
        "channel_compressor.bias": [8],
        "content_encoder.weight": [100 * group, 8, 3, 3],
        "content_encoder.bias": [100 * group],
    }

    def published(x):
        squeezed = F.conv2d(x, layer.channel_compressor.weight, layer.channel_compressor.bias)
        taps = F.conv2d(squeezed, layer.content_encoder.weight, layer.content_encoder.bias, padding=1)
        taps = F.pixel_shuffle(taps, 2).unflatten(1, (group, 25)).softmax(2)
        around = F.interpolate(patches(x, 5).flatten(1, 2), scale_factor=2, mode="nearest")
        around = around.view(1, group, 4 // group, 25, 10, 12)
        return (around * taps[:, :, None]).sum(3).flatten(1, 2)

    equal(published, layer, rand(1, 4, 5, 6))


@pytest.mark.parametrize(
    ("stride", "dilation", "size"), [(1, 1, (6, 7)), (1, 2, (8, 7)), (2, 1, (6, 8)), (2, 1, (7, 5))]
)
def test_involution(stride, dilation, size):
    layer = Involution(8, 3, stride, dilation, group_channels=4, reduction_ratio=2).double()
    assert set(layer.state_dict()) == {
        "conv1.conv.weight",
        "conv1.bn.weight",
        "conv1.bn.bias",
        "conv1.bn.running_mean",
        "conv1.bn.running_var",
        "conv1.bn.num_batches_tracked",
        "conv2.conv.weight",
        "conv2.conv.bias",
    }

    def published(x):
        seen = x if stride == 1 else F.avg_pool2d(x, stride, ceil_mode=True)
        hidden = F.batch_norm(
            F.conv2d(seen, layer.conv1.conv.weight), None, None, layer.conv1.bn.weight, layer.conv1.bn.bias, True
        ).relu()
        taps = F.conv2d(hidden, layer.conv2.conv.weight, layer.conv2.conv.bias).unflatten(1, (2, 1, 9))
        around = patches(x, 3, dilation=dilation, stride=stride).unflatten(1, (2, 4))
        return (around * taps).sum(3).flatten(1, 2)

    equal(published, layer, rand(2, 8, *size))


@pytest.mark.parametrize(
    ("module", "arguments", "text"),
    [
        (Carafe, {"up_group": 3}, "up_group: got 3, want a divisor of the 4 channels"),
        (Carafe, {"up_group": 0}, "up_group: got 0, want a whole number from 1"),
        (Carafe, {"channels": 0}, "channels: got 0"),
        (Carafe, {"scale_factor": 0}, "scale_factor: got 0"),
        (Carafe, {"up_kernel": 4}, "up_kernel: got 4, want an odd integer from 1 to 51"),
        (Carafe, {"up_kernel": 53}, "up_kernel: got 53, want an odd integer from 1 to 51"),
        (Carafe, {"encoder_kernel": 2}, "encoder_kernel: got 2, want an odd integer"),
        (Carafe, {"encoder_dilation": 0}, "encoder_dilation: got 0"),
        (Carafe, {"compressed_channels": 0}, "compressed_channels: got 0"),
        (Involution, {"group_channels": 16}, "group_channels: got 16, want a divisor of the 4 channels"),
        (Involution, {"group_channels": 0}, "group_channels: got 0"),
        (Involution, {"kernel_size": 2}, "kernel_size: got 2, want an odd integer"),
        (Involution, {"stride": (2, 2)}, r"stride: got \(2, 2\), want a whole number"),
        (Involution, {"stride": 0}, "stride: got 0"),
        (Involution, {"dilation": 0}, "dilation: got 0"),
        (Involution, {"reduction_ratio": 0}, "reduction_ratio: got 0"),
        (Involution, {"reduction_ratio": 5}, "reduction_ratio: got 5, want at most the 4 channels"),
        (ConvexUpsample, {"scale": 0}, "scale: got 0"),
        (ConvexUpsample, {"kernel_size": 2}, "kernel_size: got 2, want an odd integer"),
        (ConvexUpsample, {"normalize": "max"}, "normalize: got 'max'"),
        (KernelWeighting, {"normalize": "max"}, "normalize: got 'max'"),
        (FAC, {"kernel_size": 4}, "kernel_size: got 4, want an odd integer"),
        (FAC, {"kernel_size": "3"}, "kernel_size: got '3', want an odd integer"),
        (DynamicFilter, {"kernel_size": 2}, "kernel_size: got 2, want an odd integer"),
        (DynamicFilter, {"stride": 0}, "stride: got 0"),
        (DynamicFilter, {"groups": 0}, "groups: got 0"),
        (DynamicFilter, {"border": "none"}, "border: got 'none'"),
        (DynamicFilter, {"layout": "last"}, "layout: got 'last'"),
    ],
)
def test_constructors_refuse(module, arguments, text):
    needed = {
        Carafe: {"channels": 4, "scale_factor": 2},
        Involution: {"channels": 4, "kernel_size": 3, "group_channels": 2},
    }
    with pytest.raises(ValueError, match=f"^{text}"):
        module(**needed.get(module, {}) | arguments)


def test_gain_is_a_number():
    with pytest.raises(TypeError, match="gain: got 'a', want a number or None"):
        ConvexUpsample(gain="a")


@pytest.mark.parametrize(
    ("layer", "inputs", "error", "text"),
    [
        (ConvexUpsample(2), (rand(2, 4, 5), rand(1, 36, 4, 5)), RuntimeError, r"x: got shape \[2, 4, 5\]"),
        (
            ConvexUpsample(2),
            (rand(2, 1, 4, 5), rand(2, 9, 4, 5)),
            RuntimeError,
            r"mask: got shape \[2, 9, 4, 5\], want \[2 or 1, 36, 4, 5\] or \[2 or 1, 9, 8, 10\] for x \[2, 1, 4, 5\]",
        ),
        (ConvexUpsample(2), (rand(1, 1, 4, 5), None), TypeError, "mask: got NoneType, want a tensor"),
        (ConvexUpsample(2), (rand(1, 1, 4, 5), rand(1, 36, 4, 5).float()), TypeError, "mask: got dtype torch.float32"),
        (FAC(3), (rand(1, 2, 4, 5), rand(1, 9, 4, 6)), RuntimeError, "kernel: got .* for feat_in"),
        (FAC(3), (rand(1, 2, 4, 5), rand(1, 9, 4, 5).float()), TypeError, "kernel: got dtype torch.float32"),
        (FAC(3), (None, rand(1, 9, 4, 5)), TypeError, "feat_in: got NoneType"),
        (Carafe(4, 2), (rand(1, 3, 4, 5),), RuntimeError, r"x: got shape \[1, 3, 4, 5\], want \[N, 4, H, W\]"),
        (Involution(16, 3), (rand(16, 4, 5),), RuntimeError, r"x: got shape \[16, 4, 5\], want 4 axes"),
    ],
)
def test_calls_are_refused_by_the_names_of_the_module(layer, inputs, error, text):
    with pytest.raises(error, match=f"^{text}"):
        layer(*inputs)


def test_kernels_for_every_picture_and_autocast():
    x, kernel, mask = rand(2, 3, 6, 7), rand(1, 9, 6, 7), rand(1, 36, 6, 7)
    layers = ((FAC(3), kernel), (ConvexUpsample(2), mask), (KernelWeighting(), kernel.unflatten(1, (3, 3))))
    for layer, weights in layers:
        shared = layer(x, weights)
        torch.testing.assert_close(layer(x, weights.expand(2, *weights.shape[1:])), shared)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = layer(x.float(), weights.bfloat16())
        assert (cast[0] if isinstance(cast, tuple) else cast).dtype == torch.bfloat16


def test_all_are_exported_and_compiled_in_one_graph():
    layers = {
        FAC(3): (rand(1, 2, 4, 5), rand(1, 9, 4, 5)),
        DynamicFilter(3): (rand(1, 2, 4, 5), rand(1, 9, 4, 5)),
        KernelWeighting(): (rand(1, 2, 4, 5), rand(1, 3, 3, 4, 5)),
        ConvexUpsample(2): (rand(1, 2, 4, 5), rand(1, 36, 4, 5)),
        Carafe(2, 2, 3).double(): (rand(1, 2, 4, 5),),
        Involution(4, 3, group_channels=2).double().eval(): (rand(1, 4, 4, 5),),
    }
    assert {type(layer).__name__ for layer in layers} == set(lfdeblur_ops.modules.__all__) <= set(lfdeblur_ops.__all__)
    for layer, inputs in layers.items():
        traced = torch.compile(layer, backend="eager", fullgraph=True)
        torch.testing.assert_close(traced(*inputs), layer(*inputs))
        assert repr(layer).startswith(type(layer).__name__)
