"""The kernels, compiled once."""

import pytest
import torch

from . import build


@pytest.fixture(scope="session")
def cache(pytestconfig):
    return pytestconfig.cache.mkdir("cuda_on_cpu")


@pytest.fixture(scope="session")
def kernels(cache, tmp_path_factory):
    return build(cache, tmp_path_factory.mktemp("cuda_on_cpu"))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The reference's tensors are small: more threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
