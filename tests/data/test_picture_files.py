"""Data sets of pictures: layouts, pairing, and what is named when it is wrong."""

import numpy as np
import pytest
import pyvips
import torch
import torch.nn.functional as F

from lfdeblur_models.data.datasets.picture_files import find_pictures
from lfdeblur_models.data.datasets.picture_pairs import PicturePairs, as_float
from lfdeblur_models.data.datasets.pixel4 import Pixel4Pairs
from lfdeblur_models.data.errors import DataError
from lfdeblur_models.data.transfer import srgb_to_linear
from lfdeblur_models.io.images import write_image
from lfdeblur_models.training.augment import augment
from lfdeblur_models.training.config import AugmentConfig
from lfdeblur_ops.testing import FEW_ROUNDINGS

from ..data_paths import data_folder


def write(path, value=0, dtype=torch.uint8, channels=3, height=16, width=24):
    path.parent.mkdir(parents=True, exist_ok=True)
    if channels == 4:
        pyvips.Image.black(width, height, bands=4).linear(0, [value] * 3 + [255]).cast("uchar").write_to_file(path)
    else:
        write_image(path, torch.full((channels, height, width), value, dtype=torch.int32).to(dtype))


def write_dpdd(root, split="test", numbers=(8, 9, 10, 11), dtype=torch.uint8):
    """DPDD's layout, of which the sharp picture's number is the next odd one, not its partner's."""
    for number in numbers:
        for side in "clr":
            write(root / f"{split}_{side}" / "source" / f"1P0A{2 * number}.png", number, dtype)
        write(root / f"{split}_c" / "target" / f"1P0A{2 * number + 1}.png", number, dtype)
    return root


def write_lfdof(root, scenes=("IMG_1", "IMG_22"), part="test_data"):
    for number, scene in enumerate(scenes, 1):
        for aperture, plane in ((1, 0), (2, 4)):
            write(root / part / "input" / scene / f"{scene}_ap{aperture}_{plane:02d}.png", number, channels=4)
        write(root / part / "ground_truth" / f"{scene}.png", number, channels=4)
    return root


def names(items):
    return [item.name for item in items]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16], ids=str)
@pytest.mark.parametrize("dual", [False, True])
def test_dpdd_is_paired_in_natural_order(tmp_path, dtype, dual):
    pairs = PicturePairs(find_pictures("dpdd", write_dpdd(tmp_path, "val", dtype=dtype), split="val", dual=dual))
    assert names(pairs.items) == ["1P0A16", "1P0A18", "1P0A20", "1P0A22"]
    for pair, number in zip(pairs, (8, 9, 10, 11), strict=False):
        kinds = {"defocused", "sharp"} | ({"left", "right"} if dual else set())
        assert set(pair) == kinds | {"name"}
        for kind in kinds:
            assert pair[kind].dtype == dtype
            assert (pair[kind] == number).all()
            assert as_float(pair[kind]).max() == pytest.approx(number / (255 if dtype == torch.uint8 else 65535))


def test_lfdof_pairs_every_aperture_and_plane_with_its_scene(tmp_path):
    pairs = PicturePairs(find_pictures("lfdof", write_lfdof(tmp_path)))
    assert names(pairs.items) == ["IMG_1_ap1_00", "IMG_1_ap2_04", "IMG_22_ap1_00", "IMG_22_ap2_04"]
    for pair, number in zip(pairs, (1, 1, 2, 2), strict=True):
        assert pair["defocused"].shape == pair["sharp"].shape == (3, 16, 24)  # alpha is dropped
        assert (pair["defocused"] == number).all()
        assert (pair["sharp"] == number).all()


