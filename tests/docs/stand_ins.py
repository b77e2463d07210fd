"""What the pages call SCENE, PHOTO.jpg or /data/LFDOF, in small, and what makes their commands short."""

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from lfdeblur_models import DRBNet
from lfdeblur_models.data import read_light_field
from lfdeblur_models.io.images import write_image
from lfdeblur_models.networks.shipped import FILE

from ..evaluation.alexnet import write_alexnet
from ..training.training_runs import write_pairs

CHESS = FILE.parents[1] / "chess"
WEIGHTS = "small.safetensors"  # of a small network, in place of those that ship
TRAINED = "run1/weights.safetensors"

# A word of a command line, and what is written for it here. Paths below /data/ lie in the folder of the test.
WORDS: dict[str, list[str]] = {
    "SCENE...": ["SCENE"],
    "PHOTO...": ["PHOTO.jpg"],
    "300,200": ["30,20"],  # pixels of the smaller pictures
    "212,170": ["12,10"],
    "single_image_defocus_deblurring.pth": [TRAINED],
    "...": ["--set", "data.0.root=/data/DPDD", "--set", "validation.root=/data/DPDD"],
}

# What is added to a command.
SHORT: dict[str, list[str]] = {
    "train": [
        *("--set", "run.steps=2", "--set", "run.batch=1", "--set", "run.workers=0", "--set", "run.accelerator=cpu"),
        *("--set", "augment.crop=32", "--set", "validation.crop=32", "--set", "validation.pictures=1"),
        *("--set", "network.width=4", "--set", "network.scales=2", "--set", "network.kernel_size=3"),
    ],
    "simulate": ["--size", "400x400"],
    "view": ["--no-browser"],
}

# A recipe of this name in the current folder goes before the one that ships.
ABLATION = """
stage1 = { steps = 1, learning_rate = 1e-3 }
stage2 = { steps = 1, learning_rate = 1e-3 }
feature = { l1 = 0.0, feature = 0.1, network = "squeezenet11" }
seeds = 1
network = { width = 6, kernel_size = 3, scales = 2 }
augment = { crop = 32 }
run = { batch = 1, accelerator = "cpu", workers = 0 }
light_field = [{ kind = "lfdof", root = "data/LFDOF" }]
real = [{ kind = "dpdd", root = "data/DPDD" }]
evaluation = [{ name = "small", kind = "lfdof", root = "data/LFDOF", middle = 32 }]
"""

# Options in place of others: the twelve pairs that ship take too long.
OF_STACK = ["--root", "stack"]


def write(folder: Path) -> None:
    """The small data, in a folder."""
    (folder / "scene").symlink_to(CHESS)
    field = read_light_field(CHESS).sub(5).crop(y=slice(100, 164), x=slice(100, 180))
    (folder / "path/to/hci").mkdir(parents=True)
    for name in ("SCENE", "chess", "path/to/hci/scene"):
        field.save(folder / name, "hci")
    photo = field.views[2, 2]
    for name in ("PHOTO.jpg", "photo.jpg", "photographs/one.png", "data/CUHK/image/one.png", "defocused.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / name, photo)
    for split in ("train", "test"):
        root = folder / f"data/LFDOF/{split}_data"
        for path in (root / "input/one/one_ap1_00.png", root / "ground_truth/one.png"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, photo)
    (folder / "test_list.txt").write_text("one\\one_ap1_00.png\n")
    for split in ("train", "val", "test"):
        for view in "clr":
            write_pairs(folder / f"data/DPDD/{split}_{view}", count=1)
    write_pairs(folder / "stack", count=1, folders=("input", "truth"))
    write_pairs(folder / "pairs", count=1, height=72, width=80, folders=("blurred", "truth"))
    write_weights(folder / WEIGHTS)
    for run in ("run1", "runs/one"):
        (folder / run).mkdir(parents=True)
        shutil.copy(folder / WEIGHTS, folder / run / "weights.safetensors")
    write_alexnet(folder / "alexnet-owt-7be5be79.pth")
    (folder / "ablate").write_text(ABLATION)
    (folder / "runs/one/training.csv").write_text("step,loss\n1,0.5\n2,0.25\n")


def write_weights(path: Path) -> None:
    """Random ones."""
    torch.manual_seed(0)
    save_file(DRBNet(width=4, scales=4, kernel_size=3).state_dict(), path)


def names(page: str) -> dict[str, Any]:
    """What the Python of a page takes for given."""
    views = torch.rand(5, 5, 3, 16, 20)
    if page == "docs/geometry.md":
        return {"views": views, "disparities": torch.linspace(-1, 1, 3), "visible": torch.ones(5, 5, 16, 20)}
    if page == "docs/transforms.md":
        net = DRBNet(width=4, scales=2, kernel_size=3)
        return {
            "x": views[0, :1],
            "filters": torch.rand(1, 49, 16, 20),
            "net": net,
            "picture": torch.rand(1, 3, 32, 32),
        }
    return {}
