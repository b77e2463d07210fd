"""``benchmarks.gpu`` knows what the network launches on a GPU, with none here: its layers, their work, other tiles."""

import collections

import pytest
import torch

pytest.importorskip("triton")

from benchmarks.gpu import launches, network, variants


@pytest.fixture(scope="module")
def found():
    return launches.of_network(torch.bfloat16)


def test_launches_of_the_network(found):
    layers = collections.Counter(launches.label(launch) for launch in found)
    assert layers["conv3x3 64>64 720x1280"] == 3
    assert layers["conv3x3 32+32>128 720x1280"] == 1
    assert layers["conv_transpose4x4 64>32 from 360x640"] == 1
    assert layers["drb_head 720x1280"] == 1
    assert len({launches.variant_of(launch) for launch in found}) < len(found)


def test_their_work_is_that_of_the_network(found):
    """623.3 G multiply-adds of the published network's convolutions at this size; those of the filters are few."""
    operations = sum(network.work(launch)[1] for launch in found)
    assert operations == pytest.approx(2 * 623.3e9, rel=0.01)
    assert all(network.work(launch)[0] > 0 for launch in found)


def test_other_tiles_are_of_the_same_layers(found):
    layers = variants.convolutions(found)
    assert launches.label(layers[0]) == "conv3x3 32+32>128 720x1280"
    for launch in layers:
        for config, other in variants.tried(launch):
            assert launches.label(other) == launches.label(launch)
            assert other.arguments["BLOCK_N"] == config.block_n <= launch.arguments["OUTPUTS"]
    assert {variant.kernel.__name__ for variant in variants.all_variants()} == {
        "conv3x3_fwd_kernel",
        "conv_transpose4x4_fwd_kernel",
    }
