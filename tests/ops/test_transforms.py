"""Every op and DRBNet through every transform of PyTorch, against the reference through the same one."""

import warnings
from pathlib import Path

import pytest
import torch
from torch.func import functionalize, grad, vmap

from lfdeblur_ops import refocus, use_backend
from lfdeblur_ops.testing import REORDERED_SUMS, TOL

from .transforms import COLUMNS, PLAIN, ROWS, Kernels, cases, network, table

CASES = cases()
DOCS = Path(__file__).resolve().parents[2] / "docs" / "transforms.md"


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_as_the_reference(row, name):
    case = CASES[name]
    with use_backend("reference"):
        expected = (row.of_reference or row.run)(case.call, case.tensors)
    with warnings.catch_warnings(), Kernels() as kernels:
        warnings.filterwarnings("error", "There is a performance drop")  # vmap that calls the op sample by sample
        got = row.run(case.call, case.tensors)
    torch.testing.assert_close(got, expected, **TOL[torch.float64])
    assert (row.how[COLUMNS.index(case.column)] == PLAIN) == (not kernels.names)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if "jacobian(" in row.name or "alone" in row.name], ids=lambda row: row.name
)
def test_a_network_of_float32(row):
    case = network(16, torch.float32)
    got = row.run(case.call, case.tensors)
    with use_backend("reference"):
        expected = (row.of_reference or row.run)(case.call, case.tensors)
    torch.testing.assert_close(got, expected, **REORDERED_SUMS)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.column in COLUMNS[:3]])
def test_batches_of_no_samples(name):
    call, tensors = CASES[name].call, CASES[name].tensors
    shape, none = call(*tensors).shape, tuple(t.expand(0, *t.shape) for t in tensors)
    assert vmap(call)(*none).shape == (0, *shape)
    for place, batched in enumerate(none):
        dims = tuple(1 if i == place else None for i in range(len(none)))
        inputs = (*tensors[:place], batched.movedim(0, 1), *tensors[place + 1 :])
        assert vmap(call, dims)(*inputs).shape == (0, *shape)
    places = tuple(range(len(none)))
    gradients = vmap(grad(lambda *inputs: call(*inputs).sum(), places))(*none)
    assert [g.shape for g in gradients] == [t.shape for t in none]


@pytest.mark.parametrize("name", CASES)
def test_functionalize(name):
    call, tensors = CASES[name].call, CASES[name].tensors
    with Kernels() as kernels:
        torch.testing.assert_close(functionalize(call)(*tensors), call(*tensors), **TOL[torch.float64])
    assert kernels.names
    torch.testing.assert_close(
        vmap(functionalize(call))(*(t[None] for t in tensors))[0], call(*tensors), **TOL[torch.float64]
    )


def test_gradients_of_gradients_that_nothing_depends_on():
    views = torch.rand(2, 2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda views: refocus(views, 0.3), (views,))


def test_the_table_in_the_documentation():
    assert table() in DOCS.read_text(), "python -m tests.ops.transforms prints it as it is"
