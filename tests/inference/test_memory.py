"""Memory: sizes in words, what the machine leaves, and the prediction against what a run takes."""

import ctypes
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from lfdeblur_models.inference import memory_need
from lfdeblur_models.inference.memory_need import Need, _peak, measure
from lfdeblur_models.inference.tiled_network import TiledNetwork
from lfdeblur_models.system.memory import available, held, parse_size, return_large_blocks, show_size

from ..natural import natural

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2e9), ("1.5GiB", 1.5 * 2**30), ("800M", 8e8), ("64 kb", 64e3), ("1t", 1e12), ("123", 123), (".5g", 5e8)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "2 apples", "1e9", "nan", "0.1"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="want a size such as 2GB"):
        parse_size(text)


def test_sizes_are_shown():
    assert [show_size(s) for s in (1.474e9, 35e6, 10)] == ["1.47 GB", "35 MB", "1 MB"]


def machine(root, groups, files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_control_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000 * 1024))
    plain = machine(tmp_path / "plain", "0::/\n", {})
    assert available(CPU, plain) == 1000 * 1024
    two = {
        "a/memory.max": "5000\n",
        "a/memory.current": "4000\n",
        "a/memory.stat": "anon 3000\ninactive_file 500\n",
        "a/b/memory.max": "max\n",
        "a/b/memory.current": "1\n",
        "a/b/memory.stat": "",
    }
    assert available(CPU, machine(tmp_path / "two", "0::/a/b\n", two)) == 1500
    one = {
        "memory/memory.limit_in_bytes": "7000\n",
        "memory/memory.usage_in_bytes": "6000\n",
        "memory/memory.stat": "total_inactive_file 100\n",
    }
    # In a container the group's own folder is not there, and the root is the group.
    assert available(CPU, machine(tmp_path / "one", "3:cpu,memory:/docker/x\n0::/\n", one)) == 1100
    full = {"memory.max": "10\n", "memory.current": "20\n", "memory.stat": ""}
    assert available(CPU, machine(tmp_path / "full", "0::/\n", full)) == 0


def test_of_this_machine():
    assert 2**20 < available(CPU) < 2**50
    assert 2**24 < held(CPU) < 2**40


needs_peaks = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="this system does not tell peaks",
)


@needs_peaks
def test_a_peak_is_seen():
    def call(x):
        return torch.ones(30 << 20, dtype=torch.uint8).max()

    assert 28 << 20 < _peak(call, torch.zeros(1), CPU) < 40 << 20  # the system counts pages in batches


@needs_peaks
@pytest.mark.parametrize("size", [(512, 512), (304, 1000)], ids=str)
def test_the_prediction_holds(size):
    return_large_blocks()  # as the command does
    tiled = TiledNetwork(natural(width=16))
    predicted = tiled.need.bytes(size[0] * size[1])

    def call(x):
        with torch.inference_mode():
            return tiled(x)

    taken = _peak(call, torch.rand(1, 3, *size), CPU)
    assert 0.4 * predicted < taken < predicted  # the line is drawn through peaks that vary, and lies above them


def test_need_is_a_straight_line():
    need = Need(100.0, 10.0)
    assert need.bytes(5) == 150
    assert need.pixels(150) == 5
    assert need.pixels(50) == 0


@needs_peaks
def test_need_is_measured():
    """Of a call that takes 20 MiB whatever the picture's size, and 2400 bytes for each pixel."""
    return_large_blocks()

    def call(x):
        aside = torch.ones(20 << 20, dtype=torch.uint8)
        return x.repeat(1, 100, 1, 1) + aside[0]

    line = measure(call, 3, CPU)
    assert 15 << 20 < line.fixed < 25 << 20
    assert 2400 < line.per_pixel < 2400 * 1.3  # repeated, then added to


def test_need_where_the_system_tells_no_peaks(monkeypatch):
    """As the published network's."""
    monkeypatch.setattr(memory_need, "_peak", lambda *arguments: None)
    line = measure(lambda x: x, 3, CPU)
    assert line.fixed == 0
    assert line.per_pixel > 1000
