"""How far tiles must see beyond their own part: PSNR against whole-picture inference, by overlap.

``python -m benchmarks.tile_overlap`` draws what was found before. ``--picture FILE [--weights FILE]`` measures anew.

No trained weights of the paper's size ship: several networks of its shape stand in. PyTorch's initial weights; random
weights whose outputs have the size of pictures; the same with kernels that carry the detail; and weights that average,
through which far pixels add up and never cancel. ``--weights`` adds a checkpoint of one's own.
"""

import argparse
import json
import math
from pathlib import Path

import torch

from lfdeblur_models import DRBNet, exact_overlap, load_network
from lfdeblur_models.inference.tiled_network import DEFAULT_OVERLAP
from lfdeblur_models.inference.tiles import grid, run_tiles
from lfdeblur_models.io.images import read_image

from ._network import official_weights

OVERLAPS = (0, 8, 16, 32, 48, 64, 96, 144)
OWN = 192  # pixels of a tile's own part, small: the picture has many seams
CROP = 416, 576  # of the picture


def initial() -> DRBNet:
    torch.manual_seed(0)
    return DRBNet()


def random(kernel_gain: float = 1.0) -> DRBNet:
    weights = official_weights("single")
    for name, weight in weights.items():
        if "kernel.2" in name:
            weight.mul_(kernel_gain)
    return DRBNet.from_official(weights)


def averaging() -> DRBNet:
    weights = official_weights("single")
    for name, weight in weights.items():
        if weight.dim() == 4:
            inputs = 0 if weight.shape[-1] == 4 else 1
            weight.abs_().div_(weight.mean([i for i in range(4) if i != 1 - inputs], keepdim=True))
            weight.div_(weight.shape[inputs] * (4 if weight.shape[-1] == 4 else weight.shape[2] * weight.shape[3]))
            if ".stem.0.2" in name or "kernel.2" in name or "res.2" in name:
                weight.mul_(0.02 if "kernel.2" in name else 0.1)
        else:
            weight.zero_()
    return DRBNet.from_official(weights)


def picture(path: Path) -> torch.Tensor:
    pixels, info = read_image(path)
    return pixels.float() / (255 if info.bits == 8 else 65535) * 2 - 1


def curve(net: DRBNet, center: torch.Tensor) -> list[float]:
    """PSNR in dB for each overlap; 200 stands for results that agree to rounding."""
    net.eval()
    with torch.inference_mode():
        whole = net(center)[0]
    found = []
    for overlap in OVERLAPS:
        out = torch.empty_like(whole)
        tile = OWN + 2 * overlap
        tiles = grid(*center.shape[-2:], (tile, tile), overlap, 8)

        def write(top: int, left: int, block: torch.Tensor, out: torch.Tensor = out) -> None:
            out[:, top : top + block.shape[1], left : left + block.shape[2]] = block

        run_tiles(net, tiles, lambda row, column: center[..., row.start : row.stop, column.start : column.stop], write)
        error = (out - whole).square().mean().item()
        found.append(round(min(200.0, 10 * math.log10(4 / max(error, 1e-30))), 2))
        print(f"  overlap {overlap}: {found[-1]} dB", flush=True)
    return found


def plot(result: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"font.size": 9, "legend.fontsize": 8.5}):
        figure, axis = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
        for name, values in result["psnr"].items():
            axis.plot(result["overlaps"], values, "o-", label=name)
        grey = {"color": "0.35", "fontsize": 8.5}
        axis.axhline(50, color="0.35", linestyle="--", zorder=1)
        axis.text(140, 46, "50 dB: 0.8 of a step of 8 bits", ha="right", va="top", **grey)
        for at, low, name in ((DEFAULT_OVERLAP, 22, "default"), (result["receptive_field"], 54, "receptive field")):
            axis.axvline(at, color="0.35", linestyle=":", zorder=1)
            axis.text(at + 1, low, name, va="bottom", rotation=90, **grey)
        axis.set(
            xlabel="pixels seen beyond the tile's own part",
            ylabel="PSNR against the whole picture, dB",
            xlim=(-5, 153),
            ylim=(20, 180),
            xticks=result["overlaps"],
        )
        axis.grid(alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(path, dpi=190, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--picture", type=Path, help="measure on this picture; without it the plot alone is drawn")
    parser.add_argument("--weights", type=Path, help="measure these too")
    parser.add_argument("--json", type=Path, default=Path("docs/data/tile_overlap.json"), help="the results")
    parser.add_argument("--plot", type=Path, default=Path("docs/tile_overlap.png"))
    options = parser.parse_args()
    if options.picture is None:
        plot(json.loads(options.json.read_text()), options.plot)
        return
    center = picture(options.picture)[None, :, : CROP[0], : CROP[1]]
    makers = {
        "initial weights": initial,
        "random weights": random,
        "random, strong kernels": lambda: random(8.0),
        "averaging weights": averaging,
    }
    if options.weights:
        makers[options.weights.stem] = lambda: load_network(options.weights)
    result: dict = {
        "picture": list(center.shape[-2:]),
        "own": OWN,
        "overlaps": OVERLAPS,
        "receptive_field": exact_overlap(DRBNet()),
        "psnr": {},
    }
    for name, make in makers.items():
        print(name, flush=True)
        result["psnr"][name] = curve(make(), center)
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    plot(result, options.plot)


if __name__ == "__main__":
    main()
