"""The pictures of ``lfdeblur evaluate --data stack``: ``python docs/weights/stack_pairs.py DATA OUT``.

DATA has the folders stack-depthmap and stack-pcb: frames of one scene focused at successive depths, examples of the
program focus-stack. Where a part of the scene is sharp in one frame, that frame is the truth for the others. Frames
differ in scale and place, since a lens that is focused changes its magnification: the sharp one is resampled onto the
other's pixels. Where exactly is found together with the blur: shift, scale, turn, the radius of a disk in linear light
and a gain for each channel are those with which the sharp frame comes nearest to the defocused one.
"""

import json
import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pyvips
import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_models.data.transfer import linear_to_srgb, srgb_to_linear
from lfdeblur_models.evaluation.disk_blur import disk_kernel

SIDE, MARGIN = 256, 24  # of a crop, of frames at half their size; pixels around it that blur into it
RADII = (1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8)
UNITS = torch.tensor([1e-3, 1e-3, 1.0, 1.0])  # of scale, turn in radians, shift down and right in pixels


class Crop(NamedTuple):
    stack: str
    top: int  # in the defocused frame, at half its size; the sharp one shows all of it
    left: int
    sharp: int  # numbers of frames
    defocused: int


CROPS = (
    Crop("stack-depthmap", 40, 16, 3, 2),
    Crop("stack-depthmap", 16, 16, 3, 4),
    Crop("stack-depthmap", 40, 400, 3, 2),
    Crop("stack-depthmap", 40, 400, 3, 1),
    Crop("stack-depthmap", 40, 716, 3, 2),
    Crop("stack-depthmap", 40, 716, 3, 1),
    Crop("stack-depthmap", 216, 754, 3, 2),
    Crop("stack-depthmap", 216, 754, 3, 4),
    Crop("stack-depthmap", 380, 754, 3, 4),
    Crop("stack-pcb", 116, 16, 4, 3),
    Crop("stack-pcb", 116, 16, 4, 2),
    Crop("stack-pcb", 16, 716, 6, 5),
)


def read(path: Path) -> Tensor:
    """``[3, H, W]`` in linear light."""
    return srgb_to_linear(torch.from_numpy(pyvips.Image.new_from_file(path).numpy()).permute(2, 0, 1).float() / 255)


def halved(picture: Tensor) -> Tensor:
    return F.avg_pool2d(picture[None], 2)[0]


def resampled(picture: Tensor, similarity: Tensor, centre: tuple[float, float], side: float, pixels: int) -> Tensor:
    """A square of ``side`` pixels around ``centre``, which a similarity moves, as ``pixels`` squared."""
    scale, turn, down, right = similarity
    place = ((torch.arange(pixels) + 0.5) / pixels - 0.5) * side
    y, x = torch.meshgrid(place, place, indexing="ij")
    rows = centre[0] + down + (1 + scale) * (turn.cos() * y - turn.sin() * x)
    columns = centre[1] + right + (1 + scale) * (turn.sin() * y + turn.cos() * x)
    height, width = picture.shape[-2:]
    grid = torch.stack([2 * columns / width - 1, 2 * rows / height - 1], -1)
    return F.grid_sample(picture[None], grid[None], "bicubic", "border", align_corners=False)[0]


