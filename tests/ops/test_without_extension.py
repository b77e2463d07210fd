"""The library without its compiled extension, each time in a fresh interpreter."""

from ..processes import python

CALLS = """
import torch, lfdeblur_ops as ops
x, f = torch.ones(1, 3, 6, 7), torch.full((1, 9, 6, 7), 1 / 9)
assert torch.allclose(ops.dynamic_filter(x, f, 3), x)
assert torch.allclose(ops.refocus(torch.full((3, 3, 1, 6, 7), 0.5), 1.25), torch.full((1, 6, 7), 0.5))
assert ops.conv3x3(x, torch.ones(4, 3, 3, 3), backend="fast").shape == (1, 4, 6, 7)
assert torch.equal(ops.drb_head(x, torch.zeros(9, 3), None, x, torch.zeros(3, 3), None, x, 3), x)
assert all("extension" in ops.backends(op)["cpu"] for op in ("refocus", "conv3x3", "residual_block"))
assert torch.allclose(torch.func.jvp(lambda x: ops.dynamic_filter(x, f, 3), (x,), (x,))[1], x)
head = (torch.ones(1, 2, 6, 7), torch.ones(9, 2) / 18, None, torch.zeros(1, 2, 6, 7), torch.zeros(3, 2), None)
assert torch.allclose(torch.func.jvp(lambda x: ops.drb_head(*head, x, 3), (x,), (x,))[1], 2 * x)
assert torch.ops.lfdeblur.conv3x3.default in ops.decompositions()
assert ops.backends("refocus")["reference"] == "ok"
assert ops.build_info()["extension"] != True
try:
    ops.refocus(torch.zeros(3, 3, 1, 6, 7), 0.0, backend="cpu")
except ops.BackendError as error:
    print(error)
"""


def test_switched_off():
    result = python(CALLS, LFDEBLUR_DISABLE_EXTENSION="1")
    assert "cpu: the compiled extension is switched off by LFDEBLUR_DISABLE_EXTENSION=1" in result.stdout
    assert result.stderr == ""


def test_missing():
    hide = "import sys; sys.modules['lfdeblur_ops._C'] = None\n"
    result = python(hide + CALLS)
    assert "cpu: the compiled extension cannot be imported" in result.stdout
    assert result.stderr.count("RuntimeWarning") == 1
    assert "pip install ." in result.stderr
