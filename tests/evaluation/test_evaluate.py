"""``lfdeblur evaluate``: scores against scikit-image, both protocols, data sets without truth, broken files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lfdeblur_models import DRBNet, deblur, load_network
from lfdeblur_models.evaluation.picture_sets import SCENE_KINDS
from lfdeblur_models.evaluation.scores import PROTOCOLS, choose_metrics
from lfdeblur_models.evaluation.sheet import error_map
from lfdeblur_models.io.images import ImageInfo, read_image, write_image
from lfdeblur_ops.testing import FEW_ROUNDINGS, MANY_ROUNDINGS

from ..data_paths import data_folder
from ..natural import natural
from ..training.training_runs import write_pairs
from .score_files import scores

metrics = pytest.importorskip("skimage.metrics", reason="the extra 'test' brings scikit-image")


def save(path, **sizes):
    torch.save(natural(**({"width": 6, "scales": 2, "kernel_size": 3} | sizes)).state_dict(), path)
    return path


@pytest.fixture
def weights(tmp_path):
    return save(tmp_path / "small.pt")


@pytest.fixture
def pairs(tmp_path):
    return write_pairs(tmp_path / "pairs", height=42, width=50)


def by_scikit_image(output, truth):
    arrays = [picture.double().permute(1, 2, 0).numpy() for picture in (truth, output)]
    return {
        "psnr": metrics.peak_signal_noise_ratio(*arrays, data_range=1),
        "ssim": metrics.structural_similarity(*arrays, data_range=1, channel_axis=-1),
        "mae": np.abs(arrays[0] - arrays[1]).mean(),
    }


def agree(found, expected):
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=FEW_ROUNDINGS), name


def test_both_protocols_score_as_scikit_image(run, pairs, weights, tmp_path):
    code, said, err = run("--data", "folders", "--root", pairs, "--weights", weights, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    found = scores(tmp_path / "out")
    network = load_network(weights)
    means = {}
    for number in range(3):
        blurred, sharp = (read_image(pairs / kind / f"{number}.png")[0] / 255 for kind in ("source", "target"))
        cut = (slice(None), slice(0, 32), slice(0, 48))
        whole = (deblur(network, blurred) * 255).round() / 255
        for protocol, row, output, truth in (
            ("published", "input", blurred[cut], sharp[cut]),
            ("published", "output", deblur(network, blurred[cut].contiguous()), sharp[cut]),
            ("whole", "input", blurred, sharp),
            ("whole", "output", whole, sharp),
        ):
            expected = by_scikit_image(output, truth)
            agree(found[protocol, str(number), row], expected)
            means.setdefault((protocol, row), []).append(expected)
    for (protocol, row), parts in means.items():
        agree(found[protocol, "mean", row], {name: np.mean([part[name] for part in parts]) for name in parts[0]})
    for (protocol, picture, row), values in found.items():
        if row == "gain":
            before, after = (found[protocol, picture, which] for which in ("input", "output"))
            assert values["psnr"] == pytest.approx(after["psnr"] - before["psnr"], abs=MANY_ROUNDINGS)
            assert values["mae"] == pytest.approx(before["mae"] - after["mae"], abs=FEW_ROUNDINGS)
    assert len(found) == 2 * (3 + 1) * 3

    facts = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert set(facts["protocols"]) == {"published", "whole"}
    assert facts["weights"]["width"] == 6
    for protocol, part in facts["protocols"].items():
        assert [row["picture"] for row in part["pictures"]] == ["0", "1", "2"]
        for which, values in part["mean"].items():
            agree(found[protocol, "mean", which], values)
    sheet, _ = read_image(tmp_path / "out" / "sheet.png")
    assert sheet.shape[2] > 5 * 300
    mean = found["published", "mean", "output"]
    assert f"{mean['psnr']:.2f}" in said
    assert "whole (3 pictures)" in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"scores.csv", "scores.json", "sheet.png"}


def test_real_pairs(run, weights, tmp_path):
    """A detail of two pictures of LFDOF."""
    root = tmp_path / "lfdof"
    for kind in ("input", "ground_truth"):
        (root / kind).mkdir(parents=True)
        for name in ("IMG_2385.png", "IMG_6316.png"):
            picture, _ = read_image(data_folder("pairs-lfdof") / kind / name)
            write_image(root / kind / name, picture[:, 200:360, 400:592])
    code, _, err = run("--data", "lfdof", "--root", root, "--weights", weights, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    found = scores(tmp_path / "out")
    blurred, sharp = (read_image(root / kind / "IMG_2385.png")[0] / 255 for kind in ("input", "ground_truth"))
    agree(found["published", "IMG_2385", "input"], by_scikit_image(blurred, sharp))
    assert found["published", "IMG_6316", "input"]["features"] > 0.05


def test_equal_pictures_are_infinitely_good(run, weights, tmp_path):
    write_pairs(tmp_path / "pairs", 1)
    shutil.copy(tmp_path / "pairs" / "target" / "0.png", tmp_path / "pairs" / "source" / "0.png")
    out = tmp_path / "out"
    assert run("--data", "folders", "--root", tmp_path / "pairs", "--weights", weights, "--out", out)[0] == 0
    assert scores(out)["whole", "0", "input"]["psnr"] == float("inf")
    whole = json.loads((out / "scores.json").read_text())["protocols"]["whole"]
    assert whole["mean"]["input"]["psnr"] is None
    assert [picture["picture"] for picture in whole["pictures"]] == ["0"]


def test_a_picture_called_mean(run, weights, tmp_path):
    root = write_pairs(tmp_path / "pairs", 2)
    for folder in ("source", "target"):
        (root / folder / "1.png").rename(root / folder / "mean.png")
    out = tmp_path / "out"
    assert run("--data", "folders", "--root", root, "--weights", weights, "--out", out)[0] == 0
    whole = json.loads((out / "scores.json").read_text())["protocols"]["whole"]
    psnrs = [picture["output"]["psnr"] for picture in whole["pictures"]]
    assert [picture["picture"] for picture in whole["pictures"]] == ["0", "mean"]
    assert whole["mean"]["output"]["psnr"] == pytest.approx(sum(psnrs) / 2)


def test_dual_views_and_grey_sixteen_bits(run, tmp_path):
    """A grey picture's score is that of one channel; left and right reach the network."""
    weights = save(tmp_path / "dual.pt", views=2)
    write_pairs(tmp_path / "pairs", 2, folders=("source", "target", "left", "right"))
    root = tmp_path / "pairs"
    for side in ("left", "right"):
        for number in range(2):
            picture = torch.randint(0, 65536, (1, 40, 48), dtype=torch.int32).to(torch.uint16)
            write_image(root / side / f"{number}.png", picture)
    for kind in ("source", "target"):
        for number in range(2):
            write_image(root / kind / f"{number}.png", read_image(root / kind / f"{number}.png")[0][:1])
    code, _, err = run("--data", "folders", "--root", root, "--weights", weights, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    views = [read_image(root / kind / "1.png")[0] for kind in ("source", "left", "right", "target")]
    center, left, right, sharp = (v.float() / (255 if v.dtype == torch.uint8 else 65535) for v in views)
    cut = (slice(None), slice(0, 32), slice(0, 48))
    center, left, right, sharp = (view[cut].contiguous() for view in (center, left, right, sharp))
    restored = deblur(load_network(weights), center, left=left, right=right)
    assert restored.shape[0] == 1
    agree(scores(tmp_path / "out")["published", "1", "output"], by_scikit_image(restored, sharp))
    code, _, err = run("--data", "realdof", "--root", root, "--weights", weights, "--out", tmp_path / "out2")
    assert code == 2
    assert "realdof: the set has no left and right views" in err


def test_a_grey_picture_with_a_coloured_truth_is_scored_in_colour(run, weights, tmp_path):
    root = write_pairs(tmp_path / "pairs", 1)
    write_image(root / "source" / "0.png", read_image(root / "source" / "0.png")[0][:1])
    assert run("--data", "folders", "--root", root, "--weights", weights, "--out", tmp_path / "out")[0] == 0
    blurred, sharp = (read_image(root / kind / "0.png")[0] / 255 for kind in ("source", "target"))
    agree(scores(tmp_path / "out")["whole", "0", "input"], by_scikit_image(blurred.expand(3, -1, -1), sharp))


def test_dual_pixel_captures(run, weights, tmp_path):
    root, out = tmp_path / "pixel4", tmp_path / "out"
    root.mkdir()
    for path in data_folder("pairs-dp-pixel4").iterdir():
        if path.suffix == ".npy":
            shutil.copy(path, root)
        elif path.name.startswith("001") and "map" not in path.name:
            write_image(root / path.name, read_image(path)[0][:, 400:560, 400:592])
    code, _, err = run("--data", "pixel4", "--root", root, "--weights", weights, "--out", out, "--pictures")
    assert (code, err) == (0, "")
    found = scores(out)
    assert 15 < found["published", "001", "input"]["psnr"] < 40
    restored, _ = read_image(out / "restored" / "001.png")
    assert restored.shape == (1, 160, 192)
    shutil.copy(root / "001_gt.png", root / "002_gt.png")
    code, _, err = run("--data", "pixel4", "--root", root, "--weights", weights, "--out", out)
    assert code == 2
    assert "002_left.png: no such file" in err
    (root / "002_gt.png").unlink()
    (root / "right_gain_div8.npy").write_bytes(b"cut")
    code, _, err = run("--data", "pixel4", "--root", root, "--weights", weights, "--out", out)
    assert code == 2
    assert "right_gain_div8.npy: not a readable array" in err


@pytest.mark.parametrize("kind", ["cuhk", "pixeldp"])
def test_without_truth_pictures_are_restored_and_not_scored(run, weights, tmp_path, kind):
    folder = tmp_path / "set" / ("" if kind == "cuhk" else "test_c/source")
    folder.mkdir(parents=True)
    shutil.copy(data_folder("noref-defocus") / "text_defocus.jpg", folder / "text.jpg")
    write_image(folder / "text.png", torch.rand(3, 20, 17), bits=16)  # of one stem, and too small for a score
    out = tmp_path / "out"
    code, said, err = run("--data", kind, "--root", tmp_path / "set", "--weights", weights, "--out", out)
    assert (code, err) == (0, "")
    assert f"{kind} has no truth: no scores" in said
    assert "2 restored pictures" in said
    assert {path.name for path in out.iterdir()} == {"sheet.png", "restored"}
    restored, info = read_image(out / "restored" / "text.png.png")
    assert info.bits == 16
    expected = deblur(load_network(weights), read_image(folder / "text.png")[0].float() / 65535)
    assert (restored.float() / 65535 - expected).abs().max() < 1e-4
    assert (out / "restored" / "text.jpg.png").is_file()


def test_a_broken_file_is_reported_at_the_end(run, pairs, weights, tmp_path):
    victim = pairs / "source" / "1.png"
    write_image(victim, torch.rand(3, 42, 50))  # noise: long enough to be cut in the middle
    victim.write_bytes(victim.read_bytes()[:-3000])
    code, said, err = run("--data", "folders", "--root", pairs, "--weights", weights, "--out", tmp_path / "out")
    assert code == 1
    assert err.count("\n") == 1
    assert str(victim) in err
    assert "2 of 3 pictures evaluated" in said
    found = scores(tmp_path / "out")
    assert ("whole", "2", "output") in found
    assert ("whole", "1", "output") not in found
    rows = [found["whole", name, "output"]["psnr"] for name in ("0", "2")]
    assert found["whole", "mean", "output"]["psnr"] == pytest.approx(np.mean(rows), abs=MANY_ROUNDINGS)
    assert len(json.loads((tmp_path / "out" / "scores.json").read_text())["failed"]) == 1


def test_results_do_not_depend_on_tiles(run, weights, tmp_path):
    write_pairs(tmp_path / "pairs", 1, height=96, width=112)
    arguments = ["--data", "folders", "--root", tmp_path / "pairs", "--weights", weights, "--overlap", "144", "--out"]
    assert run(*arguments, tmp_path / "whole")[0] == 0
    assert run(*arguments, tmp_path / "tiles", "--tile", "292")[0] == 0
    small = [*arguments[:-3], "--overlap", "30", "--tile", "64", "--out"]
    assert run(*small, tmp_path / "small")[0] == 0
    for other in ("tiles", "small"):
        for key, values in scores(tmp_path / "whole").items():
            assert scores(tmp_path / other)[key]["psnr"] == pytest.approx(values["psnr"], abs=1e-3)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "source" / "1.png").unlink(), "1.png: no picture of this name"),
        (lambda root: write_pairs(root, 4, height=42, width=50, folders=("source",)), "3.png: no picture of this name"),
        (lambda root: write_pairs(root, 1, height=48, width=50, folders=("source",)), "0.png: 50x42 pixels, but"),
        (lambda root: (root / "target" / "2.png").write_bytes(b"no picture"), "2.png: not a readable picture"),
        (lambda root: write_pairs(root, 1, height=31, width=50), "50x31 pixels, want at least 32 along each side"),
        (lambda root: shutil.rmtree(root / "target"), "no two folders"),
    ],
    ids=["missing", "extra", "misshaped", "broken", "small", "no-folder"],
)
def test_bad_data_is_named_before_any_work(run, pairs, weights, tmp_path, spoil, message):
    spoil(pairs)
    code, _, err = run("--data", "folders", "--root", pairs, "--weights", weights, "--out", tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert not (tmp_path / "out").exists()


def test_what_the_command_refuses(run, monkeypatch, pairs, weights, tmp_path):
    usual = {"--data": "folders", "--root": pairs, "--weights": weights, "--out": tmp_path / "out"}
    for changed, message in (
        ({"--data": "gopro"}, "want one of dpdd, lfdof, realdof, cuhk, pixeldp, folders, pixel4"),
        ({"--root": tmp_path / "none"}, "none: no such folder"),
        ({"--data": "pixel4", "--root": tmp_path / "none"}, "none: no such folder"),
        ({"--weights": tmp_path / "none.pt"}, "no such file of weights"),
        ({"--lpips": tmp_path / "alex.pth"}, "alex.pth: no such file of weights"),
        ({"--lpips": weights}, "not AlexNet's weights"),
        ({"--dtype": "int8"}, "--dtype: got 'int8'"),
        ({"--split": "holdout"}, "--split: got 'holdout'"),
        ({"--data": "cuhk", "--sharp": "x"}, "only for --data folders"),
        ({"--tile": "8"}, "--tile: got 8, want at least"),
        ({"--memory": "1MB"}, "--memory: got 1MB, want at least"),
        ({"--out": weights}, "is a file"),
    ):
        arguments = [part for pair in (usual | changed).items() for part in pair]
        code, _, err = run(*arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
        assert not (tmp_path / "out").exists()
    assert run("--data", "folders", "--root", pairs, "--out", tmp_path / "out")[0] == 0  # the weights that ship


def test_lists_of_lfdof(run, weights, tmp_path):
    """Back-slashes, apertures and planes of one scene, RGBA."""
    data = tmp_path / "LFDOF" / "test_data"
    for name in ("IMG_0001_ap1_00", "IMG_0001_ap3_04", "IMG_0002_ap2_01"):
        scene = name.split("_ap")[0]
        write_pairs(tmp_path / "made", 1, seed=len(name))
        for kind, place in (("source", data / "input" / scene), ("target", data / "ground_truth")):
            place.mkdir(parents=True, exist_ok=True)
            picture, info = read_image(tmp_path / "made" / kind / "0.png")
            alpha = torch.full((1, 40, 48), 255, dtype=torch.uint8)
            like = ImageInfo("png", 8, 3, 40, 48, alpha)
            write_image(place / f"{name if kind == 'source' else scene}.png", picture, like=like)
    listing = tmp_path / "list.txt"
    listing.write_text(
        "test_data\\input\\IMG_0001\\IMG_0001_ap3_04.png\r\ntest_data\\input\\IMG_0002\\IMG_0002_ap2_01.png\r\n"
    )
    arguments = ["--data", "lfdof", "--root", tmp_path / "LFDOF", "--weights", weights, "--out", tmp_path / "out"]
    assert run(*arguments)[0] == 0
    assert len(scores(tmp_path / "out")) == 2 * (3 + 1) * 3
    code, _, err = run(*arguments, "--listing", listing, "--pictures")
    assert (code, err) == (0, "")
    assert {picture for _, picture, _ in scores(tmp_path / "out")} == {"IMG_0001_ap3_04", "IMG_0002_ap2_01", "mean"}
    _, info = read_image(tmp_path / "out" / "restored" / "IMG_0002_ap2_01.png")
    assert info.alpha is not None


def test_the_documentation_names_every_kind_and_score():
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    for name in (*SCENE_KINDS, *(protocol.name for protocol in PROTOCOLS), "st_lpips", "lpips"):
        assert f"`{name}`" in text
    for metric in choose_metrics(torch.device("cpu")):
        assert f"| `{metric.name}` |" in text


def test_lpips_columns_when_asked(run, weights, tmp_path):
    from .alexnet import write_alexnet

    write_pairs(tmp_path / "pairs", 1, height=64, width=80)
    arguments = ["--data", "folders", "--root", tmp_path / "pairs", "--weights", weights, "--out", tmp_path / "out"]
    code, said, _ = run(*arguments, "--lpips", write_alexnet(tmp_path / "alexnet.pth"))
    assert code == 0
    assert "LPIPS ↓" in said
    assert scores(tmp_path / "out")["published", "0", "input"]["lpips"] > 0
    arguments[3] = write_pairs(tmp_path / "tiny", 1)
    code, _, err = run(*arguments, "--lpips", tmp_path / "alexnet.pth")
    assert code == 2
    assert "want at least 64 along each side" in err


def test_a_variant_of_one_scale_is_evaluated(run, pairs, tmp_path):
    network = DRBNet(variant="single-scale", width=6, kernel_size=3, scales=3)
    torch.save(network.state_dict(), tmp_path / "single.pt")
    loaded = load_network(tmp_path / "single.pt")
    picture = torch.rand(1, 3, 24, 40) * 2 - 1
    torch.testing.assert_close(loaded(picture), network.eval()(picture))
    code, _, _ = run("--data", "folders", "--root", pairs, "--weights", tmp_path / "single.pt", "--out", tmp_path / "o")
    assert code == 0


def test_error_maps_go_from_black_to_white():
    truth = torch.zeros(3, 1, 3)
    picture = torch.tensor([0.0, 0.0625, 0.5]).expand(3, 1, 3)
    found = error_map(picture, truth)
    assert found[:, 0, 0].tolist() == [0, 0, 0]
    assert found[:, 0, 1].tolist() == [0.75, 0, 0]
    assert found[:, 0, 2].tolist() == [1, 1, 1]
