"""The network of a file of plain PyTorch, in a process in which nothing of ours can be imported."""

import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from .networks import SIZES, restored, unit_pictures

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
