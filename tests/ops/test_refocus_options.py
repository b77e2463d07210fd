"""The options of ``refocus``: borders, weights per pixel, views without their sum, moments; against plain formulas."""

import itertools
import zlib

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import decompositions, refocus
from lfdeblur_ops.testing import FLOATS, REORDERED_SUMS, TOL

from ..backends import compiler
from .checks import opcheck
from .light_fields import INTEGERS, disparity_map, views

REDUCTIONS = ("mean", "none", "moments")
# Of the aperture: its axes, and whether it is normalised.
WEIGHTS = {
    "none": None,
    "views": ("vu", True),
    "several": ("avu", True),
    "signed": ("avu", False),
    "pixel": ("vuyx", True),
    "signed pixel": ("avuyx", False),
    "pixel of each": ("bvuyx", True),
    "several pixels of each": ("bavuyx", True),
}
DISPARITIES = ("planes", "map", "maps", "map of each", "maps of each")


def weights_of(kind, shape, device="cpu"):
    if WEIGHTS[kind] is None:
        return None, True
    axes, normalize = WEIGHTS[kind]
    sizes = {"b": shape[0], "a": 3, "v": shape[1], "u": shape[2], "y": shape[-2], "x": shape[-1]}
    generator = torch.Generator().manual_seed(8)
    weights = torch.rand([sizes[axis] for axis in axes], generator=generator, dtype=torch.float64) + 0.05
    if normalize and "x" in axes:
        weights[..., -1, 0] = 0  # a pixel that sees nothing
        weights[..., 0, 0, :, -1] = 0  # and a view that is not seen by some
    return (weights if normalize else weights - 0.6).to(device), normalize


def disparity_of(kind, batch, height, width, device="cpu"):
    planes = torch.tensor([0.0, 0.8125, -1.4375], dtype=torch.float64)
    if kind == "planes":
        return planes.to(device)
    shape = {"map": (), "maps": (1, 2), "map of each": (batch,), "maps of each": (batch, 2)}[kind]
    return disparity_map(shape, height, width, device) + 1 / 64  # off the pixels, where `valid` jumps


def full_disparity(disparity, kind, batch, height, width):
    """``[B, D, H, W]``"""
    if kind == "planes":
        return disparity[None, :, None, None].expand(batch, -1, height, width)
    if kind in ("map", "map of each"):
        return (disparity[None] if kind == "map" else disparity)[:, None].expand(batch, 1, height, width)
    return disparity.expand(batch, 2, height, width)


def full_weights(weights, kind, batch, height, width):
    """``[B, A, 1, V, U, 1, H, W]``"""
    axes = WEIGHTS[kind][0]
    for axis in "bavuyx":
        if axis not in axes:
            weights = weights.unsqueeze("bavuyx".index(axis))
    return weights.expand(batch, -1, -1, -1, height, width)[:, :, None, :, :, None]


def sampled(light_field, disparity, interpolation, border):
    """``[B, D, V, U, C, H, W]`` by ``grid_sample``, view by view, in float64; and which count."""
    _, rows, columns, _, height, width = light_field.shape
    y, x = (torch.arange(size, dtype=torch.float64, device=light_field.device) for size in (height, width))
    padding = {"replicate": "border", "valid": "border", "zeros": "zeros"}[border]
    result, inside = [], []
    for d in disparity.unbind(1):
        for v, u in itertools.product(range(rows), range(columns)):
            py, px = y[:, None] - d * (v - (rows - 1) / 2), x - d * (u - (columns - 1) / 2)
            grid = torch.stack([2 * px / max(width - 1, 1) - 1, 2 * py / max(height - 1, 1) - 1], -1)
            result.append(
                F.grid_sample(light_field[:, v, u], grid, interpolation, padding_mode=padding, align_corners=True)
            )
            counts = (px >= 0) & (px <= width - 1) & (py >= 0) & (py <= height - 1)
            inside.append(counts | torch.tensor(border != "valid", device=counts.device))
    sizes = (disparity.shape[1], rows, columns)
    return torch.stack(result, 1).unflatten(1, sizes), torch.stack(inside, 1).unflatten(1, sizes)[..., None, :, :]


