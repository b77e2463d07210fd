"""The Triton kernels against the float64 reference: on a GPU, or on a CPU by Triton's interpreter.

Without a GPU ``test_triton_interpreter.py`` runs this file in a process of its own, since a kernel is either
interpreted or compiled from the moment its module is imported.
"""

import importlib.util
import math
import sys

import pytest
import torch

from lfdeblur_ops import reference
from lfdeblur_ops.testing import TOL, TOL_HIDDEN

from .triton_interpreter import INTERPRETED, repair

pytest.importorskip("triton")
if INTERPRETED:
    repair()

from lfdeblur_ops.triton import conv3x3 as conv
from lfdeblur_ops.triton import conv_transpose4x4 as transposed
from lfdeblur_ops.triton import drb_head as head
from lfdeblur_ops.triton import drb_head_backward as backward
from lfdeblur_ops.triton import residual_block as block

pytestmark = [] if INTERPRETED else [pytest.mark.cuda]
DEVICE = "cpu" if INTERPRETED else "cuda"
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
UNBOUNDED = (None, None)
LAYOUTS = ["strided", *(pytest.param(layout, marks=pytest.mark.slow) for layout in ("contiguous", "sliced"))]


@pytest.fixture(autouse=True)
def plain_float32():
    settings = torch.backends.cudnn.conv, torch.backends.cuda.matmul
    before = [setting.fp32_precision for setting in settings]
    for setting in settings:
        setting.fp32_precision = "ieee"
    yield
    for setting, value in zip(settings, before, strict=True):
        setting.fp32_precision = value


def draw(*shape, dtype, layout="channels_last", scale=1.0, seed=0):
    """Random numbers; all memory around those that count is NaN, which spoils a result that reads it."""
    generator = torch.Generator().manual_seed(seed + sum(shape))
    values = (torch.randn(shape, generator=generator, dtype=torch.float64) * scale).to(dtype)
    if layout == "channels_last" and len(shape) == 4:
        values = values.contiguous(memory_format=torch.channels_last)
    if layout == "sliced":  # some channels of a wider channels-last tensor
        n, c, h, w = shape
        wider = torch.full((n, c + 16, h, w), math.nan, dtype=dtype).contiguous(memory_format=torch.channels_last)
        wider[:, 8 : 8 + c] = values
        return wider.to(DEVICE)[:, 8 : 8 + c]
    if layout == "strided":
        values = values.transpose(2, 3).contiguous().transpose(2, 3)
    return guarded(values)


def guarded(values):
    margin = 64
    buffer = torch.full((values.numel() + 2 * margin,), math.nan, dtype=values.dtype)
    inside = buffer.as_strided(values.shape, values.stride(), margin)
    inside.copy_(values)
    return buffer.to(DEVICE).as_strided(values.shape, values.stride(), margin)


def doubled(arguments):
    return [x.double() if isinstance(x, torch.Tensor) else x for x in arguments]


def check(op, arguments, tolerance=None):
    out = getattr(sys.modules[op.__module__], op.__name__)(*arguments)
    expected = getattr(reference, op.__name__)(*doubled(arguments)).to(out.dtype)
    memory_format = torch.contiguous_format if op is head.drb_head else torch.channels_last
    assert out.is_contiguous(memory_format=memory_format)
    torch.testing.assert_close(out, expected, **(tolerance or TOL[out.dtype]))
    return out


