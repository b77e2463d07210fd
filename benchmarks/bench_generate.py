"""Training pairs from PNG views to PNG pairs: `generate` against the same work with NumPy, SciPy and Pillow."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from lfdeblur_models.data import Recipe, aperture_diameter, generate, left_half, read_light_field, right_half
from lfdeblur_models.data.generation.recipe import DEFAULT_APERTURES
from lfdeblur_models.data.rendering.planes import even_planes
from lfdeblur_models.system.memory import keep_freed_memory

from . import _machine
from ._harness import Case, Sides, Unavailable, pytest_case
from .bench_pairs import _decode, _encode, slices_pair

SCIPY, THREADED = "NumPy, scipy.ndimage.shift, Pillow", "the same, planes in 2 threads"
FORMS = (SCIPY, THREADED)
PLANES, COMPRESSION = 5, 3  # of Pillow; our default makes files of no more bytes
KINDS = ("input", "left", "right")
CHECKED = ((0, 0), (len(DEFAULT_APERTURES) - 1, PLANES - 1))  # aperture and plane of the pairs that are compared
DATA = Path(os.environ.get("LFDEBLUR_TEST_DATA", _machine.ROOT.parent / "shared" / "data"))
REAL = DATA / "lf-hci-antinous"


def scipy_generate(scene, planes, apertures, out, threads=1):
    """Read the views of a folder in HCI's form and write all pairs, as a script without this library would."""
    files = sorted(scene.glob("input_Cam*.png"))
    side = round(len(files) ** 0.5)
    table = _decode(np.arange(256) / 255).astype(np.float32)
    codes = [np.asarray(Image.open(file)) for file in files]
    views = [np.ascontiguousarray(table[picture].transpose(2, 0, 1)) for picture in codes]
    disparity = _read_pfm(scene / "gt_disp_lowres.pfm")
    weights = np.stack([torch.stack([left_half(a), right_half(a)]).numpy() for a in _weights(apertures, side)])
    diameters = [aperture_diameter(aperture, (side, side)) for aperture in apertures]
    for kind in (*KINDS, "defocus_map"):
        (out / kind / scene.name).mkdir(parents=True)
    (out / "ground_truth").mkdir()
    _save(codes[len(codes) // 2], out / "ground_truth" / f"{scene.name}.png")

    def one(plane, focus):
        sums = np.zeros((*weights.shape[:2], *views[0].shape), np.float32)
        for (v, u), picture in zip(np.ndindex(side, side), views, strict=True):
            used = np.argwhere(weights[:, :, v, u])
            if not len(used):
                continue
            shift = (focus * (v - (side - 1) / 2), focus * (u - (side - 1) / 2))
            for channel, values in enumerate(picture):
                moved = ndimage.shift(values, shift, order=1, mode="nearest")
                for a, half in used:
                    sums[a, half, channel] += weights[a, half, v, u] * moved
        for a, (left, right) in enumerate(sums):
            amounts = weights[a].sum((1, 2))
            pictures = ((left + right) / amounts.sum(), left / amounts[0], right / amounts[1])
            name = f"{scene.name}/{scene.name}_ap{a + 1}_{plane:02d}.png"
            for kind, light in zip(KINDS, pictures, strict=True):
                _save(np.rint(_encode(light) * 255).astype(np.uint8).transpose(1, 2, 0), out / kind / name)
            spot = diameters[a] * (disparity - np.float32(focus))
            _save(np.rint(spot * 256 + 32768).clip(0, 65535).astype(np.uint16), out / "defocus_map" / name)

    if threads == 1:
        for plane, focus in enumerate(planes):
            one(plane, focus)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, range(len(planes)), planes))


def _save(pixels, path):
    Image.fromarray(pixels).save(path, compress_level=COMPRESSION)


def _read_pfm(path):
    _, size, _, data = path.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    return np.frombuffer(data, "<f4").reshape(height, width)[::-1]


def _weights(apertures, side):
    return [aperture.weights((side, side)) for aperture in apertures]