def formula(light_field, disparity, weights, normalize, interpolation, border, reduce, kinds):
    """What the options mean, in the shapes of the public function."""
    batch, *_, height, width = light_field.shape
    of_weights, of_disparity = kinds
    disparity = full_disparity(disparity, of_disparity, batch, height, width)
    sample, inside = sampled(light_field, disparity, interpolation, border)
    if weights is None and reduce == "none":
        weights, normalize = light_field.new_ones(1), False
    elif weights is None:
        weights = light_field.new_ones(1, 1, 1, *light_field.shape[1:3], 1, 1, 1)
    else:
        weights = full_weights(weights, of_weights, batch, height, width)
    weights = weights * inside.double()[:, None]
    if normalize:
        total = weights.sum((3, 4), keepdim=True)
        weights = torch.where(total > 0, weights / torch.where(total > 0, total, 1.0), 0.0)
    sample = sample[:, None]
    if reduce == "none":
        results = [weights * sample]
    else:
        mean = (weights * sample).sum((3, 4), keepdim=True)
        variance = (weights * (sample - mean).square()).sum((3, 4))
        results = [mean[:, :, :, 0, 0], variance][: 2 if reduce == "moments" else 1]
    several = of_weights != "none" and "a" in WEIGHTS[of_weights][0]
    if of_disparity in ("map", "map of each"):
        results = [result[:, :, 0] for result in results]
    if not several:
        results = [result[:, 0] for result in results]
    return results


def in_list(out):
    return list(out) if isinstance(out, tuple) else [out]


def meaningful(weights, border, reduce):
    """Whether the call is not refused."""
    normalize = WEIGHTS[weights] is None or WEIGHTS[weights][1]
    needs_all = reduce == "none" or not normalize
    return not (border == "valid" and needs_all) and (normalize or reduce != "moments")


CASES = [
    (weights, disparity, border, reduce)
    for weights, disparity, border, reduce in itertools.product(
        WEIGHTS, DISPARITIES, ("replicate", "zeros", "valid"), REDUCTIONS
    )
    if meaningful(weights, border, reduce)
]


def some(step, *of):
    """Of the cases, others for other tests: the step has no factor in common with what they are the product of."""
    return CASES[zlib.crc32(repr(of).encode()) % step :: step]


@pytest.mark.parametrize("border", ["replicate", "zeros", "valid"])
@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_matches_formula(backend, device, interpolation, reduce, border):
    """Every kind of weights with every kind of disparity, float64: ``grid_sample`` is the judge."""
    cubic = {"cubic_coefficient": -0.75} if interpolation == "bicubic" else {}
    for shape in ((2, 2, 3, 2, 7, 21), (1, 3, 3, 1, 5, 4)):
        light_field = views(shape, torch.float64, device)
        for weights, disparity, *rest in CASES:
            if rest != [border, reduce]:
                continue
            aperture, normalize = weights_of(weights, shape, device)
            d = disparity_of(disparity, shape[0], *shape[-2:], device)
            kinds = (weights, disparity)
            expected = formula(light_field, d, aperture, normalize, interpolation, border, reduce, kinds)
            options = {"interpolation": interpolation, "border": border, "reduce": reduce, "normalize": normalize}
            out = refocus(light_field, d, aperture=aperture, backend=backend, **options, **cubic)
            for ours, theirs in zip(in_list(out), expected, strict=True):
                assert ours.shape == theirs.shape, kinds
                torch.testing.assert_close(ours, theirs, **TOL[torch.float64], msg=lambda m, k=kinds: f"{k}: {m}")


