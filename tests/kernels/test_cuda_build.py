"""What every CUDA kernel uses of a multiprocessor, read from its machine code and held against ``cuda_budgets.json``.

The code is the installed extension's if that has all of these architectures and is newer than the sources; else it is
compiled here, for some minutes the first time, later where sources have changed.
A budget's first matching pattern counts. ``wide``: instructions that must occur with 16-byte operands. ``shared``:
bytes of dynamic shared memory of the largest launch, which ``test_cuda_on_cpu.py`` sees. The kernels of ``refocus``
have no 16-byte loads: a view is read where its shift lands, which such loads are not aligned to; a warp's loads are one
run of memory all the same.
"""

import pytest

from benchmarks.gpu.kernel_facts import headline_launches, occupancy
from benchmarks.gpu.machine_code import LIMITS, NoToolError, machine_code, read_facts

from .budgets import BUDGETS, budget_of

pytestmark = pytest.mark.xdist_group("cuda_build")
SHARED_BY_SYSTEM = 1024  # bytes of a block that sm_90 and later keep for themselves; our kernels have no static ones


# Compiled once, not in each worker; for three architectures that takes minutes the first time.
pytestmark = [pytest.mark.xdist_group("cubins"), pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def facts(pytestconfig):
    try:
        return read_facts(machine_code(pytestconfig.cache.mkdir("cubins")))
    except NoToolError as error:
        pytest.skip(str(error))


def test_every_kernel_has_a_budget_and_every_budget_kernels(facts):
    assert {arch for arch, _ in facts} >= set(LIMITS)
    kernels = {kernel for _, kernel in facts}
    assert [kernel for kernel in kernels if budget_of(kernel) is None] == []
    used = [budget_of(kernel) for kernel in kernels]
    assert [budget["kernel"] for budget in BUDGETS if budget not in used] == []


def test_no_kernel_spills(facts):
    assert {key: use for key, use in facts.items() if use["stack"] or use["local"]} == {}


def test_registers_and_shared_memory(facts):
    over = {key: use for key, use in facts.items() if use["registers"] > budget_of(key[1])["registers"]}
    assert over == {}
    assert {key: use for key, use in facts.items() if use["static_shared"] > SHARED_BY_SYSTEM} == {}


def test_memory_bound_kernels_move_16_bytes_at_once(facts):
    missing = [
        (arch, kernel, instruction)
        for (arch, kernel), use in facts.items()
        for instruction in budget_of(kernel)["wide"]
        if not use[f"{instruction}.128"]
    ]
    assert missing == []


@pytest.mark.parametrize("arch", LIMITS)
def test_headline_kernels_fill_a_multiprocessor(facts, arch):
    for launch in headline_launches(arch):
        held = occupancy(arch, facts[arch, launch["kernel"]]["registers"], launch["threads"], launch["dynamic_shared"])
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
