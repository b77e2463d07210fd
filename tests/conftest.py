"""Fixtures shared by all tests: what this machine can run."""

import gc
import os

import pytest
import torch

import lfdeblur_ops

from .backends import DEVICE
from .workers import CORES, WORKERS, together

# Fills every torch.empty with NaN, the extension's outputs too: an element that nobody wrote cannot pass for a zero.
torch.use_deterministic_algorithms(True, warn_only=True)

if WORKERS > 1:  # else the workers' threads, and those of the programs that they start, wait for each other
    torch.set_num_threads(CORES)
    os.environ["OMP_NUM_THREADS"] = str(CORES)


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU on this machine"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """As ``--dist loadgroup``, whose groups pytest 9.2 and pytest-xdist 3.8 lose."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return together(nodeid)

    return Together(config, log)


@pytest.fixture(autouse=True, scope="module")
def imported_objects_are_not_searched_for_garbage():
    """PyTorch's alone, a million, take half a second each time, and measured calls begin with such a search."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def all_is_searched_at_the_end():
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def seed():
    """The same random inputs in every run, whatever ran before."""
    torch.manual_seed(0)


@pytest.fixture(params=["reference", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def backend(request):
    """Each back end; one that cannot run here is skipped with its reason, save cpu, which every machine must have."""
    reason = lfdeblur_ops.backends("dynamic_filter")[request.param]
    if reason != "ok" and request.param == "cuda":
        pytest.skip(reason)
    assert reason == "ok"
    return request.param


@pytest.fixture
def device(backend):
    return DEVICE[backend]


@pytest.fixture
def command(capsys):
    """Call ``lfdeblur`` with its arguments; gives exit code, stdout and stderr."""
    from lfdeblur_models import cli

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return call


@pytest.fixture
def float32_convolutions():
    """A call that says how a GPU forms their products, ``ieee`` or ``tf32``; afterwards it is as before."""
    conv = torch.backends.cudnn.conv
    before = conv.fp32_precision

    def say(precision):
        conv.fp32_precision = precision

    yield say
    conv.fp32_precision = before
