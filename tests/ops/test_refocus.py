"""``refocus`` on every back end against the float64 reference."""

import pytest
import torch

from lfdeblur_ops import BackendError, backends, reference, refocus
from lfdeblur_ops.testing import FLOATS, REORDERED_SUMS, TOL

from ..backends import compiler
from .checks import opcheck
from .light_fields import INTEGERS, disparity_map, views

SHAPES = [(1, 1, 1, 1, 1, 1), (1, 3, 3, 1, 5, 7), (2, 2, 5, 3, 9, 16), (1, 4, 3, 2, 12, 83), (1, 1, 3, 1, 40, 1)]
PLANES = [0.0, 1.0, -0.625, 2.875, -9.5, 60.25]  # dyadic: `nearest` and `valid` jump, every back end must jump alike


def apertures(rows, columns, device="cpu"):
    generator = torch.Generator().manual_seed(6)
    weights = torch.rand((2, rows, columns), generator=generator, dtype=torch.float64)
    weights[1, :, : columns // 2] = 0
    return weights.to(device)


def expected_of(light_field, disparity, aperture, interpolation, border):
    """The float64 reference on the stored values, scaled to [0, 1] as the op scales them, rounded once."""
    dtype = light_field.dtype
    exact = light_field.double() / torch.iinfo(dtype).max if dtype in INTEGERS else light_field.double()
    weights = aperture / aperture.sum((-2, -1), keepdim=True)
    out = reference.refocus(exact, disparity, weights, interpolation, border)
    return out.to(torch.float32 if dtype in INTEGERS else dtype)


@pytest.mark.parametrize("border", ["replicate", "valid"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_matches_float64_reference(backend, device, dtype, interpolation, border):
    for shape in SHAPES:
        light_field, weights = views(shape, dtype, device), apertures(*shape[1:3], device)
        for disparity in (torch.tensor(PLANES, device=device).double(), disparity_map((2,), *shape[-2:], device)):
            expected = expected_of(light_field, disparity, weights, interpolation, border)
            planes = disparity if disparity.dim() == 1 else disparity[None]  # two maps would be one for each of two
            out = refocus(
                light_field, planes, aperture=weights, interpolation=interpolation, border=border, backend=backend
            )
            torch.testing.assert_close(out, expected, **TOL[out.dtype])


@pytest.mark.parametrize("planes", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8], ids=str)
def test_wide_rows(backend, device, dtype, planes):
    """Rows of several vectors, with one plane (views read in place) and several (copies with a border)."""
    light_field = views((1, 3, 5, 2, 6, 231), dtype, device)
    disparity = torch.tensor([0.75, -1.5, 3.0][:planes], device=device).double()
    aperture = torch.ones(1, 3, 5, device=device).double()
    for interpolation in ("nearest", "bilinear", "bicubic"):
        for border in ("replicate", "valid"):
            expected = expected_of(light_field, disparity, aperture, interpolation, border)[:, 0]
            out = refocus(light_field, disparity, interpolation=interpolation, border=border, backend=backend)
            torch.testing.assert_close(out, expected, **TOL[out.dtype])


def scene_map(height, width, device="cpu"):
    """As of a scene: slopes, ripples, and edges of some pixels; dyadic."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    smooth = y + 0.75 * torch.sin(9 * x) + 3 * (x > 0.5) + 40 * (x > 0.75)
    return ((64 * smooth).round().double() / 64).to(device)


@pytest.mark.parametrize("border", ["replicate", "valid"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_map_of_a_scene(backend, device, dtype, interpolation, border):
    """Neighbours that are read side by side, from several rows, from far apart, and beyond the border."""
    disparity, weights = scene_map(9, 1200, device)[None], torch.ones(1, 2, 3, device=device).double()
    light_field = views((1, 2, 3, 2, 9, 1200), dtype, device)
    expected = expected_of(light_field, disparity, weights, interpolation, border)[:, 0, 0]
    out = refocus(light_field, disparity[0], interpolation=interpolation, border=border, backend=backend)
    torch.testing.assert_close(out, expected, **TOL[out.dtype])


def test_infinite_pixels_stay_where_they_are_read(backend, device):
    light_field = views((1, 3, 3, 1, 9, 120), torch.float32, device)
    light_field[0, ..., 4, ::7] = torch.inf
    disparity, weights = scene_map(9, 120, device)[None], torch.ones(1, 3, 3, device=device).double()
    expected = expected_of(light_field, disparity, weights, "bilinear", "replicate")[:, 0, 0]
    out = refocus(light_field, disparity[0], backend=backend)
    torch.testing.assert_close(out, expected, equal_nan=True, **TOL[out.dtype])
    assert expected.isfinite().any()


@pytest.mark.parametrize("as_map", [False, True], ids=["planes", "map"])
@pytest.mark.parametrize("border", ["replicate", "valid"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_gradients_match_float64_reference(backend, device, dtype, interpolation, border, as_map):
    if backend == "reference":
        pytest.skip("the reference's gradients are autograd's: gradcheck holds them")
    for shape in [(1, 3, 2, 1, 4, 5), (2, 3, 3, 2, 6, 21), (1, 2, 3, 1, 5, 200)]:
        light_field, weights = views(shape, dtype, device), apertures(*shape[1:3], device)
        weights /= weights.sum((-2, -1), keepdim=True)
        disparity = disparity_map((2,), *shape[-2:], device) if as_map else torch.tensor([0.3125, -1.125, 7.0])
        if as_map:
            disparity[1] = scene_map(*shape[-2:], device)
        acc = torch.float64 if dtype == torch.float64 else torch.float32
        args = [light_field, disparity.to(device, acc), weights.to(acc)]
        exact = light_field.double() / torch.iinfo(dtype).max if dtype in INTEGERS else light_field.double()
        args64 = [exact, args[1].double(), args[2].double()]
        for group in (args, args64):
            for i, argument in enumerate(group):
                group[i] = argument.detach().clone().requires_grad_(i > 0 or dtype not in INTEGERS)
        out = torch.ops.lfdeblur.refocus(*args, interpolation, border)
        grad = torch.randn(out.shape, dtype=torch.float64, device=device).to(out.dtype)
        out.backward(grad)
        reference.refocus(*args64, interpolation, border).backward(grad.double())
        # Sums over all pixels of terms of both signs: the rounding is that of the terms, not of the result. With
        # border `valid` the aperture's gradient also has the output in it, which is rounded to the output's dtype.
        rounding = {torch.float16: 5e-3, torch.bfloat16: 4e-2}.get(dtype, 1e-6)
        for ours, theirs in zip(args, args64, strict=True):
            if ours.requires_grad:
                grad64 = torch.zeros_like(theirs) if theirs.grad is None else theirs.grad  # None: nearest's disparity
                tolerance = TOL[ours.dtype] | {"atol": rounding * max(1.0, grad64.abs().max().item())}
                torch.testing.assert_close(ours.grad, grad64.to(ours.dtype), **tolerance)


@pytest.mark.parametrize("border", ["replicate", "valid"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_gradcheck(backend, device, interpolation, border):
    light_field = views((2, 2, 1, 3, 4), torch.float64, device).requires_grad_()
    weights = (apertures(2, 2, device) + 0.1).requires_grad_()  # gradcheck steps to both sides

    def run(*inputs):
        return refocus(
            inputs[0], inputs[1], aperture=inputs[2], interpolation=interpolation, border=border, backend=backend
        )

    for disparity in (torch.tensor([0.3, -1.1], device=device).double(), disparity_map((), 3, 4, device) + 0.02):
        assert torch.autograd.gradcheck(run, (light_field, disparity.requires_grad_(), weights))


def test_shapes(backend, device):
    light_field = views((3, 3, 2, 6, 7), torch.float32, device)
    batch = views((4, 5, 3, 3, 2, 6, 7), torch.float32, device)
    planes, one_map = torch.tensor([0.5, 1.0, 2.0], device=device), torch.zeros((6, 7), device=device)
    weights = torch.ones((3, 3), device=device)
    for disparity, want in [(1.0, ()), (planes, (3,)), (one_map, ()), (one_map.expand(2, 6, 7), (2,)), ([1, 2], (2,))]:
        for aperture, axis in [(None, ()), (weights, ()), (weights.expand(4, 3, 3), (4,))]:
            out = refocus(light_field, disparity, aperture=aperture, backend=backend)
            assert out.shape == (*axis, *want, 2, 6, 7)
            out = refocus(batch, disparity, aperture=aperture, backend=backend)
            assert out.shape == (4, 5, *axis, *want, 2, 6, 7)


def test_a_map_for_each_light_field(backend, device):
    batch = views((2, 3, 3, 3, 2, 6, 7), torch.float32, device)
    maps = disparity_map((2, 3), 6, 7, device)
    planes = disparity_map((2, 3, 4), 6, 7, device)
    weights = apertures(3, 3, device)

    def one_by_one(disparity):
        each = [[refocus(batch[i, j], disparity[i, j], aperture=weights) for j in range(3)] for i in range(2)]
        return torch.stack([torch.stack(row) for row in each])

    def run(light_field, disparity):
        return refocus(light_field, disparity, aperture=weights, backend=backend)

    torch.testing.assert_close(run(batch, maps), one_by_one(maps), **TOL[torch.float32])
    torch.testing.assert_close(run(batch, planes), one_by_one(planes), **TOL[torch.float32])
    shared = planes[:, :1]
    torch.testing.assert_close(run(batch, shared), one_by_one(shared.expand(-1, 3, -1, -1, -1)), **TOL[torch.float32])
    assert run(batch[:0], maps[:0]).shape == (0, 3, 2, 2, 6, 7)
    assert run(batch, planes[:, :, :0]).shape == (2, 3, 2, 0, 2, 6, 7)
    # Beside B light fields, B maps are one for each; an axis for the batch asks for planes, as another number does.
    assert run(batch[0], maps[0]).shape == (3, 2, 2, 6, 7)
    assert run(batch[0], maps[0][None]).shape == (3, 2, 3, 2, 6, 7)
    torch.testing.assert_close(run(batch[0], maps[0][None])[:, :, :2], run(batch[0], maps[0, :2]))


def test_gradients_of_a_map_for_each_light_field(backend, device):
    batch = views((2, 2, 2, 1, 3, 4), torch.float64, device).requires_grad_()
    maps = (disparity_map((2,), 3, 4, device) + 0.02).requires_grad_()
    assert torch.autograd.gradcheck(lambda *inputs: refocus(*inputs, backend=backend), (batch, maps))


def test_tensors_in_a_list_of_planes(backend, device):
    light_field, plane = (
        views((2, 2, 1, 3, 4), torch.float64, device),
        torch.tensor(0.3, device=device).requires_grad_(),
    )
    results = [
        refocus(light_field, planes, backend=backend)
        for planes in ([plane, 2 * plane, 1.0], torch.stack([plane, 2 * plane, plane.new_tensor(1.0)]))
    ]
    torch.testing.assert_close(*(torch.autograd.grad(out.square().sum(), plane) for out in results))


def test_integer_disparities(backend, device):
    light_field = views((3, 3, 2, 6, 7), torch.float32, device)
    steps = torch.arange(-1, 3, device=device)
    for integers in (steps, steps.to(torch.uint8), steps[:, None, None].expand(4, 6, 7)):
        out = refocus(light_field, integers, backend=backend)
        assert torch.equal(out, refocus(light_field, integers.double(), backend=backend))


def test_convention(backend, device):
    """A point of disparity 2 seen at (10, 12) in the centre view is sharp at disparity +2, at that very pixel."""
    light_field = torch.zeros((3, 5, 1, 21, 25), device=device)
    for v in range(3):
        for u in range(5):
            light_field[v, u, 0, 10 - 2 * (v - 1), 12 - 2 * (u - 2)] = 1
    sharp = refocus(light_field, 2.0, backend=backend)[0]
    assert sharp[10, 12].item() == pytest.approx(1)
    assert sharp.sum().item() == pytest.approx(1)
    assert refocus(light_field, -2.0, backend=backend).max().item() == pytest.approx(1 / 15)


def test_valid_border_of_a_constant_light_field(backend, device):
    light_field = torch.full((3, 3, 1, 8, 9), 0.25, device=device)
    out = refocus(light_field, [1.5, 20.0], border="valid", backend=backend)
    torch.testing.assert_close(out[0], torch.full_like(out[0], 0.25))
    # Twenty pixels a step leave the centre view alone, which covers every pixel.
    torch.testing.assert_close(out[1], torch.full_like(out[1], 0.25))
    ring = torch.ones((3, 3), device=device)
    ring[1, 1] = 0
    assert torch.equal(
        refocus(light_field, 20.0, aperture=ring, border="valid", backend=backend), torch.zeros_like(out[0])
    )


def test_views_are_read_in_place_whatever_their_strides(backend, device):
    whole = views((7, 7, 3, 20, 22), torch.uint8, device)
    crop = whole[1:6, ::2, :, 3:17, 4:20]
    out = refocus(crop, [0.5, -1.0, 1.0], backend=backend)
    torch.testing.assert_close(out, refocus(crop.contiguous(), [0.5, -1.0, 1.0], backend=backend))
    interleaved = whole.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    torch.testing.assert_close(refocus(interleaved, 0.5, backend=backend), refocus(whole, 0.5, backend=backend))
    flipped_pixels = whole.transpose(3, 4)
    torch.testing.assert_close(
        refocus(flipped_pixels, 0.5, backend=backend), refocus(flipped_pixels.contiguous(), 0.5, backend=backend)
    )


@pytest.mark.parametrize("as_map", [False, True], ids=["planes", "map"])
def test_opcheck(backend, device, as_map):
    if backend == "reference":
        pytest.skip("not an operator")
    light_field = views((1, 2, 3, 2, 5, 6), torch.float32, device).requires_grad_()
    disparity = disparity_map((2,), 5, 6, device).float() if as_map else torch.tensor([0.5, 1.25], device=device)
    weights = torch.full((2, 2, 3), 1 / 6, device=device).requires_grad_()
    args = (light_field, disparity.requires_grad_(), weights, "bilinear", "valid")
    opcheck(torch.ops.lfdeblur.refocus.default, args)
    plain = [a.detach() for a in args[:3]]
    out = torch.ops.lfdeblur.refocus(*plain, "bilinear", "valid")
    backward = (torch.randn_like(out), out, *plain, "bilinear", "valid")
    wanted = ((True, True, True), (False, True, False))
    opcheck(torch.ops.lfdeblur.refocus_backward.default, *((*backward, *needs) for needs in wanted))


def test_compiles_without_graph_break(backend, device):
    light_field = views((2, 3, 2, 5, 6), torch.float32, device).requires_grad_()
    disparity = torch.tensor([0.5, 1.25], device=device, requires_grad=True)
    weights = torch.ones((2, 3), device=device, requires_grad=True)

    def run(light_field, disparity, weights):
        return refocus(light_field * 2, disparity, aperture=weights, backend=backend).square().sum()

    compiled = torch.autograd.grad(
        torch.compile(run, fullgraph=True, backend=compiler(backend))(light_field, disparity, weights),
        (light_field, disparity, weights),
    )
    eager = torch.autograd.grad(run(light_field, disparity, weights), (light_field, disparity, weights))
    for ours, theirs in zip(compiled, eager, strict=True):
        torch.testing.assert_close(ours, theirs, **REORDERED_SUMS)


def test_autocast_keeps_the_dtype(backend, device):
    light_field = views((2, 3, 2, 5, 6), torch.float32, device)
    with torch.autocast(device, dtype=torch.bfloat16):
        out = refocus(light_field, 0.5, backend=backend)
    torch.testing.assert_close(out, refocus(light_field, 0.5, backend=backend))


@pytest.mark.parametrize(
    "shape", [(0, 3, 3, 1, 4, 5), (2, 3, 3, 0, 4, 5), (2, 3, 3, 1, 0, 5), (2, 3, 3, 1, 4, 0)], ids=str
)
def test_empty(backend, device, shape):
    light_field = torch.rand(shape, device=device, requires_grad=True)
    disparity = torch.tensor([0.5, 1.0], device=device, requires_grad=True)
    out = refocus(light_field, disparity, backend=backend)
    assert out.shape == (shape[0], 2, *shape[3:])
    out.sum().backward()
    assert light_field.grad.shape == shape
    assert torch.equal(disparity.grad, torch.zeros_like(disparity))
    assert refocus(torch.rand((3, 3, 1, 4, 5), device=device), [], backend=backend).shape == (0, 1, 4, 5)


def test_result_does_not_depend_on_threads():
    light_field = views((3, 5, 3, 37, 41), torch.float32)
    threads = torch.get_num_threads()
    results = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        each = []
        for disparity in (torch.tensor([0.75, -2.0, 1.5]), disparity_map((2,), 37, 41).float()):
            inputs = [light_field[None], disparity, torch.full((1, 3, 5), 1 / 15)]
            leaves = [tensor.clone().requires_grad_() for tensor in inputs]
            out = torch.ops.lfdeblur.refocus(*leaves, "bilinear", "replicate")
            each += [out.detach(), *torch.autograd.grad(out.square().sum(), leaves)]
        results.append(each)
    torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(results[0], other, strict=True))


VIEWS = torch.zeros(3, 3, 1, 4, 5)


@pytest.mark.parametrize(
    ("light_field", "disparity", "options", "error", "text"),
    [
        ("scene", 1.0, {}, TypeError, "light_field: got str, want a tensor"),
        (VIEWS[0], 1.0, {}, RuntimeError, r"light_field: got shape \[3, 1, 4, 5\], want \[..., V, U, C, H, W\]"),
        (VIEWS.int(), 1.0, {}, TypeError, "light_field: got dtype torch.int32"),
        (VIEWS[:0], 1.0, {}, RuntimeError, "light_field: got 0 x 3 views"),
        (VIEWS, "near", {}, TypeError, "disparity: got 'near'"),
        (VIEWS, torch.ones(2, dtype=torch.bool), {}, TypeError, "disparity: got dtype torch.bool, want real numbers"),
        (VIEWS, torch.ones(1, 1, 4, 5), {}, RuntimeError, r"maps of shape \[1, 1, 4, 5\], .* or planes, \[D, H, W\]"),
        (
            VIEWS[None].expand(2, -1, -1, -1, -1, -1),
            torch.ones(3, 1, 4, 5),
            {},
            RuntimeError,
            r"one for each, \[2, H, W\], or planes, \[2 or 1, D, H, W\]",
        ),
        (VIEWS, torch.ones(4, 6), {}, RuntimeError, r"disparity: got a map of shape \[4, 6\], want \[..., 4, 5\]"),
        (VIEWS, torch.tensor([0.0, float("nan")]), {}, ValueError, "disparity: got NaN or infinite values"),
        (VIEWS, float("inf"), {}, ValueError, "disparity: got NaN or infinite values"),
        (VIEWS, torch.ones(2, device="meta"), {}, RuntimeError, "disparity: got device meta"),
        (VIEWS, 1.0, {"aperture": [[1.0]]}, TypeError, "aperture: got list"),
        (VIEWS, 1.0, {"aperture": torch.ones(3, 3).int()}, TypeError, "aperture: got dtype torch.int32"),
        (VIEWS, 1.0, {"aperture": torch.ones(3, 4)}, RuntimeError, r"aperture: got shape \[3, 4\], want \[3, 3\]"),
        (VIEWS, 1.0, {"aperture": torch.ones(3, 3, device="meta")}, RuntimeError, "aperture: got device meta"),
        (VIEWS, 1.0, {"aperture": -torch.eye(3)}, ValueError, "aperture: got a negative weight"),
        (VIEWS, 1.0, {"aperture": torch.zeros(3, 3)}, ValueError, "aperture: got weights that are all zero"),
        (VIEWS, 1.0, {"aperture": torch.eye(3) * float("nan")}, ValueError, "aperture: got NaN"),
        (
            VIEWS,
            1.0,
            {"aperture": torch.stack([torch.eye(3), torch.zeros(3, 3)])},
            ValueError,
            "aperture: got weights that are all zero",
        ),
        (VIEWS, 1.0, {"interpolation": "lanczos"}, ValueError, "interpolation: got 'lanczos'"),
        (VIEWS, 1.0, {"border": "wrap"}, ValueError, "border: got 'wrap', want 'replicate', 'valid' or 'zeros'"),
        (VIEWS, 1.0, {"backend": "gpu"}, ValueError, "backend: got 'gpu'"),
        (VIEWS, 1.0, {"backend": "cuda"}, BackendError, "no backend can run this call: cuda: "),
    ],
)
def test_bad_input(light_field, disparity, options, error, text):
    with pytest.raises(error, match=text):
        refocus(light_field, disparity, **options)


def test_backends_of_an_op():
    assert backends("refocus") == backends(refocus)
    assert backends(refocus)["reference"] == "ok"
    with pytest.raises(ValueError, match="op: got 'defocus'"):
        backends("defocus")


@pytest.mark.cuda
def test_more_than_2_to_the_31_elements():
    light_field = torch.zeros((2, 2, 1, 24_000, 24_000), dtype=torch.uint8, device="cuda")
    light_field[-1, -1, 0, -1, -1] = 255
    assert refocus(light_field, 0.0, backend="cuda")[0, -1, -1].item() == pytest.approx(0.25)
