"""The architecture in one file of plain PyTorch: the network's own results, where nothing of ours can be imported."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lfdeblur_models.export import architecture
from lfdeblur_ops.testing import MANY_ROUNDINGS

from .networks import SHAPES, SIZES, restored, unit_pictures

ALONE = """
import sys

for name in ("lfdeblur_ops", "lfdeblur_models"):
    sys.modules[name] = None  # importing it is an error
sys.path.insert(0, sys.argv[1])

import drbnet_arch
import torch
from safetensors.torch import load_file, save_file

network = drbnet_arch.network_of(load_file(sys.argv[2]))
pictures = load_file(sys.argv[3])
count = len({name.split(".")[1] for name in pictures})
with torch.no_grad():
    save_file(
        {
            size: network(*(pictures[f"{size}.{view}"] for view in range(count)))
            for size in {name.split(".")[0] for name in pictures}
        },
        sys.argv[4],
    )
"""


def in_a_process(folder, network, *, module):
    """Results on ``SIZES`` of a network that ``module`` made of its state dict, in a process that has only that."""
    folder.mkdir(exist_ok=True)
    (folder / "drbnet_arch.py").write_bytes(Path(module).read_bytes())
    save_file(network.state_dict(), folder / "state.safetensors")
    pictures = {size: unit_pictures(network, size) for size in SIZES}
    save_file(
        {f"{i}.{j}": view for i, size in enumerate(SIZES) for j, view in enumerate(pictures[size])},
        folder / "in.safetensors",
    )
    files = [folder / name for name in ("state.safetensors", "in.safetensors", "out.safetensors")]
    subprocess.run([sys.executable, "-c", ALONE, folder, *files], check=True, cwd=folder, timeout=240)
    results = load_file(files[-1])
    return [(results[str(index)], restored(network, pictures[size])) for index, size in enumerate(SIZES)]


@pytest.mark.parametrize("name", ["single", "dual"])
def test_alone_in_a_process(tmp_path, networks, name):
    for got, want in in_a_process(tmp_path, networks[name], module=architecture.__file__):
        torch.testing.assert_close(got, want, rtol=0, atol=MANY_ROUNDINGS)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("size", [*SIZES, (1, 1, 1), (1, 5, 2)])
def test_results_of_the_network(networks, name, size):
    network = networks[name]
    pictures = unit_pictures(network, size)
    with torch.no_grad():
        got = architecture.network_of(network.state_dict())(*pictures)
    torch.testing.assert_close(got, restored(network, pictures), rtol=0, atol=MANY_ROUNDINGS)


def test_half_beside_a_wide_picture(networks):
    network = networks["single"]
    plain, pictures = architecture.network_of(network.state_dict()), unit_pictures(network, SIZES[0])
    with torch.no_grad():
        wide, narrow = plain(*pictures), plain.half()(*pictures)
    assert narrow.dtype == torch.float32
    assert 0 < (narrow - wide).abs().max() < 1e-2
