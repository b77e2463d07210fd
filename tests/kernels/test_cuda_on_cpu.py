"""The CUDA kernels, compiled as C++ and run on the CPU, against the float64 reference; and the harness against kernels
broken on purpose."""

import itertools
import shutil

import pytest
import torch

from benchmarks.gpu.kernel_facts import headline_launches
from lfdeblur_ops import reference
from lfdeblur_ops.testing import FLOATS, TOL

from .budgets import BUDGETS, budget_of
from .cuda_on_cpu import KernelError, build, build_broken

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ on this machine"),
    pytest.mark.xdist_group("cuda_on_cpu"),
]

INTEGERS = (torch.uint8, torch.uint16)
BORDERS = {"filter": ["replicate", "zeros"], "refocus": ["replicate", "valid"]}


@pytest.fixture(scope="module")
def cache(pytestconfig):
    return pytestconfig.cache.mkdir("cuda_on_cpu")


@pytest.fixture(scope="module")
def kernels(cache, tmp_path_factory):
    return build(cache, tmp_path_factory.mktemp("cuda_on_cpu"))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The reference's tensors are small: more threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random(shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    if dtype in INTEGERS:
        return torch.randint(0, torch.iinfo(dtype).max + 1, shape, generator=generator).to(dtype)
    return torch.rand(shape, generator=generator, dtype=torch.float64).sub(0.4).to(dtype)


def check(actual, expected, name=""):
    expected = expected.to(actual.dtype)
    torch.testing.assert_close(actual, expected, **TOL[actual.dtype], msg=lambda m: f"{name}: {m}")


def borders_and_pages(op):
    """Each border with buffers that end, and that begin, at a page which must not be touched; half of them are slow."""
    first, second = BORDERS[op]
    quick = ((first, True), (second, False))
    return pytest.mark.parametrize(
        ("border", "at_end"),
        [
            pytest.param(
                border,
                at_end,
                id=f"{border}-{'end' if at_end else 'begin'}",
                marks=() if (border, at_end) in quick else pytest.mark.slow,
            )
            for border in (first, second)
            for at_end in (True, False)
        ],
    )


# dynamic_filter

FILTER_SHAPES = [(1, 1, 1, 1), (2, 3, 5, 7), (1, 6, 10, 72), (1, 2, 19, 65)]


