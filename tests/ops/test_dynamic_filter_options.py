"""The options of ``dynamic_filter`` on every back end, against the form that unfolds the picture."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from lfdeblur_ops import BackendError, dynamic_filter, reference
from lfdeblur_ops._filter_forms import options, read
from lfdeblur_ops.testing import FLOATS, TOL

from ..backends import compiler
from .checks import opcheck

BORDERS = ("replicate", "zeros", "reflect", "circular", "valid")
NORMALIZE = {
    None: lambda taps: taps,
    "softmax": lambda taps: taps.softmax(2),
    "sum": lambda taps: taps / (taps.sum(2, keepdim=True) + 1e-8),
}


def pair(number):
    return number if isinstance(number, tuple) else (number, number)


def positions(size, k, dilation, stride, border):
    return [
        (n - (d * (taps - 1) if border == "valid" else 0) - 1) // s + 1
        for n, taps, d, s in zip(size, pair(k), pair(dilation), pair(stride), strict=True)
    ]


def unfolded(x, taps, k, *, dilation=1, stride=1, scale=1, border="replicate", normalize=None, interleaved=False):
    """``taps [N, G, T, S, H, W]``; every pixel's neighbourhood is written down."""
    if border != "valid":
        top, side = (d * (taps - 1) // 2 for taps, d in zip(pair(k), pair(dilation), strict=True))
        x = F.pad(x, (side, side, top, top), mode="constant" if border == "zeros" else border)
    n, channels = x.shape[:2]
    seen = F.unfold(x, pair(k), dilation=dilation, stride=stride).view(n, channels, -1, *taps.shape[-2:])
    groups = taps.shape[1]
    of = [c % groups if interleaved else c // (channels // groups) for c in range(channels)]
    out = torch.einsum("nctyx,nctsyx->ncsyx", seen, NORMALIZE[normalize](taps)[:, of])
    return F.pixel_shuffle(out.flatten(1, 2), scale)


def make(shape, k, dtype=torch.float64, device="cpu", *, groups=1, dilation=1, stride=1, scale=1, border="replicate"):
    generator = torch.Generator().manual_seed(5)
    size = positions(shape[2:], k, dilation, stride, border)
    count = pair(k)[0] * pair(k)[1]
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(device, dtype)
    # Positive: then the sum that "sum" divides by is not near zero.
    taps = torch.rand((shape[0], groups, count, scale**2, *size), generator=generator, dtype=torch.float64) + 0.1
    return x, (taps / count**0.5).to(device, dtype)


def with_gradients(call, x, filters, dtype=None):
    x, filters = x.detach().requires_grad_(), filters.detach().requires_grad_()
    out = call(x, filters)
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    weight = weight.to(dtype or x.dtype).to(out.device, out.dtype)
    return out.detach(), *torch.autograd.grad(out, (x, filters), weight)


def assert_like_float64(call, exact, x, filters):
    got = with_gradients(call, x, filters)
    want = with_gradients(exact, x.double(), filters.double(), x.dtype)
    for mine, right in zip(got, want, strict=True):
        torch.testing.assert_close(mine, right.to(mine.dtype), **TOL[mine.dtype])


GEOMETRY = [
    {"k": 3, "dilation": 2},
    {"k": (1, 5), "dilation": (3, 1)},
    {"k": (5, 3), "stride": 2},
    {"k": 3, "stride": (1, 3), "dilation": (1, 2)},
    {"k": 3, "scale": 2},
    {"k": 5, "scale": 3, "dilation": 2},
    {"k": 1, "scale": 2},
]


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("geometry", GEOMETRY, ids=str)
def test_matches_unfolding(backend, device, geometry, border, normalize):
    for groups, interleaved, width in ((1, False, 19), (2, True, 40), (6, False, 11)):
        how = {key: value for key, value in geometry.items() if key != "k"} | {"border": border}
        x, taps = make((2, 6, 10, width), geometry["k"], torch.float32, device, groups=groups, **how)
        how |= {"normalize": normalize, "interleaved": interleaved}
        assert_like_float64(
            lambda x, f, k=geometry["k"], groups=groups, how=how: dynamic_filter(
                x, f, k, groups=groups, backend=backend, **how
            ),
            lambda x, f, k=geometry["k"], taps=taps, how=how: unfolded(x, f.view(taps.shape), k, **how),
            x,
            taps.flatten(1, 3),
        )


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dtypes(backend, device, dtype, normalize):
    for how in ({"scale": 2}, {"stride": 2, "dilation": 3}, {"border": "reflect"}):
        x, taps = make((1, 3, 12, 37), 3, dtype, device, **how)
        assert_like_float64(
            lambda x, f, how=how: dynamic_filter(x, f, 3, normalize=normalize, backend=backend, **how),
            lambda x, f, taps=taps, how=how: unfolded(x, f.view(taps.shape), 3, normalize=normalize, **how),
            x,
            taps.flatten(1, 3),
        )


def laid_out(taps, form, scale):
    """The filters of ``taps`` in another form of the same values, and what says so."""
    if form == "finer":  # one for each pixel of the result
        n, g, t, _, h, w = taps.shape
        fine = taps.unflatten(3, (scale, scale)).permute(0, 1, 2, 5, 3, 6, 4)
        return fine.reshape(n, g * t, scale * h, scale * w), {}
    if form.startswith("taps_first"):
        turned = taps.transpose(1, 2).contiguous()
        return turned.flatten(1, 3) if form == "taps_first 4" else turned.flatten(2, 3), {"layout": "taps_first"}
    filters = taps.flatten(2, 3) if form == "groups" else taps.flatten(1, 3)
    if form == "channels_last":
        filters = filters.contiguous(memory_format=torch.channels_last)
    if form == "turned":
        filters = filters.transpose(2, 3).contiguous().transpose(2, 3)
    if form == "every other":
        filters = torch.stack([filters, filters], -1).flatten(-2)[..., ::2]
    return filters, {}


FORMS = ("groups", "taps_first 4", "taps_first 5", "channels_last", "turned", "every other")


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("form", [*FORMS, "finer"])
def test_forms_of_filters(backend, device, form, scale, normalize):
    for groups, layout in product((1, 2, 4), (torch.contiguous_format, torch.channels_last)):
        x, taps = make((2, 4, 7, 21), 3, torch.float32, device, groups=groups, scale=scale)
        x = x.contiguous(memory_format=layout)
        filters, said = laid_out(taps, form, scale)
        said |= {"groups": groups, "scale": scale, "normalize": normalize}
        got = with_gradients(lambda x, f, said=said: dynamic_filter(x, f, 3, backend=backend, **said), x, filters)
        assert got[0].is_contiguous(memory_format=layout) or backend == "reference"
        want = with_gradients(
            lambda x, f, scale=scale: unfolded(x, f, 3, scale=scale, normalize=normalize),
            x.double(),
            taps.double(),
            torch.float32,
        )
        of_taps, _ = laid_out(want[2], form, scale)
        for mine, right in zip(got, (*want[:2], of_taps), strict=True):
            torch.testing.assert_close(mine, right.float(), **TOL[torch.float32])


def test_filters_are_not_copied():
    x, taps = make((2, 4, 6, 7), 3, groups=2)
    forms = [laid_out(taps, form, 1) for form in FORMS]
    permuted = taps.squeeze(3).permute(0, 2, 1, 4, 3).contiguous().transpose(3, 4)  # [N, T, G, H, W] of any strides
    for filters, said in (*forms, (permuted, {"layout": "taps_first"})):
        how = options(1, 1, 1, "zeros", None, False)
        taken, _ = read(x, filters, 3, 2, said.get("layout", "groups_first"), how)
        assert taken.data_ptr() == filters.data_ptr()


def test_large_and_missing_logits(backend, device):
    x, taps = make((1, 2, 5, 40), 3, torch.float32, device)
    filters = taps.flatten(1, 3) * 1e4
    filters[:, 4, 1] = -torch.inf  # a tap that is masked
    filters[:, :, 2, 3] = 300.0
    got = dynamic_filter(x, filters, 3, normalize="softmax", backend=backend)
    want = unfolded(x.double(), filters.double().view(taps.shape), 3, normalize="softmax")
    torch.testing.assert_close(got, want.float(), **TOL[torch.float32])
    filters[:, :, 3, 20] = torch.nan
    bad = dynamic_filter(x, filters, 3, normalize="softmax", backend=backend)
    assert bad[:, :, 3, 20].isnan().all()
    bad[:, :, 3, 20] = 0
    assert bad.isfinite().all()


@pytest.mark.parametrize("k", [(51, 1), (1, 51), (51, 51), (17, 3)], ids=str)
def test_large_kernels(backend, device, k):
    for border, normalize in (("replicate", None), ("zeros", "softmax")):
        x, taps = make((1, 3, 4, 23), k, torch.float32, device)
        x = x / max(k)  # sums of 2601 terms that are no larger than those of others
        assert_like_float64(
            lambda x, f, how=(border, normalize): dynamic_filter(
                x, f, k, border=how[0], normalize=how[1], backend=backend
            ),
            lambda x, f, taps=taps, how=(border, normalize): unfolded(
                x, f.view(taps.shape), k, border=how[0], normalize=how[1]
            ),
            x,
            taps.flatten(1, 3),
        )


def test_more_channels_than_are_held_at_once(backend, device):
    x, taps = make((1, 2050, 2, 20), (15, 3), torch.float32, device)
    for normalize in NORMALIZE:
        assert_like_float64(
            lambda x, f, n=normalize: dynamic_filter(x, f, (15, 3), normalize=n, border="zeros", backend=backend),
            lambda x, f, n=normalize: unfolded(x, f.view(taps.shape), (15, 3), normalize=n, border="zeros"),
            x / 45,
            taps.flatten(1, 3),
        )


def test_bias(backend, device):
    x, taps = make((2, 3, 4, 5), 3, torch.float64, device, scale=2)
    filters, call = taps.flatten(1, 3), {"scale": 2, "backend": backend}
    plain = dynamic_filter(x, filters, 3, **call)
    for shape, seen in (((3,), (3, 1, 1)), ((2, 3, 8, 10),) * 2, ((1, 3, 8, 10),) * 2):
        bias = torch.randn(shape, dtype=torch.float64, device=device, requires_grad=True)
        torch.testing.assert_close(dynamic_filter(x, filters, 3, bias=bias, **call), plain + bias.view(seen))
        assert torch.autograd.gradcheck(lambda b: dynamic_filter(x, filters, 3, bias=b, **call), (bias,))


SOME = (
    {"scale": 2, "normalize": "softmax"},
    {"stride": 2, "dilation": 2, "border": "reflect", "normalize": "sum"},
    {"groups": 2, "interleaved": True, "border": "circular"},
)


@pytest.mark.parametrize("how", SOME, ids=str)
def test_gradcheck_twice(backend, device, how):
    geometry = {key: how.get(key, 1) for key in ("groups", "dilation", "stride", "scale")}
    k = (1, 3)
    x, taps = make((1, 2, 3, 4), k, device=device, **geometry)
    inputs = (x.requires_grad_(), taps.flatten(1, 3).requires_grad_())

    def call(x, filters):
        return dynamic_filter(x, filters, k, backend=backend, **how)

    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


def test_opcheck(backend, device):
    if backend == "reference":
        pytest.skip("not an operator")
    forward, backward = [], []
    for how in SOME:
        geometry = {key: how.get(key, 1) for key in ("groups", "dilation", "stride", "scale")}
        x, taps = make((2, 4, 4, 5), 3, torch.float32, device, **geometry)
        x = x.contiguous(memory_format=torch.channels_last)
        given = (
            ([3, 3], how.get("border", "replicate")),
            ([how.get("dilation", 1)] * 2, [how.get("stride", 1)] * 2, how.get("scale", 1)),
            (how.get("normalize", "none"), how.get("interleaved", False)),
        )
        flat = [value for part in given for value in part]
        out = torch.ops.lfdeblur.dynamic_filter(x, taps, *flat)
        forward.append((x.requires_grad_(), taps.requires_grad_(), *flat))
        backward.append((torch.randn_like(out), x.detach(), taps.detach(), *flat, True, True))
    opcheck(torch.ops.lfdeblur.dynamic_filter.default, *forward)
    opcheck(torch.ops.lfdeblur.dynamic_filter_backward.default, *backward)


@pytest.mark.parametrize("how", SOME, ids=str)
def test_compiles_for_every_size(backend, device, how):
    if backend == "reference":
        pytest.skip("plain PyTorch")
    geometry = {key: how.get(key, 1) for key in ("groups", "dilation", "stride", "scale")}

    def call(x, filters):
        return dynamic_filter(x * 2, filters, 3, backend=backend, **how)

    run = torch.compile(call, fullgraph=True, dynamic=True, backend="aot_eager")
    for size in ((8, 9), (11, 8)):
        x, taps = make((1, 4, *size), 3, torch.float32, device, **geometry)
        got, want = (with_gradients(one, x, taps.flatten(1, 3)) for one in (run, call))
        for mine, right in zip(got, want, strict=True):
            torch.testing.assert_close(mine, right, **TOL[torch.float32])


def test_export(backend, device):
    class Layer(torch.nn.Module):
        def forward(self, x, filters):
            return dynamic_filter(x, filters, 3, scale=2, normalize="softmax", layout="taps_first", backend=backend)

    x, taps = make((1, 3, 6, 7), 3, torch.float32, device, scale=2)
    filters = taps.transpose(1, 2).flatten(2, 3)
    height, width = torch.export.Dim("height", min=2), torch.export.Dim("width", min=2)
    exported = torch.export.export(
        Layer(), (x, filters), dynamic_shapes=({2: height, 3: width}, {3: height, 4: width})
    ).module()
    x, taps = make((1, 3, 9, 4), 3, torch.float32, device, scale=2)
    filters = taps.transpose(1, 2).flatten(2, 3)
    torch.testing.assert_close(exported(x, filters), Layer()(x, filters))


def test_whole_graph_by_the_compiler(backend, device):
    x, taps = make((1, 3, 8, 9), 3, torch.float32, device, scale=2)
    how = {"scale": 2, "normalize": "softmax", "backend": backend}
    run = torch.compile(lambda x, f: dynamic_filter(x, f, 3, **how), fullgraph=True, backend=compiler(backend))
    got, want = (
        with_gradients(one, x, taps.flatten(1, 3)) for one in (run, lambda x, f: dynamic_filter(x, f, 3, **how))
    )
    for mine, right in zip(got, want, strict=True):
        torch.testing.assert_close(mine, right, **TOL[torch.float32])


@pytest.mark.parametrize("shape", [(0, 4, 4, 5), (2, 0, 4, 5), (2, 4, 0, 5), (2, 4, 4, 0)], ids=str)
def test_empty(backend, device, shape):
    for how in ({"scale": 2, "normalize": "softmax"}, {"stride": 2}, {"dilation": 2, "normalize": "sum"}):
        geometry = {key: how.get(key, 1) for key in ("dilation", "stride", "scale")}
        x, taps = make(shape, 3, torch.float32, device, **geometry)
        out, of_x, of_filters = with_gradients(
            lambda x, f, how=how: dynamic_filter(x, f, 3, backend=backend, **how), x, taps.flatten(1, 3)
        )
        assert out.numel() == 0
        assert torch.equal(of_x, torch.zeros_like(x))
        assert torch.equal(of_filters, torch.zeros_like(of_filters))


def test_result_does_not_depend_on_threads():
    x, taps = make((2, 6, 33, 37), 5, torch.float32, groups=2, scale=2)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            results.append(
                with_gradients(
                    lambda x, f: dynamic_filter(x, f, 5, groups=2, scale=2, normalize="softmax", backend="cpu"),
                    x,
                    taps.flatten(1, 3),
                )
            )
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


def test_kernel_size_read_from_the_shape():
    x, taps = make((1, 4, 6, 7), 5, groups=2)
    expected = dynamic_filter(x, taps.flatten(1, 3), 5, groups=2)
    for filters, said in (
        (taps.flatten(1, 3), {"groups": 2}),
        (taps.flatten(2, 3), {}),
        (taps.transpose(1, 2).flatten(2, 3), {"layout": "taps_first"}),
    ):
        assert torch.equal(dynamic_filter(x, filters, **said), expected)
    x, taps = make((1, 4, 9, 9), 7, border="valid")  # 49 and 4 * 9 channels would not tell, the size does
    assert torch.equal(
        dynamic_filter(x, taps.flatten(1, 3), border="valid"), dynamic_filter(x, taps.flatten(1, 3), 7, border="valid")
    )


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"groups": 3}, ValueError, "groups: got 3, want a divisor of the 4 channels of x"),
        ({"groups": 0}, ValueError, "groups: got 0, want a whole number from 1"),
        ({"groups": 2.0}, ValueError, r"groups: got 2\.0, want a whole number from 1"),
        ({"groups": 4}, RuntimeError, r"filters: got 9 channels, want groups\*k\*k = 36"),
        ({"dilation": 0}, ValueError, "dilation: got 0, want a whole number from 1"),
        ({"dilation": (1, 2, 3)}, ValueError, r"dilation: got \(1, 2, 3\), want one integer, or two"),
        ({"stride": "2"}, ValueError, "stride: got '2', want a whole number from 1"),
        ({"scale": True}, ValueError, "scale: got True, want a whole number from 1"),
        ({"scale": 2, "stride": 2}, ValueError, r"stride: got \(2, 2\) with scale 2, want one of the two to be 1"),
        ({"border": "mirror"}, ValueError, "border: got 'mirror', want 'replicate', 'zeros', 'reflect', 'circular' or"),
        (
            {"border": "reflect", "dilation": 8},
            ValueError,
            "border: got 'reflect', which can add 5 at most to the 6 rows of x, and .* wants 8",
        ),
        ({"border": "circular", "dilation": 7}, ValueError, "border: got 'circular', which can add 6 at most"),
        (
            {"border": "valid", "dilation": 3},
            RuntimeError,
            "x: got 6 rows, want more than 6: .* has its border already",
        ),
        ({"border": "valid"}, RuntimeError, r"filters: got shape \[1, 9, 6, 7\], want \[1 or 1, \.\.\., 4, 5\]"),
        ({"stride": 2}, RuntimeError, r"filters: got shape .* want \[1 or 1, \.\.\., 3, 4\]"),
        ({"normalize": "max"}, ValueError, "normalize: got 'max', want None, 'softmax' or 'sum'"),
        ({"layout": "tap"}, ValueError, "layout: got 'tap', want 'groups_first' or 'taps_first'"),
        ({"interleaved": 1}, TypeError, "interleaved: got 1, want True or False"),
        ({"kernel_size": (3, 4)}, ValueError, r"kernel_size: got \(3, 4\), want an odd integer from 1 to 51, or two"),
        ({"kernel_size": 53}, ValueError, "kernel_size: got 53"),
        ({"scale": 3}, RuntimeError, r"filters: got 9 channels, want k\*k\*scale\*\*2 = 81"),
        ({"filters": torch.zeros(1, 18, 6, 7)}, RuntimeError, "filters: got 18 channels, .*; groups=2 fits"),
        (
            {"filters": torch.zeros(1, 9, 2, 6, 7)},
            RuntimeError,
            r"filters: got shape .*, want \[N, G, k\*k = 9, H, W\] with G a divisor of C = 4; layout='taps_first' fits",
        ),
        (
            {"filters": torch.zeros(1, 3, 9, 6, 7)},
            RuntimeError,
            r"want \[N, G, k\*k = 9, H, W\] with G a divisor of C = 4$",
        ),
        (
            {"filters": torch.zeros(1, 225, 6, 7), "kernel_size": None, "x": torch.zeros(1, 9, 6, 7)},
            ValueError,
            r"kernel_size: got None, and 5 \(9 groups\) and 15 \(1 group\) fits 225 channels of filters beside 9 of x",
        ),
        ({"filters": torch.zeros(9, 6, 7)}, RuntimeError, r"filters: got shape \[9, 6, 7\], want 4 axes .* or 5"),
        ({"bias": torch.zeros(3)}, RuntimeError, r"bias: got shape \[3\], want \[4\]"),
        ({"bias": torch.zeros(1, 4, 6, 8)}, RuntimeError, r"bias: got shape .*, want \[1, 4, 6, 7\]"),
        ({"bias": torch.zeros(4).double()}, TypeError, "bias: got dtype torch.float64, want that of x"),
        ({"bias": 1.0}, TypeError, "bias: got float, want a tensor"),
        ({"backend": "cuda"}, BackendError, "no backend can run this call: cuda: "),
    ],
    ids=range(31),
)
def test_bad_input(change, error, text):
    args = {"x": torch.zeros(1, 4, 6, 7), "filters": torch.zeros(1, 9, 6, 7), "kernel_size": 3} | change
    with pytest.raises(error, match=text):
        dynamic_filter(args.pop("x"), args.pop("filters"), args.pop("kernel_size"), **args)