def make_scene(folder, views, size):
    """Views of a slanted surface with detail at all scales, as HCI names them."""
    height, width = size
    folder.mkdir()
    random = np.random.default_rng(0)
    texture = np.zeros((3, height + 64, width + 64))
    for octave in range(6):
        small = random.random((3, (height + 64 >> octave) + 2, (width + 64 >> octave) + 2))
        texture += ndimage.zoom(small, (1, 2**octave, 2**octave), order=1)[:, : height + 64, : width + 64] * 2**octave
    texture = (255 * (texture - texture.min()) / np.ptp(texture)).astype(np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    disparity = np.broadcast_to(np.linspace(-1.5, 1.5, height, dtype=np.float32)[:, None], size)
    for i, (v, u) in enumerate(np.ndindex(views, views)):
        at = [32 + y + disparity * (v - views // 2), 32 + x + disparity * (u - views // 2)]
        view = np.stack([ndimage.map_coordinates(channel, at, order=1) for channel in texture], -1)
        Image.fromarray(np.rint(view).astype(np.uint8)).save(folder / f"input_Cam{i:03d}.png")
    header = f"Pf\n{width} {height}\n-1.0\n".encode()
    (folder / "gt_disp_lowres.pfm").write_bytes(header + disparity[::-1].astype("<f4").tobytes())


def build(views, size, rivals):
    root = tempfile.TemporaryDirectory()
    folder = Path(root.name)
    if REAL.is_dir() and (views, size) == (9, (512, 512)):
        scene = REAL
    else:
        scene = folder / "scene"
        make_scene(scene, views, size)
    keep_freed_memory()  # as the command does
    light_field = read_light_field(scene)
    if light_field.disparity is None or light_field.disparity_range is None:
        raise Unavailable(f"{scene}: no ground-truth disparity")
    planes = tuple(even_planes(light_field.disparity_range, PLANES))
    recipe = Recipe(disparities=planes, dual_pixel=True, contact_sheets=False)
    stages = []

    def fresh(name):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
        return folder / name

    def ours(root=root):  # which lives as long as this
        out = fresh("ours")
        stages.append(generate([scene], out, recipe).stages.seconds)
        return out

    def theirs(threads):
        out = fresh(f"theirs{threads}")
        scipy_generate(scene, planes, recipe.apertures, out, threads)
        return out

    def exact():
        """In steps of the files, not rounded."""
        assert light_field.disparity is not None
        truth = light_field.center.double()
        pictures = [truth]
        for a, p in CHECKED:
            weights = recipe.apertures[a].weights(light_field.grid)
            halves = torch.stack([left_half(weights), right_half(weights)]).double()
            focus = float(np.float32(planes[p]))
            pictures += [255 * light for light in slices_pair(light_field.views, focus, halves, torch.float64)]
            diameter = aperture_diameter(recipe.apertures[a], light_field.grid)
            pictures.append(32768 + 256 * diameter * (light_field.disparity.double() - planes[p])[None])
        return pictures

    def part(out):
        names = [f"ground_truth/{scene.name}.png"]
        for a, p in CHECKED:
            names += [f"{kind}/{scene.name}/{scene.name}_ap{a + 1}_{p:02d}.png" for kind in (*KINDS, "defocus_map")]
        pictures = [np.atleast_3d(np.asarray(Image.open(out / name))) for name in names]
        return [torch.from_numpy(picture.astype(np.float64)).permute(2, 0, 1) for picture in pictures]

    forms = {SCIPY: partial(theirs, 1), THREADED: partial(theirs, 2)}
    return Sides(ours, {name: forms[name] for name in rivals}, exact, part, lambda: stages[-1])


def case(views, size, rivals=FORMS):
    height, width = size
    pairs, pixels = len(DEFAULT_APERTURES) * PLANES, 3 * height * width
    lit = sum(int((weights > 0).sum()) for weights in _weights(DEFAULT_APERTURES, views))
    return Case(
        op="generate",
        shape=f"{views}x{views}x3x{height}x{width}, {len(DEFAULT_APERTURES)} apertures x {PLANES} planes",
        dtype="uint8",
        device="cpu",
        build=partial(build, views, size, rivals),
        moved=pixels * views**2 + pairs * (3 * pixels + 2 * height * width) + pixels,
        operations=2 * 2 * 2 * lit * PLANES * pixels,
        # Whole steps of the files: rounding, and as much again as float32 moves a value across a step's border.
        tolerance={"rtol": 0.0, "atol": 0.52},
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module: files are read and written on the CPU."""
    if device != "cpu":
        return
    yield case(9, (512, 512)) if full else case(5, (192, 192))


@pytest.mark.parametrize("size", [(24, 33)], ids=str)
def test_generate(benchmark, size):
    pytest_case(benchmark, case(3, size))
