"""Every Triton launch that the network can make, compiled here for GPUs that are not: what it uses of them.

Held against ``triton_budgets.json``: no spills (but of what the largest tile's epilogue needs with one Triton),
tensor-core instructions where a product is meant, and with the Triton that the budgets were made with (every other
allots a little differently) registers and shared memory. They are compiled for sm_90, most of them in
slow tests; those of 16-bit types for the others too.
"""

import json
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path

import pytest

pytest.importorskip("triton")

from benchmarks.gpu import triton_launches
from benchmarks.gpu.machine_code import LIMITS
from benchmarks.gpu.triton_launches import CASES, conv, facts, head, launches, transposed

MADE_WITH = "3.9."
QUICK = (
    *(f"half conv3x3 {outputs}" for outputs in (3, 32, 64, 128)),
    "half conv_transpose4x4 32",
    "half drb_head 64",
    "tf32 conv3x3 32",
    "ieee conv3x3 32",
)
BUDGETS = json.loads((Path(__file__).parent / "triton_budgets.json").read_text())


def budget_of(case, kernel):
    label = f"{case} {kernel}"
    return next((budget for budget in BUDGETS if fnmatchcase(label, budget["launch"])), None)


@pytest.mark.parametrize(
    ("case", "architecture"),
    [
        pytest.param(
            case, arch, marks=pytest.mark.slow if arch != "90" or case not in QUICK else (), id=f"{case} sm_{arch}"
        )
        for case in CASES
        for arch in (LIMITS if case.startswith("half") else ("90",))
    ],
)
def test_launches_are_within_their_budgets(case, architecture):
    for launch in launches(case):
        kernel, used = launch.kernel.__name__, facts(launch, architecture)
        budget = budget_of(case, kernel)
        about = f"{case} {kernel} sm_{architecture}: {used}"
        assert budget, f"no budget for {about}"
        assert used["local"] == 0, about
        assert used["stack"] <= budget.get("stack", 0), about
        assert used["shared"] <= LIMITS[architecture]["shared_per_block"], about
        if metadata.version("triton").startswith(MADE_WITH):
            assert used["registers"] <= budget["registers"], about
            assert used["shared"] <= budget["shared"], about
        assert used["tensor_cores"] == budget["tensor_cores"], about


def test_every_configuration_is_compiled():
    """Each entry of the tables of launch parameters is that of some case."""
    used = set()
    for case in CASES:
        for launch in launches(case):
            names = ("TILE_H", "TILE_W", "BLOCK_N", "BLOCK_M")
            shape = tuple(launch.arguments[name] for name in names if name in launch.arguments)
            used.add((launch.kernel.__name__.split("_fwd")[0], shape, launch.num_warps, launch.num_stages))
    tables = (("conv3x3", conv.CONFIGS), ("conv3x3", conv.LARGE_CONFIGS), ("conv_transpose4x4", transposed.CONFIGS))
    for op, table in tables:
        for entry in table.values():
            assert (op, (entry.tile_h, entry.tile_w, entry.block_n), entry.num_warps, entry.num_stages) in used
    for op, table in {
        "drb_head": head.CONFIGS,
        "drb_head_grad_kernel_kernel": triton_launches.backward.CONFIGS,
        "drb_head_grad_residual_kernel": triton_launches.backward.RESIDUAL_CONFIGS,
    }.items():
        for entry in table.values():
            assert (op, (entry.tile_h, entry.tile_w), entry.num_warps, entry.num_stages) in used


def test_a_spilling_kernel_is_seen(monkeypatch):
    """The check of spills can fail: a tile that cannot fit the registers."""
    monkeypatch.setitem(conv.LARGE_CONFIGS, ("half", 128), conv.Config(16, 16, 128, 32, 4, 2))
    (launch,) = launches("half conv3x3 128")
    used = facts(launch, "80")
    assert used["stack"] + used["local"] > 0


def test_budgets_are_used():
    labels = [budget_of(case, launch.kernel.__name__)["launch"] for case in CASES for launch in launches(case)]
    assert [budget["launch"] for budget in BUDGETS if budget["launch"] not in labels] == []