def test_lfdof_lists_with_back_slashes(tmp_path):
    listing = tmp_path / "test.txt"
    listing.write_text(
        "D:\\data\\LFDOF\\test_data\\input\\IMG_22\\IMG_22_ap2_04.png D:\\data\\ground_truth\\IMG_22.png\n"
        "\n"
        "test_data/input/IMG_1/IMG_1_ap1_00.png\n"
    )
    items = find_pictures("lfdof", write_lfdof(tmp_path), listing=listing)
    assert names(items) == ["IMG_22_ap2_04", "IMG_1_ap1_00"]
    assert [item.sharp.name for item in items] == ["IMG_22.png", "IMG_1.png"]
    listing.write_text("input\\IMG_1\\IMG_1_ap3_00.png\n")
    with pytest.raises(DataError, match=r"line 1: input/IMG_1/IMG_1_ap3_00.png is not below"):
        find_pictures("lfdof", tmp_path, listing=listing)


def test_lfdof_as_it_is_at_hand():
    items = find_pictures("lfdof", data_folder("pairs-lfdof"))
    assert names(items) == ["IMG_2385", "IMG_2662", "IMG_2764", "IMG_6316"]
    assert all(item.sharp.stem == item.name for item in items)


def test_realdof_folders_and_sets_without_truth(tmp_path):
    for name in ("2", "10"):
        write(tmp_path / "real" / "source" / f"{name}.png")
        write(tmp_path / "real" / "target" / f"{name}.jpg")
        write(tmp_path / "own" / "blurred" / f"{name}.png")
        write(tmp_path / "own" / "crisp" / f"{name}.png")
        write(tmp_path / "cuhk" / f"{name}.jpg")
        for side in "clr":
            write(tmp_path / "pixel" / f"test_{side}" / "source" / f"{name}.png")
    assert names(find_pictures("realdof", tmp_path / "real")) == ["2", "10"]
    own = find_pictures("folders", tmp_path / "own", defocused="blurred", sharp="crisp")
    assert [(item.defocused.parent.name, item.sharp.parent.name) for item in own] == [("blurred", "crisp")] * 2
    assert [item.sharp for item in find_pictures("cuhk", tmp_path / "cuhk")] == [None, None]
    pixel = find_pictures("pixeldp", tmp_path / "pixel", dual=True)
    assert [(item.sharp, item.left.parent.parent.name) for item in pixel] == [(None, "test_l")] * 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "test_c" / "target" / "1P0A19.png").unlink(), "seemingly without partner: 1P0A18.png"),
        (lambda root: write(root / "test_c" / "target" / "1P0A99.png"), "seemingly without partner: 1P0A99.png"),
        (lambda root: (root / "test_l" / "source" / "1P0A20.png").unlink(), "1P0A20.png: no picture of this name"),
        (lambda root: write(root / "test_r" / "source" / "1P0A22.png", height=18), "24x18 pixels"),
        (lambda root: (root / "test_c" / "source" / "1P0A16.png").write_bytes(b""), "1P0A16.png"),
        (lambda root: (root / "test_l").rename(root / "left"), "no such folder"),
    ],
    ids=["missing", "extra", "no-left", "misshaped", "empty", "no-folder"],
)
def test_wrong_files_are_named(tmp_path, spoil, message):
    spoil(write_dpdd(tmp_path))
    with pytest.raises(DataError, match=message):
        find_pictures("dpdd", tmp_path, dual=True)


def test_wrong_scenes_of_lfdof_are_named(tmp_path):
    truth = write_lfdof(tmp_path) / "test_data" / "ground_truth"
    (truth / "IMG_1.png").rename(truth / "IMG_3.png")
    with pytest.raises(DataError, match=r"IMG_1_ap1_00.png: its truth .*IMG_1.png is missing"):
        find_pictures("lfdof", tmp_path)
    write(truth / "IMG_1.png")
    with pytest.raises(DataError, match=r"IMG_3.png: no defocused picture of this scene"):
        find_pictures("lfdof", tmp_path)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("dpd", {}, "got 'dpd', want one of dpdd, lfdof"),
        ("realdof", {"dual": True}, "no left and right views"),
        ("dpdd", {"listing": "list.txt"}, "only lfdof has lists"),
        ("folders", {"defocused": "a"}, "give both names"),
        ("folders", {}, "no two folders"),
    ],
)
def test_bad_arguments(tmp_path, kind, options, message):
    with pytest.raises(DataError, match=message):
        find_pictures(kind, tmp_path, **options)


