"""``lfdeblur_ops.testing.compare``: what it calls equal, what it measures, what it says of the rest."""

import re

import pytest
import torch
import torch.nn.functional as F

from lfdeblur_ops import dynamic_filter
from lfdeblur_ops._costs import allocated_bytes
from lfdeblur_ops.testing import compare


def unfolded(x, f):
    n, c, h, w = x.shape
    patches = F.unfold(F.pad(x, (1,) * 4, mode="replicate"), 3).view(n, c, 9, h, w)
    return (patches * f[:, None]).sum(2)


def ours(x, f):
    return dynamic_filter(x, f, 3)


def tensors(dtype=torch.float32):
    return {"x": torch.randn(2, 3, 12, 17).to(dtype), "f": torch.randn(2, 9, 12, 17).to(dtype)}


def found(theirs, ours, inputs=None, **options):
    return compare(theirs, ours, tensors() if inputs is None else inputs, seconds=0.0, **options)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_equal_layers(dtype):
    result = found(unfolded, ours, tensors(dtype))
    assert result.ok
    assert result.exact
    assert [row.of for row in result.differences] == ["output", "gradient of x", "gradient of f"]
    for cost in (result.forward, result.backward):
        assert cost.times > 0
        assert cost.theirs_bytes > cost.ours_bytes > 0
    text = str(result)
    assert "equal; compared with theirs in float64" in text
    assert "NOT" not in text
    assert "forward + backward, peak MiB" in text


def test_errors_are_those_against_float64():
    exact = torch.rand(5, dtype=torch.float64)
    row = found(lambda x: x * 3, lambda x: x * 3 + 0.25, (exact,)).differences[0]
    assert row.ours == pytest.approx(0.25)
    assert row.theirs == 0
    assert row.largest == pytest.approx(3 * exact.max().item())
    assert not row.within


def test_a_small_error_of_a_large_sum_is_rounding():
    x = torch.tensor([1e4, 1e-3])
    assert found(lambda x: x, lambda x: x + torch.tensor([0.0, 1e-3]), (x,)).differences[0].within
    assert not found(lambda x: x, lambda x: x + torch.tensor([0.0, 1.0]), (x,)).differences[0].within


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (lambda x, f: ours(x, f) * 1.001, "error of output .* NOT within the tolerance"),
        (lambda x, f: ours(x, f)[..., 1:], r"output .* shape: ours has \[2, 3, 12, 16\], theirs \[2, 3, 12, 17\]"),
        (lambda x, f: ours(x, f).double(), "output .* dtype: ours has torch.float64, theirs torch.float32"),
        (lambda x, f: ours(x, f.detach()), "gradient of f .* ours has none"),
        (lambda x, f: (ours(x, f), x), "ours gives output 0, output 1; theirs output"),
        (lambda x, f: ours(x, f[:, 1:]), "ours raises RuntimeError: filters: got 8 channels"),
        (lambda x, f: "nothing", "ours raises TypeError: result: got str, want a tensor, or a tuple"),
    ],
)
def test_what_differs_is_told_and_not_raised(other, text):
    result = found(unfolded, other)
    assert not result.ok
    assert "NOT equal" in str(result)
    assert re.search(text, str(result))


def test_theirs_that_raises():
    result = found(lambda x, f: x.unfold(9, 9, 9), ours)
    assert not result.ok
    assert "theirs raises IndexError" in str(result)


def test_without_float64_of_theirs():
    weight = torch.randn(9, 1, 3, 3)  # float32, as of a layer: with double inputs conv2d raises
    result = found(lambda x: F.conv2d(x[:, :1], weight), lambda x: F.conv2d(x[:, :1], weight), (tensors()["x"],))
    assert result.ok
    assert not result.exact
    assert result.differences[0].theirs is None
    assert "theirs, which could not be run in float64" in str(result)


def test_modules_are_run_in_float64_as_a_copy():
    layer = torch.nn.Conv2d(3, 4, 3)
    result = found(layer, layer, (tensors()["x"],))
    assert result.exact
    assert result.ok
    assert layer.weight.dtype == torch.float32


def test_gradients_of_what_requires_them():
    inputs = tensors()
    inputs["f"].requires_grad_()
    assert [row.of for row in found(unfolded, ours, inputs).differences] == ["output", "gradient of f"]
    index = torch.tensor([1, 0])
    result = found(lambda x, i: x[i], lambda x, i: x.index_select(0, i), (torch.rand(2, 3), index))
    assert [row.of for row in result.differences] == ["output", "gradient of input 0"]
    assert result.ok


def test_layers_without_gradients_and_of_several_results():
    result = found(
        lambda x: {"a": x.argmax(), "b": [x > 0, None]}, lambda x: {"b": (x > 0,), "a": x.argmax()}, (torch.rand(5),)
    )
    assert result.ok
    assert result.backward is None
    assert [row.of for row in result.differences] == ["output a", "output b.0"]


@pytest.mark.parametrize(
    ("theirs", "ours", "problem"),
    [
        (lambda x: {"a": x, "b": 2 * x}, lambda x: {"b": 2 * x, "a": x}, ""),
        (
            lambda x: {"a": x, "b": x},
            lambda x: {"a": x, "c": x},
            "ours gives output a, output c; theirs output a, output b",
        ),
        (lambda x: (None, x), lambda x: (x, None), "ours gives output 0; theirs output 1"),
        (lambda x: (x,), lambda x: x, "ours gives output; theirs output 0"),
        (lambda x: None, lambda x: x, "theirs raises TypeError: result: got NoneType"),
        (lambda x: (None,), lambda x: x, "ours gives output; theirs nothing"),
    ],
)
def test_results_are_compared_place_by_place(theirs, ours, problem):
    result = found(theirs, ours, (torch.rand(3),))
    assert result.problem.startswith(problem)
    assert result.ok == (not problem)


