"""Two processes: tensors sharded along the batch, and data-parallel training of DRBNet."""

import pytest
import torch
import torch.multiprocessing

from lfdeblur_ops.testing import MANY_ROUNDINGS, REORDERED_SUMS

from .sharded import BEYOND, PROCESSES, calls, work

pytestmark = pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this PyTorch has no gloo")


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    torch.multiprocessing.spawn(work, (folder / "meeting", folder / "found.pt"), nprocs=PROCESSES)
    return torch.load(folder / "found.pt")


@pytest.mark.parametrize("name", [*calls(), "DRBNet"])
def test_ops_keep_a_batch_sharded(together, name):
    if name in BEYOND:
        pytest.skip("this PyTorch has no rules for all that it needs")
    found = together["sharded"][name]
    assert found["placement"] == "(Shard(dim=0),)"
    for got, want in zip(found["got"], found["want"], strict=True):
        torch.testing.assert_close(got, want, **REORDERED_SUMS)


@pytest.mark.parametrize("way", ["DistributedDataParallel", "fully_shard", "fully_shard by blocks"])
def test_data_parallel_training_is_training(together, way):
    alone = together["losses"]["alone"]
    assert alone[-1] < alone[0]
    torch.testing.assert_close(together["losses"][way], alone, rtol=MANY_ROUNDINGS, atol=MANY_ROUNDINGS)