def test_the_operator_checks_what_memory_safety_needs():
    op, x, f = torch.ops.lfdeblur.dynamic_filter, torch.zeros(1, 4, 6, 7), torch.zeros(1, 9, 6, 7)
    for bad in (
        (x, f[:, :8], 3),
        (x, f[:, :, :5], 3),
        (x, f, [3, 2]),
        (x, f, 3, "reflected"),
        (x, f, 3, "zeros", 0),
        (x, f, 3, "zeros", 1, -1),
        (x, f, 3, "valid"),
        (x, f, 3, "reflect", 9),
        (x, f, 3, "zeros", 1, 1, 0),
        (x, f, 3, "zeros", 1, 2, 2),
        (x, f, 3, "zeros", 1, 1, 1, "softmin"),
        (x[:, :3], f.repeat(1, 2, 1, 1), 3),
        (x, f.double(), 3),
    ):
        with pytest.raises(RuntimeError):
            op(*bad)
    backward = torch.ops.lfdeblur.dynamic_filter_backward
    for grad in (x[..., :6], x.double(), torch.zeros(1, 4, 12, 14)):
        with pytest.raises(RuntimeError):
            backward(grad, x, f, 3)


def test_reference_takes_what_the_operator_takes():
    x, taps = make((1, 4, 6, 7), 3, groups=2)
    for filters in (taps, taps.flatten(1, 3)):
        for kernel_size in (3, [3, 3]):
            assert torch.equal(
                reference.dynamic_filter(x, filters, kernel_size, "zeros"),
                dynamic_filter(x, taps.flatten(1, 3), 3, groups=2, border="zeros", backend="reference"),
            )


def test_limits():
    x, f = torch.zeros(1, 1, 6, 7), torch.zeros(1, 9, 6, 7)
    for change, text in (
        ({"dilation": 1 << 17}, "dilation: got 131072, want at most 65536"),
        ({"dilation": 2**70}, "dilation: got 1180591620717411303424, want at most 65536"),
        (
            {"dilation": 40000},
            r"dilation: got \(40000, 40000\) with kernel_size \(3, 3\), whose taps reach 80000 pixels",
        ),
        ({"stride": 1 << 17}, "stride: got 131072, want at most 65536"),
        ({"scale": 65}, "scale: got 65, want at most 64"),
        ({"kernel_size": torch.zeros(1, 3, 6, 7)}, r"kernel_size: got a tensor of shape \[1, 3, 6, 7\], want an odd"),
    ):
        with pytest.raises(ValueError, match=text):
            dynamic_filter(x, f, **({"kernel_size": 3} | change))
    far = dynamic_filter(torch.ones(1, 1, 6, 7), f + 1, 3, dilation=30000)
    assert torch.equal(far, torch.full_like(far, 9.0))