def filters_for(shape, k, shared, layout, dtype):
    n, channels, height, width = shape
    planes = k * k * (1 if shared else channels)
    filters = random((n, planes, height, width), dtype, seed=1)
    if layout == "channels_last":
        return filters.contiguous(memory_format=torch.channels_last)
    if layout == "sliced":  # rows, planes and pictures side by side with room between
        wider = random((n, planes + 1, height + 1, -(-width // 16) * 16 + 16), dtype, seed=1)
        return wider[:, :planes, :height, :width]
    if layout == "strided":  # neither pixels nor taps side by side
        return filters.transpose(2, 3).contiguous().transpose(2, 3)
    return filters


def run_filter(kernels, shape, k, shared, layout, border, dtype):
    x, grad = random(shape, dtype), random(shape, dtype, seed=2)
    filters = filters_for(shape, k, shared, layout, dtype)
    exact_x, exact_filters = x.double().requires_grad_(), filters.double().requires_grad_()
    expected = reference.dynamic_filter(exact_x, exact_filters, k, border)
    expected.backward(grad.double())
    where = f"shape {shape} k {k} shared {shared}"
    check(kernels.dynamic_filter(x, filters, k, border), expected.detach(), f"out, {where}")
    grad_x, grad_filters = kernels.dynamic_filter_backward(grad, x, filters, k, border)
    check(grad_x, exact_x.grad, f"grad_x, {where}")
    check(grad_filters, exact_filters.grad, f"grad_filters, {where}")


@borders_and_pages("filter")
@pytest.mark.parametrize("layout", ["planar", "channels_last", "strided"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dynamic_filter(kernels, dtype, layout, border, at_end):
    kernels.at_end = at_end
    for k in (1, 3, 5, 7, 9):
        for shape in FILTER_SHAPES if k in (3, 9) else FILTER_SHAPES[:3]:
            run_filter(kernels, shape, k, shape[1] != 2, layout, border, dtype)


@pytest.mark.parametrize("at_end", [True, False], ids=["end", "begin"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dynamic_filter_beside_the_widest_loads(kernels, dtype, at_end):
    """All that keeps 16-byte loads from being used, one at a time: widths, strides, addresses."""
    kernels.at_end = at_end
    run_filter(kernels, (1, 3, 1, 7), 1, True, "planar", "replicate", dtype)
    for shape in ((2, 3, 5, 13), (2, 3, 5, 24)):
        run_filter(kernels, shape, 3, shape[3] == 24, "sliced", "zeros", dtype)
    x, grad = random((2, 2, 3, 16), dtype), random((2, 2, 3, 16), dtype, seed=2)
    planes = random((2, 9, 3, 16), dtype, seed=1)
    apart = [
        torch.empty_strided(planes.shape, strides, dtype=dtype).copy_(planes)
        for strides in ((18 * 48 + 1, 48, 16, 1), (18 * 64, 49, 16, 1), (18 * 64, 64, 17, 1))
    ]
    for filters in (planes, *apart):
        expected = kernels.dynamic_filter(x, filters, 3, "zeros")
        gradients = kernels.dynamic_filter_backward(grad, x, filters, 3, "zeros")
        check(expected, reference.dynamic_filter(x.double(), planes.double(), 3, "zeros"))
        for misplaced in range(5):
            kernels.misplaced = misplaced
            check(kernels.dynamic_filter(x, filters, 3, "zeros"), expected)
            for got, want in zip(kernels.dynamic_filter_backward(grad, x, filters, 3, "zeros"), gradients, strict=True):
                check(got, want)
        kernels.misplaced = None


@pytest.mark.parametrize("layout", ["planar", "channels_last"])
@pytest.mark.parametrize("axis", range(4))
def test_dynamic_filter_strides_beyond_32_bits(kernels, monkeypatch, layout, axis):
    for shape in ((2, 2, 2, 16), (2, 2, 2, 5)):
        x, grad = random(shape, torch.float16), random(shape, torch.float16, seed=2)
        filters = filters_for(shape, 3, False, layout, torch.float16)
        monkeypatch.setattr(kernels, "far", (1, axis))
        out = kernels.dynamic_filter(x, filters, 3, "replicate")
        monkeypatch.setattr(kernels, "far", (2, axis))
        far = kernels.dynamic_filter_backward(grad, x, filters, 3, "replicate")
        monkeypatch.setattr(kernels, "far", None)
        check(out, kernels.dynamic_filter(x, filters, 3, "replicate"))
        for got, want in zip(far, kernels.dynamic_filter_backward(grad, x, filters, 3, "replicate"), strict=True):
            check(got, want)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per channel"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dynamic_filter_largest_kernel(kernels, dtype, shared):
    for layout in ("planar", "channels_last"):
        run_filter(kernels, (1, 5, 6, 40), 15, shared, layout, "replicate", dtype)


@pytest.mark.parametrize("border", BORDERS["filter"])
@pytest.mark.parametrize("layout", ["planar", "channels_last"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_dynamic_filter_several_tiles(kernels, dtype, layout, border):
    for k in (5, 7):
        run_filter(kernels, (1, 5, 35, 256), k, True, layout, border, dtype)
    run_filter(kernels, (2, 1, 2, 264), 7, True, layout, border, dtype)  # fewer rows than a kernel has
    # A strip of columns with neighbours on both sides, rows of filters of every alignment.
    run_filter(kernels, (1, 1, 5, 401), 7, True, layout, border, dtype)


def test_dynamic_filter_outside_taps_have_no_gradient(kernels):
    x, filters = random((1, 3, 4, 8), torch.float32), random((1, 25, 4, 8), torch.float32)
    _, grad = kernels.dynamic_filter_backward(x, x, filters, 5, "zeros")
    taps = grad.view(5, 5, 4, 8)
    assert (taps[:2, :, 0] == 0).all()
    assert (taps[:, 3:, :, -1] == 0).all()
    assert (taps[2, 2] != 0).all()


def test_dynamic_filter_one_gradient_alone(kernels):
    x, filters = random((1, 3, 4, 8), torch.float32), random((1, 9, 4, 8), torch.float32)
    both = kernels.dynamic_filter_backward(x, x, filters, 3, "replicate")
    for i in (0, 1):
        one = kernels.dynamic_filter_backward(x, x, filters, 3, "replicate", need_x=i == 0, need_filters=i == 1)
        assert torch.equal(one[i], both[i])
        assert one[1 - i] is None


# refocus

PLANES = [
    0.0,
    1.125,
    -0.625,
    9.5,
    -40.0,
]  # dyadic: `nearest` and `valid` jump, and are to jump here as in the reference


def apertures(count, rows, columns):
    weights = 0.1 + torch.rand((count, rows, columns), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    if rows * columns > 1:
        weights[0, 0, 0] = 0
    return weights / weights.sum((1, 2), keepdim=True)


def map_of(planes, height, width):
    steps = torch.randint(-30, 31, (planes, height, width), generator=torch.Generator().manual_seed(4))
    return steps.double() / 8


def run_refocus(kernels, light_field, disparity, aperture, interpolation, border, gradients=True):
    dtype = light_field.dtype
    sum_dtype = torch.float64 if dtype == torch.float64 else torch.float32
    disparity, aperture = disparity.to(sum_dtype), aperture.to(sum_dtype)
    height, width = light_field.shape[-2:]
    # The reference takes a map always, and so tells the disparity's gradient per pixel.
    spread = disparity if disparity.dim() == 3 else disparity[:, None, None].expand(-1, height, width)
    scale = 1 if dtype.is_floating_point else torch.iinfo(dtype).max
    exact = [t.double().clone().requires_grad_() for t in (light_field.double() / scale, spread, aperture)]
    expected = reference.refocus(*exact, interpolation, border)
    where = f"{tuple(light_field.shape)}, disparity {tuple(disparity.shape)}, A {len(aperture)}"
    check(kernels.refocus(light_field, disparity, aperture, interpolation, border), expected.detach(), f"out, {where}")
    if not gradients:
        return
    grad = random(expected.shape, sum_dtype, seed=5)
    expected.backward(grad.double())
    out = expected.detach().to(sum_dtype)
    results = kernels.refocus_backward(grad, out, light_field, disparity, aperture, interpolation, border)
    for name, actual, of in zip(("light_field", "disparity", "aperture"), results, exact, strict=True):
        if actual is not None:
            gradient = torch.zeros_like(of) if of.grad is None else of.grad
            # Rounding grows like the root of the number of terms: an aperture's gradient sums over all pixels.
            terms = grad.numel() ** 0.5 if name == "aperture" else 1
            check(actual / terms, gradient / terms, f"grad of {name}, {where}")


@borders_and_pages("refocus")
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_refocus(kernels, dtype, interpolation, border, at_end):
    kernels.at_end = at_end
    for shape, a in [((1, 1, 1, 1, 1, 1), 1), ((2, 3, 4, 1, 5, 7), 2), ((1, 5, 2, 3, 10, 67), 1)]:
        light_field, aperture = random(shape, dtype), apertures(a, *shape[1:3])
        planes = PLANES if shape[-1] < 60 else [1.125]
        run_refocus(kernels, light_field, torch.tensor(planes), aperture, interpolation, border)
        run_refocus(kernels, light_field, map_of(2, *shape[-2:])[: 3 - a], aperture, interpolation, border)


@pytest.mark.parametrize("border", BORDERS["refocus"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8], ids=str)
def test_refocus_strided_views(kernels, dtype, interpolation, border):
    stored = random((6, 3, 4, 2, 20), dtype)  # [H, V, U, C, more than W], as in a lenslet picture
    light_field = stored[..., 3:17].permute(1, 2, 3, 0, 4)[None]
    aperture = apertures(5, 3, 4)  # five planes: more than a block's
    run_refocus(kernels, light_field, torch.tensor([0.375]), aperture, interpolation, border)
    run_refocus(kernels, light_field, map_of(1, 6, 14), aperture, interpolation, border)


@pytest.mark.parametrize("axis", range(5))
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8], ids=str)
def test_refocus_strides_beyond_32_bits(kernels, monkeypatch, dtype, axis):
    monkeypatch.setattr(kernels, "far", (0, axis))
    light_field, aperture = random((2, 2, 2, 2, 3, 9), dtype), apertures(1, 2, 2)
    for disparity in (torch.tensor([0.5]), torch.tensor([-0.25, 0.5, 1.0]), map_of(1, 3, 9)):
        run_refocus(kernels, light_field, disparity, aperture, "bilinear", "replicate")
    # Of several tiles, so that some lie inside of the view.
    light_field, disparity = random((1, 2, 2, 1, 47, 141), dtype), torch.tensor([-0.25, 0.5, 1.0])
    run_refocus(kernels, light_field, disparity, aperture, "bilinear", "replicate", gradients=False)


@pytest.mark.parametrize("border", BORDERS["refocus"])
def test_refocus_more_views_than_a_window(kernels, border):
    for rows, columns in [(70, 2), (2, 70)]:
        light_field = random((1, rows, columns, 1, 3, 5), torch.float32)
        # Dyadic, and another fraction of a pixel for the view that has a place of the table in the next window.
        disparity = torch.tensor([33, -17]) / 128
        run_refocus(kernels, light_field, disparity, apertures(1, rows, columns), "bilinear", border)


def test_refocus_more_planes_than_a_window(kernels):
    disparity = torch.arange(-35, 36) / 8
    run_refocus(kernels, random((1, 2, 3, 1, 3, 6)), disparity, apertures(1, 2, 3), "bicubic", "replicate")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32], ids=str)
def test_refocus_several_tiles(kernels, dtype):
    light_field = random((1, 2, 3, 1, 19, 135), dtype)
    for planes in ([0.3], [0.3, -1.7, 2.2]):  # not dyadic
        run_refocus(
            kernels,
            light_field,
            torch.tensor(planes).double(),
            apertures(1, 2, 3),
            "bicubic",
            "replicate",
            planes == [0.3],
        )


# What a block of the many-plane kernel needs of a view lies inside of it, across its border, or too far apart for the
# block's shared memory.
STACKS = {"near": 0.0625, "across the border": 0.6875, "far apart": 9.75}


@pytest.mark.parametrize("step", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", FLOATS[1:] + INTEGERS, ids=str)
def test_refocus_many_planes(kernels, dtype, interpolation, step):
    light_field = random((1, 2, 3, 1, 47, 141), dtype)
    for count in (3, 37) if interpolation == "bilinear" else (11,):
        disparity = (torch.arange(count) - count // 2) * step
        run_refocus(kernels, light_field, disparity, apertures(1, 2, 3), interpolation, "replicate", gradients=False)


@pytest.mark.parametrize("at_end", [True, False], ids=["end", "begin"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8], ids=str)
def test_refocus_many_apertures(kernels, dtype, at_end):
    kernels.at_end = at_end
    light_field = random((2, 4, 3, 2, 33, 70), dtype)
    aperture = apertures(3, 4, 3)
    aperture[1, :, 0], aperture[2, :, 1:], aperture[:, 2] = 0, 0, 0  # halves, and views that nothing weighs
    aperture /= aperture.sum((1, 2), keepdim=True)
    disparity = torch.tensor([0.5, 0.25, -1.75, 0.5])
    run_refocus(kernels, light_field, disparity, aperture, "bilinear", "replicate", gradients=False)


def test_refocus_survives_nan_disparity(kernels):
    disparity = torch.tensor([float("nan"), float("inf"), -3e38])
    kernels.refocus(
        random((1, 3, 3, 1, 4, 5), torch.float32), disparity, apertures(1, 3, 3).float(), "bilinear", "valid"
    )


def test_every_kernel_runs_within_the_shared_memory_of_its_budget(kernels):
    """The largest launches of each kernel, on tiny images, on a device like that of sm_80."""
    kernels.launches()
    for dtype, k, width in itertools.product(FLOATS, (3, 5, 7, 15), (5, 8)):
        for layout in ("planar", "channels_last"):
            x, filters = random((1, 4, 2, width), dtype), filters_for((1, 4, 2, width), k, True, layout, dtype)
            kernels.dynamic_filter(x, filters, k, "replicate")
            kernels.dynamic_filter_backward(x, x, filters, k, "replicate")
    for dtype, interpolation, border in itertools.product(
        FLOATS + INTEGERS, ("bilinear", "bicubic"), BORDERS["refocus"]
    ):
        sum_dtype = torch.float64 if dtype == torch.float64 else torch.float32
        for views, planes in ((32, 1), (32, 64), (2, 1), (2, 64)):
            light_field = random((1, views, views, 1, 2, 3), dtype)
            aperture = torch.zeros((1, views, views), dtype=sum_dtype)
            aperture[0, 1, 0] = 1  # the other views are skipped
            for disparity in (torch.zeros(planes, dtype=sum_dtype), torch.zeros(1, 2, 3, dtype=sum_dtype)):
                arguments = light_field, disparity, aperture, interpolation, border
                out = kernels.refocus(*arguments).to(sum_dtype)
                if views == 2:
                    kernels.refocus_backward(out, out, *arguments)
    launches = kernels.launches()
    assert {launch.kernel for launch in launches} == kernels.kernels
    most = dict.fromkeys((budget["kernel"] for budget in BUDGETS), 0)
    for launch in launches:
        name = budget_of(launch.kernel)["kernel"]
        most[name] = max(most[name], launch.shared)
    assert most == {budget["kernel"]: budget["shared"] for budget in BUDGETS}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.uint8], ids=str)
def test_launches_are_those_of_the_kernel_facts(kernels, dtype):
    """Tiny images with the widths, views and planes that choose the kernels of the benchmarked cases."""
    name = {torch.float32: "float", torch.bfloat16: "bf16", torch.float16: "f16", torch.uint8: "uint8_t"}[dtype]
    stated = [row for row in headline_launches("80") if row["case"].split()[-1] == name]  # the harness's limits
    kernels.launches()
    happened = []
    for layout in ("planar", "channels_last") if dtype in (torch.float32, torch.bfloat16) else ():
        x, filters = random((1, 3, 2, 64), dtype), filters_for((1, 3, 2, 64), 7, True, layout, dtype)
        kernels.dynamic_filter(x, filters, 7, "replicate")
        kernels.dynamic_filter_backward(x, x, filters, 7, "replicate")
        happened += kernels.launches()
    for planes, interpolation in ((1, "bilinear"), (64, "bilinear"), (64, "bicubic")):
        if dtype == torch.bfloat16:
            continue
        light_field, aperture = random((1, 15, 15, 1, 2, 3), dtype), apertures(1, 15, 15).float()
        kernels.refocus(light_field, torch.linspace(-1, 1, planes), aperture, interpolation, "replicate")
        happened += kernels.launches()
    assert sorted(happened) == sorted((row["kernel"], row["threads"], row["dynamic_shared"]) for row in stated)
    assert happened


# The harness itself

BROKEN = {
    "border clamp": (
        (
            "dynamic_filter_tile.h",
            "min(max(y + i, 0), height - 1)",
            "min(max(y + i, 0), height - 2)",
            "dynamic_filter.cu",
        ),
        AssertionError,
    ),
    "missing barrier": (
        (
            "dynamic_filter.cu",
            "__syncthreads();\n    if (!live) continue;",
            "if (!live) continue;",
            "dynamic_filter.cu",
        ),
        AssertionError,
    ),
    "missing barrier before the next tile": (
        ("dynamic_filter.cu", "if (c0) __syncthreads();", "", "dynamic_filter.cu"),
        AssertionError,
    ),
    "divergent barrier": (
        (
            "dynamic_filter.cu",
            "__syncthreads();\n    if (!live) continue;",
            "if (!live) continue;\n    __syncthreads();",
            "dynamic_filter.cu",
        ),
        KernelError,
    ),
    "misaligned read": (
        (
            "dynamic_filter_tile.h",
            "aligned16(image) && aligned16(other_image)",
            "aligned16(other_image)",
            "dynamic_filter_backward.cu",
        ),
        KernelError,
    ),
    "stride of 32 bits": (
        (
            "dynamic_filter.cu",
            "(ky * k + kx + i) * s.ft",
            "(ky * k + kx + i) * static_cast<int>(s.ft)",
            "dynamic_filter.cu",
        ),
        KernelError,
    ),
    "read out of bounds": (
        ("dynamic_filter.cu", "live = px < s.width && py < s.height", "live = px < s.width", "dynamic_filter.cu"),
        KernelError,
    ),
    "shared memory too small": (
        ("dynamic_filter_tile.h", "* tile.rows * tile.pitch", "* (tile.rows - 1) * tile.pitch", "dynamic_filter.cu"),
        KernelError,
    ),
    "missing barrier between two rows of filters": (
        (
            "dynamic_filter_backward.cu",
            "__syncthreads();\n      if (s.fx == taps)",
            "if (s.fx == taps)",
            "dynamic_filter_backward.cu",
        ),
        AssertionError,
    ),
    "two blocks write a pixel": (
        (
            "dynamic_filter_backward.cu",
            "threadIdx.x == 0 || threadIdx.x == 31",
            "threadIdx.x == 0",
            "dynamic_filter_backward.cu",
        ),
        AssertionError,
    ),
    "write out of bounds": (
        ("refocus.cu", "r < rows && y0 + r < s.h", "r < rows", "refocus.cu"),
        KernelError,
    ),
    "missing barrier in a reduction": (
        (
            "refocus_backward.cu",
            "__syncthreads();\n        if (thread < half)",
            "if (thread < half)",
            "refocus_backward.cu",
        ),
        AssertionError,
    ),
    "missing barrier between two views": (
        ("refocus_stack.cu", "__syncthreads();\n          v = next;", "v = next;", "refocus_stack.cu"),
        AssertionError,
    ),
    "divergent shuffle": (
        ("refocus_stack.cu", "sum[p][r] += w[j] * __shfl", "if (lane) sum[p][r] += w[j] * __shfl", "refocus_stack.cu"),
        KernelError,
    ),
    "more shared memory than asked for": (
        ("refocus_stack.cu", "MaxDynamicSharedMemorySize, bytes", "MaxDynamicSharedMemorySize, 0", "refocus_stack.cu"),
        KernelError,
    ),
    "clamp of a gathered border": (
        ("refocus_backward.cu", "p == size - 1 ? size - 1 :", "", "refocus_backward.cu"),
        AssertionError,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_kernels_are_caught(kernels, cache, tmp_path, monkeypatch, name):
    substitution, error = BROKEN[name]
    broken = build_broken(cache, tmp_path, *substitution)
    for library in (kernels, broken):
        monkeypatch.setattr(library, "at_end", True)
        monkeypatch.setattr(library, "misplaced", 0 if name == "misaligned read" else None)
    if name == "stride of 32 bits":
        x, filters = random((1, 1, 2, 8), torch.float32), random((1, 9, 2, 8), torch.float32, seed=1)
        for library in (kernels, broken):
            monkeypatch.setattr(library, "far", (1, 1))
        kernels.dynamic_filter(x, filters, 3, "zeros")
        with pytest.raises(error):
            broken.dynamic_filter(x, filters, 3, "zeros")
    elif substitution[-1].startswith("dynamic_filter"):
        layout = "channels_last" if "rows of filters" in name else "planar"
        arguments = ((1, 6, 13, 144), 5, True, layout, "replicate", torch.float32)
        run_filter(kernels, *arguments)
        with pytest.raises(error):
            run_filter(broken, *arguments)
    else:
        light_field, disparity, aperture = (
            random((1, 3, 3, 2, 6, 7), torch.float32),
            torch.tensor([1.125, -0.5] if substitution[-1] == "refocus_stack.cu" else [1.125]),
            apertures(1, 3, 3),
        )
        run_refocus(kernels, light_field, disparity, aperture, "bilinear", "replicate")
        with pytest.raises(error):
            run_refocus(broken, light_field, disparity, aperture, "bilinear", "replicate")