@pytest.mark.parametrize("dtype", FLOATS[1:] + INTEGERS, ids=str)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_dtypes(backend, device, dtype, interpolation):
    """Against float64 on the stored values, with rows of several vectors and strides that are not dense."""
    whole = views((2, 3, 2, 40, 2, 9), dtype, device)
    light_field = whole.permute(0, 1, 2, 4, 5, 3)[..., 3:38].contiguous()[..., 1:]  # dense but for the rows' ends
    exact = light_field.double() / torch.iinfo(dtype).max if dtype in INTEGERS else light_field.double()
    shape = light_field.shape
    for weights, disparity, border, reduce in some(13, interpolation, dtype):
        aperture, normalize = weights_of(weights, shape, device)
        d = disparity_of(disparity, 2, *shape[-2:], device)
        options = {"interpolation": interpolation, "border": border, "reduce": reduce, "normalize": normalize}
        # The weights and disparities that are used are float32; a change of theirs is no error of the kernel's.
        aperture = None if aperture is None else aperture.float()
        out = refocus(light_field, d.float(), aperture=aperture, backend=backend, **options)
        wide = None if aperture is None else aperture.double()
        expected = refocus(exact, d, aperture=wide, backend="reference", **options)
        for ours, theirs in zip(in_list(out), in_list(expected), strict=True):
            theirs = theirs.to(torch.float32 if dtype in INTEGERS else dtype)
            case = (weights, disparity, border, reduce)
            torch.testing.assert_close(ours, theirs, **TOL[ours.dtype], msg=lambda m, c=case: f"{c}: {m}")


def gradients(light_field, disparity, aperture, backend, grads, **options):
    inputs = [t.detach().clone() for t in (light_field, disparity, aperture) if t is not None]
    inputs = [t.requires_grad_(t.is_floating_point()) for t in inputs]
    given = inputs[2] if aperture is not None else None
    out = in_list(refocus(inputs[0], inputs[1], aperture=given, backend=backend, **options))
    wanted = [t for t in inputs if t.requires_grad]
    grads = [grad.to(result.dtype) for grad, result in zip(grads, out, strict=True)]
    return torch.autograd.grad(out, wanted, grads, allow_unused=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.uint8], ids=str)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_gradients(backend, device, dtype, interpolation):
    if backend == "reference":
        pytest.skip("the reference's gradients are autograd's: gradcheck holds them")
    shape = (2, 2, 3, 2, 4, 19)
    light_field = views(shape, dtype, device)
    exact = light_field.double() / torch.iinfo(dtype).max if dtype in INTEGERS else light_field.double()
    rounding = {torch.float16: 5e-3}.get(dtype, 1e-6)
    generator = torch.Generator().manual_seed(7)
    for case in some(17, interpolation, dtype):
        weights, disparity, border, reduce = case
        aperture, normalize = weights_of(weights, shape, device)
        aperture = None if aperture is None else aperture.float().double()
        d = disparity_of(disparity, 2, *shape[-2:], device)
        options = {"interpolation": interpolation, "border": border, "reduce": reduce, "normalize": normalize}
        out = in_list(refocus(exact, d, aperture=aperture, backend="reference", **options))
        grads = [torch.randn(r.shape, generator=generator, dtype=torch.float64).half().to(device) for r in out]
        expected = gradients(exact, d, aperture, "reference", grads, **options)
        if dtype in INTEGERS:
            expected = expected[1:]  # integers have none
        if dtype != torch.float64:
            d, aperture = d.float(), None if aperture is None else aperture.float()
        for ours, theirs in zip(gradients(light_field, d, aperture, backend, grads, **options), expected, strict=True):
            theirs = torch.zeros_like(ours) if theirs is None else theirs.to(ours.dtype)
            tolerance = TOL[ours.dtype] | {"atol": rounding * max(1.0, theirs.abs().max().item())}
            torch.testing.assert_close(ours, theirs, **tolerance, msg=lambda m, c=case: f"{c}: {m}")


SMALL = [
    ("pixel", "planes", "zeros", "mean"),
    ("signed pixel", "map of each", "replicate", "mean"),
    ("signed", "planes", "zeros", "none"),
    ("pixel of each", "map", "valid", "moments"),
    ("none", "maps of each", "replicate", "none"),
    ("views", "planes", "replicate", "moments"),
]


