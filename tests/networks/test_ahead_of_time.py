"""DRBNet compiled ahead of time, by AOTInductor."""

import subprocess
import sys

import pytest
import torch

from lfdeblur_ops.testing import MANY_ROUNDINGS

from ..exported import SIZES, exported, packaged
from ..natural import natural


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    net = natural(width=16, scales=2, kernel_size=3)
    return net, packaged(exported(net), tmp_path_factory.mktemp("aoti") / "net.pt2")


def test_compiled_ahead_of_time(package):
    """Two scales: the head of the coarser one has no bounds."""
    net, path = package
    run = torch._inductor.aoti_load_package(path)
    with torch.no_grad():
        for size in SIZES:
            n, height, width = size
            center = torch.rand(n, 3, height, width) * 2 - 1
            torch.testing.assert_close(run(center), net(center), rtol=0, atol=MANY_ROUNDINGS)


def test_files_name_the_ops_that_are_not_there(package, tmp_path):
    """What docs/compile.md tells to look for."""
    program = tmp_path / "program.pt2"
    torch.export.save(exported(package[0]), program)
    code = f"""
import torch
for load, file in ((torch._inductor.aoti_load_package, {package[1]!r}), (torch.export.load, {str(program)!r})):
    try:
        load(file)
    except RuntimeError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "Could not find schema for lfdeblur::" in done.stdout
    assert "Please import the custom op" in done.stderr
    assert "torch.ops.lfdeblur." in done.stderr