def blurred(picture: Tensor, radius: float) -> Tensor:
    """Under a disk, without the pixels at the border that lack neighbours."""
    kernel = disk_kernel(radius).float()
    reach = 2 * (len(kernel) // 2)
    spectrum = torch.fft.rfft2(picture) * torch.fft.rfft2(kernel, s=picture.shape[-2:])
    return torch.fft.irfft2(spectrum, s=picture.shape[-2:])[..., reach:, reach:]


def least(error, start: Tensor, iterations: int) -> Tensor:
    """The similarity near ``start`` of the least error."""
    steps = torch.zeros(4, requires_grad=True)
    search = torch.optim.LBFGS([steps], max_iter=iterations, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        found = error(start + steps * UNITS)
        found.backward()
        return found

    search.step(closure)
    return (start + steps * UNITS).detach()


def neighbours(one: Tensor, other: Tensor) -> Tensor:
    """The similarity between successive frames, both softened, so that their blur is alike."""
    side = min(one.shape[-2:])
    similarity = torch.zeros(4)
    for factor in (16, 8, 4):
        a, b = (F.avg_pool2d(F.avg_pool2d(frame[None], factor).sqrt(), 5, 1, padding=2)[0] for frame in (one, other))
        middle = a.shape[1] / 2, a.shape[2] / 2
        pixels = int(0.9 * side / factor)

        def error(moved: Tensor, a=a, b=b, middle=middle, pixels=pixels, factor=factor) -> Tensor:
            within = moved / torch.tensor([1, 1, factor, factor])
            still = resampled(b, torch.zeros(4), middle, pixels, pixels)
            return (resampled(a, within, middle, pixels, pixels) - still).square().mean()

        similarity = least(error, similarity, 40)
    return similarity


def matrix(similarity: Tensor) -> Tensor:
    scale, turn, down, right = similarity.double()
    k, c, s = 1 + scale, turn.cos(), turn.sin()
    return torch.tensor([[k * c, -k * s, down], [k * s, k * c, right], [0, 0, 1]], dtype=torch.float64)


def fit(sharp: Tensor, defocused: Tensor, start: Tensor, centre: tuple[float, float]) -> tuple[Tensor, dict]:
    """The sharp frame on the pixels of the crop, in the defocused one's exposure, and how well it explains it."""

    def explained(similarity: Tensor, radius: float) -> tuple[Tensor, Tensor]:
        wide = SIDE + 2 * MARGIN
        soft = blurred(resampled(small, similarity, centre, wide, wide), radius)
        border = (soft.shape[-1] - SIDE) // 2
        soft = soft[:, border : border + SIDE, border : border + SIDE]
        gain = (soft * defocused).sum((1, 2), keepdim=True) / soft.square().sum((1, 2), keepdim=True)
        return soft * gain.detach(), gain

    def difference(similarity: Tensor, radius: float) -> Tensor:
        soft = explained(similarity, radius)[0]
        return (soft.clamp_min(1e-5).sqrt() - defocused.clamp_min(1e-5).sqrt()).square().mean()

    small, best = halved(sharp), (math.inf, 0.0, start)
    for radius in RADII:
        found = least(lambda moved, radius=radius: difference(moved, radius), best[2], 12)
        best = min(best, (float(difference(found, radius)), radius, found), key=lambda one: one[0])
    _, radius, similarity = best
    soft, gain = explained(similarity, radius)
    twice = similarity * torch.tensor([1, 1, 2, 2])
    truth = resampled(sharp, twice, (2 * centre[0], 2 * centre[1]), 2 * SIDE, 2 * SIDE)
    error = (linear_to_srgb(soft.clamp(0, 1)) - linear_to_srgb(defocused)).square().mean()
    facts = {"radius": radius, "explained_db": round(-10 * math.log10(float(error)), 1)}
    return halved(truth.clamp(0, 1)) * gain, facts


def write(path: Path, linear: Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (linear_to_srgb(linear.clamp(0, 1)) * 255).round().byte().permute(1, 2, 0).contiguous()
    pyvips.Image.new_from_array(pixels.numpy()).webpsave(path, lossless=True, keep="none")


def main(data: Path, out: Path) -> None:
    facts = {}
    for stack in dict.fromkeys(crop.stack for crop in CROPS):
        frames = [read(path) for path in sorted((data / stack).glob("pcb_*"))]
        small = [halved(frame) for frame in frames]
        steps = [matrix(neighbours(a, b)) for a, b in pairwise(small)]
        for crop in (crop for crop in CROPS if crop.stack == stack):
            first, last = sorted((crop.sharp, crop.defocused))
            moved = torch.linalg.multi_dot([torch.eye(3, dtype=torch.float64)] * 2 + steps[first:last])
            moved = moved if crop.sharp == first else torch.linalg.inv(moved)
            height, width = small[0].shape[-2:]
            centre = crop.top + SIDE / 2, crop.left + SIDE / 2
            here = torch.tensor([centre[0] - height / 2, centre[1] - width / 2, 1], dtype=torch.float64)
            shift = (moved @ here - here)[:2]
            scale = math.hypot(float(moved[0, 0]), float(moved[1, 0])) - 1
            start = torch.tensor([scale, math.atan2(float(moved[1, 0]), float(moved[0, 0])), *shift.tolist()])
            defocused = small[crop.defocused][:, crop.top : crop.top + SIDE, crop.left : crop.left + SIDE]
            truth, found = fit(frames[crop.sharp], defocused, start, centre)
            name = f"{stack.removeprefix('stack-')}_{crop.top:03}_{crop.left:03}_{crop.defocused}"
            write(out / "input" / f"{name}.webp", defocused)
            write(out / "truth" / f"{name}.webp", truth)
            facts[name] = found
            print(name, found)
    (out / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
