"""The shared library of the ops: what it declares, and that it works without Python's package."""

import subprocess
import sys

import pytest
import torch

from lfdeblur_ops import _dispatch, build_info

from .checks import draw, opcheck


def declared():
    return {
        name.removeprefix("lfdeblur::")
        for name in torch._C._dispatch_get_all_op_names()
        if name.startswith("lfdeblur::") and "." not in name
    }


@pytest.mark.parametrize("op", _dispatch.SCHEMAS)
def test_schemas_in_python_are_those_of_the_library(op):
    """What is declared where the library is missing."""
    assert getattr(torch.ops.lfdeblur, op).default._schema == torch._C.parse_schema(
        f"lfdeblur::{_dispatch.SCHEMAS[op]}"
    )


def rows(*shape, dtype=torch.float32):
    return draw(*shape, dtype=dtype, layout="channels_last")


def head_rows(low, high, dtype=torch.float32):
    weights = [draw(*shape, dtype=dtype) for shape in ((9, 8), (9,), (3, 4), (3,))]
    features = rows(1, 8, 4, 6, dtype=dtype), rows(1, 4, 4, 6, dtype=dtype)
    return (features[0], *weights[:2], features[1], *weights[2:], draw(1, 3, 9, 6), 2, 3, 0.1, low, high)


def backward(algorithm, need_x=True, need_weight=True, size=(5, 6)):
    grad, activated, x, x2, added = (rows(1, c, *size) for c in (32, 32, 16, 16, 32))
    weight = draw(32, 32, 3, 3)
    return (grad, activated, x, x2, weight, added, 0.1, need_x, need_weight, algorithm)


PACKED = (36, 2, 24, 16)
CASES = {
    "winograd_weight": [(draw(32, 24, 3, 3), False), (draw(24, 32, 3, 3), True)],
    "winograd_conv3x3": [
        (None, rows(2, 24, 5, 6), None, None, draw(*PACKED), None, None, None, 1, 1, 0.1),
        (
            *(rows(1, 16, 2, 6), rows(1, 16, 4, 6), rows(1, 8, 2, 6), rows(1, 8, 4, 6), draw(*PACKED), draw(32)),
            *(rows(1, 32, 1, 6), rows(1, 32, 4, 6), 0, 1, 1.0),
        ),
        (None, rows(2, 24, 5, 6, dtype=torch.bfloat16), None, None, draw(*PACKED), None, None, None, 1, 0, 0.1),
    ],
    "winograd_weight_gradient": [
        (rows(2, 32, 5, 6), rows(2, 32, 5, 6), rows(2, 16, 5, 6), rows(2, 16, 5, 6), 0.1),
        (rows(2, 32, 5, 6), None, rows(2, 16, 5, 6), None, 1.0),
    ],
    "winograd_backward": [
        backward("winograd"),
        backward("fast"),
        backward("fast", size=(48, 48)),
        backward("fast", need_x=False),
        backward("fast", need_weight=False),
    ],
    "convolution": [
        (rows(2, 5, 6, 7), draw(8, 5, 3, 3), draw(8), rows(2, 8, 6, 7), 1, 1, False, 1.0),
        (rows(2, 5, 6, 7), draw(8, 5, 3, 3), None, None, 2, 0, False, 0.1),
        (rows(2, 5, 6, 7), draw(5, 8, 4, 4), draw(8), rows(2, 8, 12, 14), 2, 1, True, 0.1),
        (draw(2, 5, 6, 2, dtype=torch.bfloat16), draw(8, 5, 3, 3, dtype=torch.bfloat16), None, None, 2, 1, False, 0.1),
    ],
    "drb_head_rows": [head_rows(None, None), head_rows(-1.0, 1.0), head_rows(None, 1.0, torch.bfloat16)],
}
IN_FILES_OF_THEIR_OWN = {
    "conv3x3",
    "conv_transpose4x4",
    "drb_head",
    "dynamic_filter",
    "dynamic_filter_separable",
    "refocus",
    "residual_block",
}
WITH_BACKWARD = ("drb_head", "dynamic_filter", "dynamic_filter_separable", "refocus")


@pytest.mark.parametrize("op", CASES)
def test_opcheck(op):
    opcheck(getattr(torch.ops.lfdeblur, op).default, *CASES[op])


def test_no_op_is_left_out():
    checked = {*CASES, *IN_FILES_OF_THEIR_OWN}
    assert declared() == checked | {f"{op}_backward" for op in WITH_BACKWARD}


@pytest.mark.parametrize(("low", "high"), [(None, 0.1), (-0.1, None)])
def test_a_head_of_one_bound(low, high):
    arguments = head_rows(None, None)
    unbounded = torch.ops.lfdeblur.drb_head_rows(*arguments)
    assert unbounded.min() < -0.1 < 0.1 < unbounded.max()
    assert torch.equal(torch.ops.lfdeblur.drb_head_rows(*arguments[:-2], low, high), unbounded.clamp(low, high))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((rows(2, 5, 6, 7), draw(8, 4, 3, 3), None, None, 1, 1, False, 1.0), "weight: want shape"),
        ((rows(2, 5, 6, 7), draw(8, 5, 3, 3).double(), None, None, 1, 1, False, 1.0), "weight: want the dtype of x"),
        ((rows(2, 5, 6, 7), draw(8, 5, 3, 3), draw(7), None, 1, 1, False, 1.0), "bias: want shape"),
        ((rows(2, 5, 6, 7), draw(8, 5, 3, 3), None, rows(2, 8, 6, 6), 1, 1, False, 1.0), "residual: want shape"),
        ((rows(2, 5, 6, 7), draw(8, 5, 3, 3), None, None, 3, 1, False, 1.0), "stride: want 1 or 2"),
        ((rows(2, 5, 6, 7), draw(5, 8, 4, 4), None, None, 2, 0, True, 1.0), "pad_rows: want 0 or 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_direct_calls_are_memory_safe(arguments, text):
    with pytest.raises(RuntimeError, match=text):
        torch.ops.lfdeblur.convolution(*arguments)


def test_it_works_alone():
    """As a C++ program loads it: every op has a schema and runs on the CPU."""
    code = f"""
import sys, torch
torch.ops.load_library({build_info()["library"]!r})
ops, channels_last = torch.ops.lfdeblur, torch.channels_last
x = torch.rand(1, 16, 48, 48).to(memory_format=channels_last)
weight, bias = torch.rand(16, 16, 3, 3), torch.rand(16)
want = torch.nn.functional.leaky_relu(torch.nn.functional.conv2d(x, weight, bias, padding=1), 0.1)
for algorithm in ("direct", "winograd", "fast"):
    torch.testing.assert_close(ops.conv3x3(x, None, weight, bias, None, 1, 0.1, algorithm), want, rtol=1e-4, atol=1e-4)
ops.residual_block(x, weight, bias, weight, bias, 0.1, "fast")
ops.conv_transpose4x4(x, torch.rand(16, 8, 4, 4), None, None, 0.1)
picture = torch.rand(1, 3, 48, 48)
ops.drb_head(x, torch.rand(9, 16), None, x, torch.rand(3, 16), None, picture, 3, 0.1, None, None)
assert torch.equal(ops.dynamic_filter(picture, torch.ones(1, 1, 48, 48), 1, "replicate"), picture)
ops.dynamic_filter_separable(picture, torch.rand(1, 6, 48, 48), 3)
ops.refocus(torch.rand(1, 3, 3, 3, 8, 8), torch.zeros(1), torch.full((1, 3, 3), 1 / 9), "bilinear", "replicate")
assert not [name for name in sys.modules if name.startswith("lfdeblur")]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
