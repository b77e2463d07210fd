"""What every CUDA kernel uses of a multiprocessor, read from its machine code and held against ``cuda_budgets.json``.

The code is the installed extension's for the architectures that it has, if it is newer than the sources; for the others
it is compiled here, for minutes the first time, later where sources have changed: those are slow tests.
A budget's first matching pattern counts. ``wide``: instructions that must occur with 16-byte operands. ``shared``:
bytes of dynamic shared memory of the largest launch, which ``cuda_on_cpu/test_launches.py`` sees. The kernels of
``refocus`` have no 16-byte loads: a view is read where its shift lands, which such loads are not aligned to; a warp's
loads are one run of memory all the same.
"""

from functools import cache

import pytest

from benchmarks.gpu.kernel_facts import headline_launches, occupancy
from benchmarks.gpu.machine_code import LIMITS, NoToolError, extension_architectures, machine_code, read_facts

from .budgets import BUDGETS, budget_of

SHARED_BY_SYSTEM = 1024  # bytes of a block that sm_90 and later keep for themselves; our kernels have no static ones

pytestmark = pytest.mark.timeout(1200)  # compiling


@cache
def facts_of(*files):
    """One extension may have several architectures."""
    return read_facts(files)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(arch, marks=() if arch in extension_architectures() else pytest.mark.slow, id=f"sm_{arch}")
        for arch in LIMITS
    ],
)
def arch(request):
    return request.param


@pytest.fixture(scope="module")
def facts(arch, pytestconfig):
    """What each kernel uses."""
    try:
        found = facts_of(*machine_code(pytestconfig.cache.mkdir("cubins"), [arch]))
    except NoToolError as error:
        pytest.skip(str(error))
    return {kernel: use for (of, kernel), use in found.items() if of == arch}


def test_every_kernel_has_a_budget_and_every_budget_kernels(facts):
    assert [kernel for kernel in facts if budget_of(kernel) is None] == []
    used = [budget_of(kernel) for kernel in facts]
    assert [budget["kernel"] for budget in BUDGETS if budget not in used] == []


def test_no_kernel_spills(facts):
    assert {kernel: use for kernel, use in facts.items() if use["stack"] or use["local"]} == {}


def test_registers_and_shared_memory(facts):
    over = {kernel: use for kernel, use in facts.items() if use["registers"] > budget_of(kernel)["registers"]}
    assert over == {}
    assert {kernel: use for kernel, use in facts.items() if use["static_shared"] > SHARED_BY_SYSTEM} == {}


def test_memory_bound_kernels_move_16_bytes_at_once(facts):
    missing = [
        (kernel, instruction)
        for kernel, use in facts.items()
        for instruction in budget_of(kernel)["wide"]
        if not use[f"{instruction}.128"]
    ]
    assert missing == []


def test_headline_kernels_fill_a_multiprocessor(facts, arch):
    for launch in headline_launches(arch):
        held = occupancy(arch, facts[launch["kernel"]]["registers"], launch["threads"], launch["dynamic_shared"])
        assert launch["dynamic_shared"] <= LIMITS[arch]["shared_per_block"]
        assert held["warps_per_multiprocessor"] >= 8, launch


def test_occupancy_by_hand():
    """255 registers, 4 warps: 4 * 8192 registers a block, two blocks; 100 KiB of shared memory: two of 228 KiB."""
    assert occupancy("90", 255, 128, 0)["blocks_per_multiprocessor"] == 2
    assert occupancy("90", 32, 128, 100 << 10)["limited_by"] == "shared"
    assert occupancy("90", 32, 128, 100 << 10)["warps_per_multiprocessor"] == 8
    assert occupancy("80", 32, 128, 0) == {
        "blocks_per_multiprocessor": 16,
        "warps_per_multiprocessor": 64,
        "occupancy": 1.0,
        "limited_by": "warps",
    }