def test_pixel4_truth_has_the_exposure_of_the_capture():
    pairs = Pixel4Pairs(data_folder("pairs-dp-pixel4"), dual=True)
    item = pairs[0]
    sharp, defocused = item["sharp"].double(), item["defocused"].double()
    assert sharp.shape == defocused.shape == item["left"].shape
    assert float(sharp.mean()) == pytest.approx(float(defocused.mean()), abs=0.02)
    gradient = [picture.diff(dim=-1).abs().mean() for picture in (sharp, defocused)]
    assert gradient[0] > gradient[1]


def test_pixel4_truth_is_not_veiled_by_detail_that_the_capture_lost(tmp_path):
    """Fine noise over slow shades, black in the truth and grey in the capture: the fitted truth is black there."""
    shades = F.interpolate(torch.rand(1, 1, 4, 4), size=(256, 256), mode="bilinear")[0]
    truth = shades * torch.randint(0, 2, (1, 256, 256))
    blurred = F.avg_pool2d(F.pad(truth[None], (4, 4, 4, 4), mode="reflect"), 9, stride=1)[0]
    for kind, picture in (("gt", 65535 * truth), ("left", 1024 + 12000 * blurred), ("right", 1024 + 12000 * blurred)):
        write_image(tmp_path / f"001_{kind}.png", picture.to(torch.uint16))
    np.save(tmp_path / "right_gain_div8.npy", np.ones((32, 32)))
    sharp = Pixel4Pairs(tmp_path)[0]["sharp"][:1]
    assert float(sharp[truth == 0].max()) < 0.05
    assert (
        float(srgb_to_linear(sharp[truth > 0.5]).sub(truth[truth > 0.5] / truth.quantile(0.99)).abs().median()) < 0.03
    )


def ramp_item(dual):
    """A pair in which each pixel tells where it is, and each view which it is."""
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(28.0), indexing="ij")
    place = torch.stack([y, x, 0 * x]) / 32
    kinds = ("defocused", "sharp", "left", "right") if dual else ("defocused", "sharp")
    return {kind: place + torch.tensor([0.0, 0.0, number / 8])[:, None, None] for number, kind in enumerate(kinds)}


@pytest.mark.parametrize("dual", [False, True])
def test_augmentation_moves_all_pictures_alike_and_swaps_views_where_a_flip_demands_it(dual):
    item = ramp_item(dual)
    seen = set()
    for seed in range(60):
        out = augment(item, AugmentConfig(crop=8), np.random.default_rng(seed))
        assert all(torch.equal(picture[:2], out["sharp"][:2]) for picture in out.values())
        assert out["sharp"].shape == (3, 8, 8)
        rows, columns = out["sharp"][0] * 32, out["sharp"][1] * 32
        down, right = float(rows[1, 0] - rows[0, 0]), float(columns[0, 1] - columns[0, 0])
        transposed = down == 0
        assert not (dual and transposed)
        seen.add((transposed, float(rows[0, 0] < rows[-1, -1]), float(columns[0, 0] < columns[-1, -1])))
        if dual:
            first = "left" if right > 0 else "right"  # a mirrored scene is seen from the other half of the lens
            assert float(out["left"][2, 0, 0]) == pytest.approx({"left": 2, "right": 3}[first] / 8)
    assert len(seen) == (4 if dual else 8)


def test_noise_leaves_the_truth_alone():
    item = {kind: picture * 0.5 + 0.2 for kind, picture in ramp_item(dual=True).items()}
    config = AugmentConfig(crop=16, flip=False, rotate=False, noise=0.05)
    clean = augment(item, AugmentConfig(crop=16, flip=False, rotate=False), np.random.default_rng(3))
    noisy = augment(item, config, np.random.default_rng(3))
    assert torch.equal(noisy["sharp"], clean["sharp"])
    left, right, whole = (noisy[kind] - clean[kind] for kind in ("left", "right", "defocused"))
    assert 0 < float(left.std()) < 0.05
    torch.testing.assert_close(whole, (left + right) / 2, rtol=0, atol=FEW_ROUNDINGS)