def conv_arguments(
    n, c, o, h, w, dtype, *, c2=0, stride=1, bias=True, residual=True, slope=0.1, layout="channels_last"
):
    scale = 1 / math.sqrt(9 * (c + c2))
    return (
        draw(n, c, h, w, dtype=dtype, layout=layout),
        draw(n, c2, h, w, dtype=dtype, layout=layout, seed=1) if c2 else None,
        draw(o, c + c2, 3, 3, dtype=dtype, layout="contiguous", scale=scale),
        draw(o, dtype=dtype) if bias else None,
        draw(n, o, -(-h // stride), -(-w // stride), dtype=dtype, layout=layout, seed=2) if residual else None,
        stride,
        slope,
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("channels", "channels2", "outputs", "stride"),
    [(3, 0, 32, 1), (6, 0, 16, 2), (32, 0, 64, 2), (20, 33, 40, 1)],
)
def test_conv3x3(dtype, channels, channels2, outputs, stride):
    check(conv.conv3x3, conv_arguments(1, channels, outputs, 5, 7, dtype, c2=channels2, stride=stride))


@pytest.mark.slow
def test_conv3x3_of_several_blocks():
    """Of pixels, of output channels and of input channels."""
    check(conv.conv3x3, conv_arguments(2, 70, 130, 3, 17, torch.float16, c2=3))


@pytest.mark.parametrize("size", [(1, 1), (1, 20), (17, 1), (9, 18)], ids=str)
@pytest.mark.parametrize("channels", [3, 16])
def test_conv3x3_sizes(size, channels):
    for stride in (1, 2):
        check(conv.conv3x3, conv_arguments(1, channels, 16, *size, torch.float16, stride=stride))


@pytest.mark.parametrize("layout", ["contiguous", "sliced", "strided"])
@pytest.mark.parametrize("channels", [3, 24])
def test_conv3x3_layouts_and_absent_tensors(layout, channels):
    check(conv.conv3x3, conv_arguments(2, channels, 16, 5, 6, torch.float16, layout=layout))
    options = {"bias": False, "residual": False, "slope": 1.0, "layout": layout}
    check(conv.conv3x3, conv_arguments(1, channels, 16, 5, 6, torch.bfloat16, **options))


@pytest.mark.parametrize(
    ("channels", "outputs", "dtype"),
    [
        (33, 24, torch.float16),
        *(pytest.param(64, 32, dtype, marks=pytest.mark.slow) for dtype in DTYPES),
    ],
)
def test_conv_transpose4x4(channels, outputs, dtype):
    for size, layout, bias in (((1, 1), "sliced", False), ((2, 17), "strided", True)):
        x = draw(1, channels, *size, dtype=dtype, layout=layout)
        weight = draw(channels, outputs, 4, 4, dtype=dtype, layout="contiguous", scale=0.5 / math.sqrt(channels))
        residual = draw(1, outputs, 2 * size[0], 2 * size[1], dtype=dtype, layout=layout) if bias else None
        check(
            transposed.conv_transpose4x4,
            (x, weight, draw(outputs, dtype=dtype) if bias else None, residual, 0.1 if bias else 1.0),
        )


def block_arguments(channels, size, dtype, layout="channels_last", bias=True):
    weights = [
        draw(channels, channels, 3, 3, dtype=dtype, layout="contiguous", scale=1 / math.sqrt(9 * channels), seed=seed)
        for seed in (0, 1)
    ]
    biases = [draw(channels, dtype=dtype, seed=seed) if bias else None for seed in (0, 1)]
    return (
        draw(*size[:1], channels, *size[1:], dtype=dtype, layout=layout),
        weights[0],
        biases[0],
        weights[1],
        biases[1],
        0.1,
    )


@pytest.mark.parametrize("channels", [32, 40])
def test_residual_block(channels):
    check(block.residual_block, block_arguments(channels, (1, 5, 9), torch.float16), TOL_HIDDEN[torch.float16])


def head_arguments(
    k,
    dtype,
    *,
    size=(2, 3, 33),
    features=(20, 9),
    colors=3,
    image=None,
    clip=UNBOUNDED,
    bias=True,
    layout="channels_last",
):
    n, h, w = size
    return (
        draw(n, features[0], h, w, dtype=dtype, layout=layout),
        draw(k * k, features[0], dtype=dtype, scale=0.5 / math.sqrt(k * k * features[0])),
        draw(k * k, dtype=dtype, scale=0.5 / k) if bias else None,
        draw(n, features[1], h, w, dtype=dtype, layout=layout, seed=3),
        draw(colors, features[1], dtype=dtype, scale=0.3),
        draw(colors, dtype=dtype) if bias else None,
        draw(n, colors, h, w, dtype=image or dtype, layout=layout if layout == "strided" else "contiguous", seed=4),
        k,
        0.1,
        *clip,
    )


@pytest.mark.parametrize(
    ("k", "dtype"),
    [
        (7, torch.float16),
        (3, torch.float32),
        *(pytest.param(7, dtype, marks=pytest.mark.slow) for dtype in DTYPES if dtype != torch.float16),
        *(pytest.param(k, torch.float16, marks=pytest.mark.slow) for k in (1, 3, 5)),
    ],
)
def test_drb_head(k, dtype):
    check(head.drb_head, head_arguments(k, dtype, clip=(-0.5, 0.6)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_drb_head_of_large_kernels(dtype):
    check(head.drb_head, head_arguments(9, dtype, size=(1, 1, 3)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_drb_head_layouts(layout):
    check(head.drb_head, head_arguments(7, torch.float16, size=(1, 3, 4), layout=layout, bias=False))
    check(head.drb_head, head_arguments(15, torch.float16, size=(1, 1, 1), layout=layout, colors=5))


@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
def test_drb_head_float32_picture_beside_narrow_features(dtype):
    assert check(head.drb_head, head_arguments(5, dtype, image=torch.float32)).dtype == torch.float32


def test_drb_head_of_many_features():
    """More than one step of the products."""
    check(head.drb_head, head_arguments(3, torch.float16, size=(1, 2, 3), features=(150, 130), clip=(None, 0.3)))


def test_drb_head_keeps_what_is_not_finite_in_reach():
    arguments = head_arguments(5, torch.float32, size=(1, 9, 20), clip=(-1.0, 1.0))
    arguments[6][0, 1, 4, 10] = math.nan
    out = head.drb_head(*arguments)
    assert out[0, 1, 2:7, 8:13].isnan().all()
    out[0, 1, 2:7, 8:13] = 0
    assert out.isfinite().all()


def check_gradients(arguments):
    grad = draw(*arguments[6].shape, dtype=arguments[6].dtype, layout="contiguous", seed=5)
    grads = head.drb_head_backward(grad, *arguments, True, True, True)
    leaves = [x.detach().double().requires_grad_() if x is not None else None for x in arguments[:7]]
    reference.drb_head(*leaves, *arguments[7:]).backward(grad.double())
    for index, (got, leaf) in enumerate(zip(grads, leaves, strict=True)):
        if leaf is None:
            continue
        assert got.dtype == arguments[index].dtype
        expected = leaf.grad.to(got.dtype)
        torch.testing.assert_close(got, expected, **TOL[got.dtype], msg=lambda text, i=index: f"{i}: {text}")
    return grads


@pytest.fixture
def small_image_tiles(monkeypatch):
    """Several tiles of the picture's gradient for each program, so that scratch memory is used again."""
    small = {key: entry._replace(tile_h=4, tile_w=8, programs=1) for key, entry in backward.IMAGE_CONFIGS.items()}
    monkeypatch.setattr(backward, "IMAGE_CONFIGS", small)
    monkeypatch.setattr(backward, "IMAGE_PIXELS", 32)


@pytest.mark.usefixtures("small_image_tiles")
@pytest.mark.parametrize(
    ("k", "dtype"),
    [
        (3, torch.float32),
        *(pytest.param(k, dtype, marks=pytest.mark.slow) for k, dtype in ((7, torch.float16), (1, torch.float32))),
        *(pytest.param(3, dtype, marks=pytest.mark.slow) for dtype in DTYPES[1:]),
    ],
)
def test_drb_head_backward(k, dtype):
    grads = check_gradients(head_arguments(k, dtype, size=(1, 3, 35) if k < 7 else (1, 3, 5), clip=(-0.5, 0.6)))
    assert grads[0].is_contiguous(memory_format=torch.channels_last)
    assert grads[6].is_contiguous()


def test_drb_head_backward_in_tiles_that_are_launched():
    check_gradients(head_arguments(3, torch.float32, size=(1, 2, 3)))


@pytest.mark.slow
@pytest.mark.usefixtures("small_image_tiles")
def test_drb_head_backward_of_several_blocks():
    """Of features."""
    check_gradients(head_arguments(3, torch.float32, size=(1, 2, 1), features=(70, 9)))


@pytest.mark.slow
@pytest.mark.usefixtures("small_image_tiles")
def test_drb_head_backward_of_several_blocks_of_all():
    """Of taps, of features and of colours."""
    check_gradients(head_arguments(9, torch.float16, size=(1, 1, 2), features=(70, 135), colors=5, image=torch.float32))


@pytest.mark.usefixtures("small_image_tiles")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_drb_head_backward_layouts(layout):
    size = (1, 1, 1) if layout == "contiguous" else (1, 3, 2)
    check_gradients(head_arguments(3, torch.float16, size=size, layout=layout, bias=layout != "strided"))


def test_drb_head_backward_of_a_scaled_loss():
    """Gradients of the filters beyond what float16 holds, those of the features within."""
    arguments = list(head_arguments(3, torch.float16, size=(1, 3, 4), image=torch.float32))
    arguments[1], arguments[4] = arguments[1] / 1024, arguments[4] / 1024
    grad = 3e5 * draw(*arguments[6].shape, dtype=torch.float32, layout="contiguous", seed=5)
    grads = head.drb_head_backward(grad, *arguments, True, True, True)
    leaves = [x.detach().double().requires_grad_() for x in arguments[:7]]
    reference.drb_head(*leaves, *arguments[7:]).backward(grad.double())
    for index in (0, 3, 6):
        got, wanted = grads[index].double(), leaves[index].grad
        assert float((got - wanted).norm() / wanted.norm()) < 1e-3, index


def test_drb_head_backward_of_what_is_needed():
    arguments = head_arguments(3, torch.float32, size=(1, 3, 4))
    grad = torch.ones_like(arguments[6])
    every = head.drb_head_backward(grad, *arguments, True, True, True)
    for needs in ((True, False, False), (False, True, False), (False, False, True)):
        some = head.drb_head_backward(grad, *arguments, *needs)
        wanted = [needs[0]] * 3 + [needs[1]] * 3 + [needs[2]]
        for got, full, want in zip(some, every, wanted, strict=True):
            assert torch.equal(got, full) if want else got.shape == (0,)


@pytest.mark.parametrize("size", [(0, 3, 4), (1, 0, 4), (1, 3, 0)], ids=str)
def test_empty(size):
    n, h, w = size
    for channels in (3, 16):
        assert conv.conv3x3(*conv_arguments(n, channels, 16, h, w, torch.float16)).shape == (n, 16, h, w)
    weight = draw(16, 8, 4, 4, dtype=torch.float16)
    x = draw(n, 16, h, w, dtype=torch.float16)
    assert transposed.conv_transpose4x4(x, weight, None, None, 1.0).shape == (n, 8, 2 * h, 2 * w)
    assert block.residual_block(*block_arguments(32, size, torch.float16)).shape == (n, 32, h, w)
    arguments = head_arguments(3, torch.float16, size=size, clip=(0.0, 1.0))
    assert head.drb_head(*arguments).shape == (n, 3, h, w)
    check_no_gradients(arguments)
    check_no_gradients(head_arguments(3, torch.float16, size=(2, 3, 4), colors=0, clip=(0.0, 1.0)))


def check_no_gradients(arguments):
    grads = head.drb_head_backward(arguments[6], *arguments, True, True, True)
    assert [g.shape for g in grads] == [x.shape for x in arguments[:7]]
    assert all(torch.equal(g, torch.zeros_like(g)) for g in grads)


def test_nothing_is_written_beside_the_result():
    launches = [conv.launch(*conv_arguments(1, 16, 24, 5, 7, torch.float32))]
    launches.append(head.launch(*head_arguments(3, torch.float32, size=(1, 5, 7), clip=(-1.0, 1.0)), torch.float32))
    for launch, out in launches:
        *before, kernel = launch if isinstance(launch, list) else [launch]
        room = guarded(torch.zeros(out.shape).as_strided(out.shape, out.stride()))
        for other in before:
            other.run()
        kernel._replace(arguments=kernel.arguments | {"out": room}).run()
        buffer = room.as_strided((room.numel() + 128,), (1,), 0)
        assert buffer[:64].isnan().all()
        assert buffer[-64:].isnan().all()
        assert room.isfinite().all()


@pytest.mark.parametrize(
    ("module", "right", "wrong"),
    [
        ("conv3x3", "(z + dx < width)", "(z + dx <= width)"),
        ("_padded_picture", "width - 1)", "width)"),
    ],
    ids=["conv3x3", "drb_head"],
)
def test_a_broken_kernel_is_caught(monkeypatch, tmp_path, module, right, wrong):
    """A wrong border: the checks above must see it."""
    name = f"lfdeblur_ops.triton.{module}"
    text = (importlib.util.find_spec(name).loader.get_source(name)).replace(right, wrong)
    assert wrong in text
    path = tmp_path / f"{module}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(f"{name}_broken", path)
    broken = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, broken)
    spec.loader.exec_module(broken)
    if module == "_padded_picture":
        monkeypatch.setattr(head, "launch_pack", broken.launch_pack)
        op, arguments = head.drb_head, head_arguments(3, torch.float32, size=(1, 3, 5))
    else:
        op, arguments = broken.conv3x3, conv_arguments(1, 16, 16, 5, 7, torch.float32)
    with pytest.raises(AssertionError):
        check(op, arguments)


@pytest.mark.skipif(INTERPRETED, reason="far too large for the interpreter")
def test_more_than_2_to_the_31_elements():
    x = torch.zeros((1, 32, 8200, 8200), device="cuda", dtype=torch.float16).contiguous(
        memory_format=torch.channels_last
    )
    x[0, :, -1, -1] = 1
    weight = torch.ones((32, 32, 3, 3), device="cuda", dtype=torch.float16)
    out = conv.conv3x3(x, None, weight, None, None, 1, 1.0)
    assert out[0, 0, -2:, -2:].tolist() == [[32.0, 32.0], [32.0, 32.0]]
    assert out.count_nonzero() == 4 * 32
