"""Every op and DRBNet through every transform of PyTorch, against the reference through the same one."""

import warnings
from pathlib import Path

import pytest
import torch

from lfdeblur_ops import use_backend
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


def test_the_table_in_the_documentation():
    assert table() in DOCS.read_text(), "python -m tests.ops.transforms prints it as it is"