def test_complex_results_and_gradients():
    x, z = torch.rand(3, 4), torch.randn(3, 4, dtype=torch.complex64)
    assert found(torch.complex, torch.complex, (x, x)).ok
    assert not found(lambda x: torch.complex(x, x), lambda x: torch.complex(x, -x), (x,)).ok
    result = found(torch.sin, lambda z: z.sin(), (z,))
    assert result.ok
    assert result.exact
    assert [row.of for row in result.differences] == ["output", "gradient of input 0"]
    assert not found(lambda z: z * 1, lambda z: torch.complex(z.real, z.imag.detach()), (z,)).ok


def test_inference_mode():
    with torch.inference_mode():
        result = found(unfolded, lambda x, f: ours(x, f.detach()), tensors())
    assert "gradient of f" in str(result)
    assert not result.ok
    assert result.forward is not None
    with torch.inference_mode():
        assert found(unfolded, ours, tensors()).backward is not None


def test_gradients_that_only_ours_has():
    result = found(lambda x: x.detach() * 2, lambda x: x * 2, (torch.rand(3),))
    assert not result.ok
    assert "theirs has none, ours has" in str(result)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16], ids=str)
def test_infinite_and_nan_elements(dtype):
    x = torch.tensor([-1.0, 0.0, 1.0, 2.0], dtype=dtype)
    assert found(torch.log, lambda x: x.log(), (x,)).ok
    assert str(found(torch.log, lambda x: x.log(), (x,))).count("nan") == 0
    large = torch.tensor([torch.finfo(dtype).max, 1.0], dtype=dtype)
    assert found(lambda x: x * 2, lambda x: x + x, (large,)).ok
    for wrong in (lambda x: x.log().nan_to_num(), lambda x: -x.log(), lambda x: x.abs().log(), lambda x: x.log() / 0):
        assert not found(torch.log, wrong, (x,)).ok


def test_random_numbers_are_the_same_and_those_after_it_too():
    x = torch.rand(4, 50)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert found(lambda x: F.dropout(x) + torch.randn(50), lambda x: F.dropout(x) + torch.randn(50), (x,)).ok
    assert torch.equal(torch.rand(2), expected)
    assert not found(lambda x: x + torch.randn(50), lambda x: x + torch.rand(50), (x,)).ok


def test_layers_that_work_in_place():
    x = torch.rand(3, 40)
    for tensor in (x, x[:, ::2], x[:1].expand(3, 40)):
        before = tensor.clone()
        assert found(lambda x: x.mul(2), lambda x: x.contiguous().mul_(2), (tensor,)).ok
        assert torch.equal(tensor, before)
    assert found(lambda x: x.mul(2), lambda x: x.mul_(2), (x.requires_grad_(),)).ok
    kept = torch.empty(3, 40)
    result = found(lambda x: kept.copy_(x.detach() * 2), lambda x: x.detach() * 3, (x,))
    assert result.differences[0].ours > 0.1


def test_strides_are_those_of_the_inputs():
    for tensor in (torch.rand(2, 8)[:, ::2], torch.rand(1, 4).expand(2, 4), torch.rand(4, 2).t()):
        seen = []
        found(lambda x: x * 2, lambda x, seen=seen: (seen.append(x.stride()), x * 2)[1], (tensor,))
        assert set(seen) == {tensor.stride()}


def test_state_of_modules_stays():
    layer = torch.nn.BatchNorm2d(3)
    torch.manual_seed(0)
    assert found(layer, layer, (tensors()["x"],)).ok
    assert layer.num_batches_tracked == 0
    assert not layer.running_mean.any()


def test_errors_are_measured_by_the_channel():
    x = torch.rand(1, 2, 4, 4) + 1
    x[:, 1] *= 1e-4
    wrong = torch.tensor([0.0, 1e-6])[:, None, None]
    assert not found(lambda x: x * 1, lambda x: x + wrong, (x,)).ok
    assert found(lambda x: x * 1, lambda x: x + wrong.flip(0), (x,)).ok


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((3, ours, ()), TypeError, "theirs: got int, want a function or module"),
        ((ours, None, ()), TypeError, "ours: got NoneType"),
        ((ours, ours, torch.zeros(2)), TypeError, "inputs: got Tensor, want a tuple of tensors, or a dict"),
        ((ours, ours, ()), ValueError, "inputs: got none"),
        ((ours, ours, (torch.zeros(1), 3)), TypeError, "inputs: got int among them, want tensors only"),
        ((ours, ours, (torch.zeros(1), torch.zeros(1, device="meta"))), RuntimeError, "tensors on cpu, meta"),
    ],
)
def test_bad_arguments(arguments, error, text):
    with pytest.raises(error, match=text):
        compare(*arguments)


@pytest.mark.parametrize(
    ("seconds", "error", "text"),
    [
        ("a", TypeError, "seconds: got 'a', want a number"),
        (-1, ValueError, "seconds: got -1"),
        (float("nan"), ValueError, "seconds: got nan"),
    ],
)
def test_bad_seconds(seconds, error, text):
    with pytest.raises(error, match=text):
        compare(ours, ours, tensors(), seconds=seconds)


def test_peak_is_that_of_tensors_held_at_once():
    x = torch.ones(1 << 18)  # 1 MiB

    def one_after_the_other():
        for _ in range(4):
            x + 1

    def together():
        return [x + 1 for _ in range(4)]

    assert (1 << 20) <= allocated_bytes(lambda: one_after_the_other, x.device) < (2 << 20)
    assert (4 << 20) <= allocated_bytes(lambda: together, x.device) < (5 << 20)
    assert allocated_bytes(lambda: lambda: None, torch.device("meta")) is None