def small_call(case, device="cpu", interpolation="bilinear", backend="auto", shape=(2, 2, 2, 1, 2, 3)):
    """A function of tensors alone, and these; at places where nothing jumps."""
    weights, disparity, border, reduce = case
    light_field = views(shape, torch.float64, device)
    d = disparity_of(disparity, shape[0], *shape[-2:], device) * 0.9 + 0.05
    aperture, normalize = weights_of(weights, shape, device)
    options = {"border": border, "reduce": reduce, "normalize": normalize, "interpolation": interpolation}

    def call(light_field, d, aperture=None):
        return torch.cat(
            [out.flatten() for out in in_list(refocus(light_field, d, aperture=aperture, backend=backend, **options))]
        )

    return call, (light_field, d) if aperture is None else (light_field, d, aperture + (0.1 if normalize else 0))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("case", SMALL, ids=" ".join)
def test_gradcheck(backend, device, case, interpolation):
    call, tensors = small_call(case, device, interpolation, backend)
    assert torch.autograd.gradcheck(call, [t.requires_grad_() for t in tensors])


@pytest.mark.parametrize("case", SMALL, ids=" ".join)
def test_transforms(case):
    """Forward mode, second derivatives and batches as those of the reference."""
    call, tensors = small_call(case)
    of_reference, _ = small_call(case, backend="reference")
    along = tuple(torch.linspace(-1, 1, t.numel(), dtype=t.dtype).reshape(t.shape) for t in tensors)

    def squares(call):
        return lambda *tensors: call(*tensors).square().sum()

    every = tuple(range(len(tensors)))
    for ours, theirs in zip(
        torch.func.jvp(call, tensors, along), torch.func.jvp(of_reference, tensors, along), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    hvp = [torch.func.jvp(torch.func.grad(squares(f), every), tensors, along)[1] for f in (call, of_reference)]
    torch.testing.assert_close(*hvp)
    leaves = [t.clone().requires_grad_() for t in tensors]
    first = torch.autograd.grad(squares(call)(*leaves), leaves, create_graph=True)
    second = torch.autograd.grad(first, leaves, list(along))
    torch.testing.assert_close(list(second), list(hvp[1]))
    for place in every:
        batch = torch.stack([tensors[place], tensors[place] * 0.5 + 0.01], 1)
        dims = tuple(1 if i == place else None for i in every)
        given = [*tensors[:place], batch, *tensors[place + 1 :]]
        one_by_one = torch.stack([call(*tensors[:place], one, *tensors[place + 1 :]) for one in batch.unbind(1)])
        torch.testing.assert_close(torch.func.vmap(call, dims)(*given), one_by_one)
        of_gradients = torch.func.vmap(torch.func.grad(squares(call), every), dims)(*given)
        for i, one in enumerate(batch.unbind(1)):
            expected = torch.func.grad(squares(of_reference), every)(*tensors[:place], one, *tensors[place + 1 :])
            torch.testing.assert_close([g[i] for g in of_gradients], list(expected))


@pytest.mark.parametrize("case", SMALL, ids=" ".join)
def test_opcheck(backend, device, case):
    if backend == "reference":
        pytest.skip("not an operator")
    weights, disparity, border, reduce = case
    shape = (2, 2, 3, 2, 4, 5)
    light_field = views(shape, torch.float32, device).requires_grad_()
    d = disparity_of(disparity, 2, 4, 5, device).float()
    aperture, normalize = weights_of(weights, shape, device)
    aperture = torch.ones(1, 2, 3, device=device) if aperture is None else aperture.float()
    if aperture.dim() in (2, 4):
        aperture = aperture[None]
    if weights == "pixel of each":
        aperture = aperture[:, None]
    if disparity == "map":
        d = d[None]
    if disparity == "map of each":
        d = d[:, None]
    rest = (normalize and reduce != "none", -0.5, reduce)
    args = (light_field, d.requires_grad_(), aperture.requires_grad_(), "bilinear", border)
    opcheck(torch.ops.lfdeblur.refocus.default, (*args, *rest))
    plain = [a.detach() for a in args[:3]]
    out = torch.ops.lfdeblur.refocus(*plain, "bilinear", border, *rest)
    backward = (torch.randn_like(out), out, *plain, "bilinear", border)
    for needs in ((True, True, True), (False, False, True)):
        opcheck(torch.ops.lfdeblur.refocus_backward.default, (*backward, *needs, *rest))


class Model(torch.nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.options = options

    def forward(self, light_field, d, aperture=None):
        out = refocus(2 * light_field, d, aperture=aperture, **self.options)
        return out if isinstance(out, Tensor) else torch.stack(out)


@pytest.mark.parametrize("case", SMALL, ids=" ".join)
def test_compiles_and_exports(backend, device, case):
    """One operator in the graph, whatever the options; and a program of PyTorch's own without it."""
    if backend == "reference":
        pytest.skip("not an operator")
    weights, disparity, border, reduce = case
    shape = (2, 1, 2, 1, 3, 4)
    aperture, normalize = weights_of(weights, shape, device)
    tensors = [views(shape, torch.float32, device), disparity_of(disparity, 2, 3, 4, device).float()]
    tensors += [] if aperture is None else [aperture.float()]
    model = Model(border=border, reduce=reduce, normalize=normalize, backend=backend)
    leaves = [t.clone().requires_grad_() for t in tensors]
    eager = torch.autograd.grad(model(*leaves).square().sum(), leaves)
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for ours, theirs in zip(torch.autograd.grad(compiled(*leaves).square().sum(), leaves), eager, strict=True):
        torch.testing.assert_close(ours, theirs, **REORDERED_SUMS)
    program = torch.export.export(model, tuple(tensors))
    names = [node.target for node in program.graph.nodes if "lfdeblur" in str(node.target)]
    assert names == [torch.ops.lfdeblur.refocus.default]
    plain = program.run_decompositions(decompositions())
    assert not [node for node in plain.graph.nodes if "lfdeblur" in str(node.target)]
    torch.testing.assert_close(plain.module()(*tensors), model(*tensors))


def test_compiled_by_inductor(backend, device):
    light_field = views((2, 2, 3, 2, 5, 6), torch.float32, device).requires_grad_()
    masks = torch.rand(2, 3, 5, 6, device=device, requires_grad=True)

    def run(light_field, masks):
        mean, variance = refocus(light_field * 2, [0.5, 1.25], aperture=masks, reduce="moments", backend=backend)
        return (mean.square() + variance).sum()

    compiled = torch.compile(run, fullgraph=True, backend=compiler(backend))
    ours = torch.autograd.grad(compiled(light_field, masks), (light_field, masks))
    theirs = torch.autograd.grad(run(light_field, masks), (light_field, masks))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, **REORDERED_SUMS)


def test_variance_of_bright_pixels(backend, device):
    """Of values around 1 that differ by a thousandth: a difference of sums of squares would be all rounding."""
    generator = torch.Generator().manual_seed(2)
    noise = 1e-3 * torch.randn((9, 9, 1, 6, 40), generator=generator, dtype=torch.float64)
    light_field = (1 + noise).float().to(device)
    for weights in (None, torch.rand((9, 9, 6, 40), generator=generator).to(device)):
        _, variance = refocus(light_field, 0.25, aperture=weights, reduce="moments", backend=backend)
        wide = None if weights is None else weights.double()
        _, expected = refocus(light_field.double(), 0.25, aperture=wide, reduce="moments", backend="reference")
        # A sample of 1 is rounded to 6e-8, which is 2e-4 of the deviations.
        torch.testing.assert_close(variance.double(), expected, rtol=5e-4, atol=0)


def test_normalized_weights_without_a_sum(backend, device):
    """What ``none`` gives of an aperture adds up to the mean."""
    light_field = views((2, 3, 3, 2, 5, 6), torch.float64, device)
    for kind in ("views", "several", "pixel", "several pixels of each"):
        aperture, _ = weights_of(kind, light_field.shape, device)
        arguments = {"aperture": aperture, "border": "zeros", "backend": backend}
        each = refocus(light_field, [0.5, -1.25], reduce="none", **arguments)
        torch.testing.assert_close(each.sum((-5, -4)), refocus(light_field, [0.5, -1.25], **arguments))


def test_sum_of_the_views(backend, device):
    light_field = views((3, 3, 2, 5, 6), torch.float64, device)
    out = refocus(light_field, 0.5, normalize=False, backend=backend)
    torch.testing.assert_close(out, 9 * refocus(light_field, 0.5, backend=backend))


def test_sign_of_zeros_beyond_the_border(backend, device):
    """Far away everything is 0; infinities at the border do not spread to where it is not read."""
    light_field = views((3, 3, 1, 5, 6), torch.float32, device)
    for reduce in ("mean", "moments"):
        out = in_list(refocus(light_field, 100.0, border="zeros", reduce=reduce, backend=backend))
        torch.testing.assert_close(out[0], light_field[1, 1] / 9)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize(
    "shape", [(0, 3, 3, 1, 4, 5), (2, 3, 3, 0, 4, 5), (2, 3, 3, 1, 0, 5), (2, 3, 3, 1, 4, 0)], ids=str
)
def test_empty(backend, device, shape, reduce):
    light_field = torch.rand(shape, device=device, requires_grad=True)
    masks = torch.rand((3, 3, *shape[-2:]), device=device, requires_grad=True)
    grid = (3, 3) if reduce == "none" else ()
    for disparity in (torch.tensor([0.5, 1.0], device=device), torch.zeros((shape[0], 2, *shape[-2:]), device=device)):
        disparity.requires_grad_()
        out = in_list(refocus(light_field, disparity, aperture=masks, reduce=reduce, backend=backend))
        assert all(part.shape == (shape[0], 2, *grid, *shape[3:]) for part in out)
        grads = torch.autograd.grad(sum(part.sum() for part in out), (light_field, disparity, masks))
        assert [grad.shape for grad in grads] == [light_field.shape, disparity.shape, masks.shape]
        assert not any(grad.any() for grad in grads)


def test_strided_light_fields_and_weights(backend, device):
    whole = views((7, 7, 3, 20, 22), torch.uint8, device)
    crop = whole[1:6, ::2, :, 3:17, 4:20]
    masks = torch.rand((14, 16, 5, 4), device=device).permute(2, 3, 0, 1)
    for reduce in REDUCTIONS:
        arguments = {"reduce": reduce, "border": "zeros", "backend": backend}
        out = in_list(refocus(crop, [0.5, -1.0], aperture=masks, **arguments))
        dense = in_list(refocus(crop.contiguous(), [0.5, -1.0], aperture=masks.contiguous(), **arguments))
        torch.testing.assert_close(out, dense)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_result_does_not_depend_on_threads(reduce):
    light_field, masks = views((3, 5, 3, 37, 41), torch.float32), torch.rand(3, 5, 37, 41)
    threads = torch.get_num_threads()
    results = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        leaves = [light_field.clone().requires_grad_(), masks.clone().requires_grad_()]
        out = in_list(refocus(leaves[0], [0.75, -2.0], aperture=leaves[1], reduce=reduce, backend="cpu"))
        results.append([*out, *torch.autograd.grad(sum(part.square().sum() for part in out), leaves)])
    torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_autocast_keeps_the_dtype(backend, device):
    light_field = views((2, 3, 2, 5, 6), torch.float32, device)
    for reduce in REDUCTIONS:
        with torch.autocast(device, dtype=torch.bfloat16):
            out = in_list(refocus(light_field, 0.5, reduce=reduce, backend=backend))
        assert {part.dtype for part in out} == {torch.float32}


VIEWS = torch.zeros(3, 3, 1, 4, 5)
MASKS = torch.ones(3, 3, 4, 5)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"reduce": "sum"}, ValueError, "reduce: got 'sum', want 'mean', 'none' or 'moments'"),
        ({"border": "reflect"}, ValueError, "border: got 'reflect', want 'replicate', 'valid' or 'zeros'"),
        ({"border": "valid", "reduce": "none"}, ValueError, "border: got 'valid' with reduce='none'"),
        ({"border": "valid", "normalize": False}, ValueError, "normalize: got False with border='valid'"),
        ({"reduce": "moments", "normalize": False}, ValueError, "normalize: got False with reduce='moments'"),
        ({"normalize": 1}, TypeError, "normalize: got int, want True or False"),
        ({"cubic_coefficient": -0.6}, ValueError, "cubic_coefficient: got -0.6, want -0.5 or -0.75"),
        (
            {"cubic_coefficient": -0.75},
            ValueError,
            "got -0.75 with interpolation='bilinear', want interpolation='bicubic'",
        ),
        ({"aperture": MASKS[..., :4]}, RuntimeError, r"aperture: got shape \[3, 3, 4, 4\], .* \[3, 3, 4, 5\]"),
        (
            {"aperture": MASKS.expand(1, 2, 3, 3, 4, 5)},
            RuntimeError,
            r"weights of shape .* or several, \[A, V, U, H, W\]",
        ),
        ({"aperture": -MASKS}, ValueError, "aperture: got a negative weight .*, or normalize=False"),
        ({"aperture": MASKS / 0, "normalize": False}, ValueError, "aperture: got NaN or infinite values"),
    ],
)
def test_bad_input(options, error, text):
    with pytest.raises(error, match=text):
        refocus(VIEWS, 1.0, **options)


def test_operator_refuses_what_the_function_does():
    arguments = (VIEWS[None], torch.zeros(1), torch.ones(1, 3, 3), "bilinear")
    for border, normalize, reduce in (("valid", False, "none"), ("zeros", True, "none"), ("zeros", False, "sum")):
        with pytest.raises(RuntimeError, match="reduce: "):
            torch.ops.lfdeblur.refocus(*arguments, border, normalize, -0.5, reduce)
    with pytest.raises(RuntimeError, match=r"aperture: want \[A, V, U\], \[A, V, U, H, W\]"):
        torch.ops.lfdeblur.refocus(*arguments[:2], torch.ones(3, 3, 4, 5), "bilinear", "zeros")


def test_values_that_float32_does_not_hold():
    light_field = torch.rand(2, 2, 1, 3, 4)
    for disparity in (1e39, [0.0, 1e300], torch.full((3, 4), 1e39, dtype=torch.float64)):
        with pytest.raises(ValueError, match="disparity: got NaN or infinite values, want finite ones"):
            refocus(light_field, disparity)
    with pytest.raises(TypeError, match="disparity: got 1000000"):
        refocus(light_field, 10**400)
    weights = torch.full((2, 2), 1e-300, dtype=torch.float64)
    with pytest.raises(ValueError, match="aperture: got weights that are all zero"):
        refocus(light_field, 0.5, aperture=weights)
    with pytest.raises(ValueError, match="aperture: got weights whose sum is infinite"):
        refocus(light_field, 0.5, aperture=torch.full((2, 2), 3e38))
    refocus(light_field.double(), 0.5, aperture=weights)


def test_unsigned_maps():
    light_field, disparity = torch.rand(2, 2, 1, 3, 4), torch.arange(12).view(3, 4)
    for dtype in (torch.uint8, torch.uint16):
        assert torch.equal(refocus(light_field, disparity.to(dtype)), refocus(light_field, disparity))


def test_the_operator_refuses_what_it_cannot_read():
    op = torch.ops.lfdeblur.refocus
    for sizes, weights in (((1, 0, 1, 1, 4, 4), (1, 0, 1)), ((1, 1, 0, 1, 4, 4), (1, 1, 0))):
        for disparity in (torch.zeros(1), torch.zeros(1, 4, 4)):
            with pytest.raises(RuntimeError, match="want at least one view"):
                op(torch.zeros(sizes), disparity, torch.zeros(weights), "bilinear", "replicate")
