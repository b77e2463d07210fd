"""``lfdeblur evaluate --data disk-blur``: sharp pictures put out of focus by a known amount."""

import csv
import math

import pytest
import torch
import torch.nn.functional as F

from lfdeblur_models.data import linear_to_srgb, srgb_to_linear
from lfdeblur_models.evaluation.disk_blur import disk_blurred, disk_kernel
from lfdeblur_models.io.images import write_image
from lfdeblur_models.networks import DRBNet


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "sharp"
    folder.mkdir()
    for number in range(2):
        picture = torch.rand(3, 40, 44, generator=torch.Generator().manual_seed(number))
        write_image(folder / f"{number}.png", picture, bits=8)
    return folder


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "identity.pt"
    torch.save(DRBNet(width=6, scales=2, kernel_size=3).identity_().state_dict(), path)
    return path


def scores(out):
    with open(out / "scores.csv", newline="") as file:
        return {(row["protocol"], row["picture"], row["row"]): float(row["psnr"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize("radius", [0.4, 1.0, 2.5, 8.0])
def test_a_kernel_is_a_disk(radius):
    kernel = disk_kernel(radius)
    assert float(kernel.sum()) == pytest.approx(1, rel=1e-12)
    torch.testing.assert_close(kernel, kernel.T)
    torch.testing.assert_close(kernel, kernel.flip(0))
    whole = kernel > 0.999 * kernel.max()
    assert float(kernel.max()) == pytest.approx(min(1, 1 / (math.pi * radius**2)), rel=0.02)
    if radius > 2:
        assert int(whole.sum()) == pytest.approx(math.pi * (radius - 0.7) ** 2, rel=0.15)
    place = torch.arange(len(kernel)) - len(kernel) // 2
    assert float(kernel[place.abs() > radius + 0.5].sum()) == 0


def test_blur_is_in_linear_light_with_replicated_borders():
    picture = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(0))
    kernel = disk_kernel(2.5)
    light = F.pad(srgb_to_linear(picture.double())[:, None], (len(kernel) // 2,) * 4, mode="replicate")
    expected = linear_to_srgb(F.conv2d(light, kernel[None, None])[:, 0]).float()
    blurred = disk_blurred(picture, 2.5)
    torch.testing.assert_close(blurred, expected, rtol=0, atol=0.5 / 255 + 1e-6)
    torch.testing.assert_close(blurred * 255, (blurred * 255).round(), rtol=0, atol=1e-4)
    assert torch.equal(disk_blurred(blurred, 0.0), blurred)
    noisy = disk_blurred(torch.full((3, 64, 64), 0.5), 2.0, 0.01) - 0.5
    assert float(noisy.std()) == pytest.approx((0.01**2 + 1 / (12 * 255**2)) ** 0.5, rel=0.03)


def test_a_network_is_scored_on_a_known_blur(run, pictures, weights, tmp_path):
    code, printed, _ = run(
        "--data", "disk-blur", "--root", pictures, "--weights", weights, "--out", tmp_path / "r2"
    )  # fmt: skip
    assert code == 0
    assert "2 of 2 pictures" in printed
    two = scores(tmp_path / "r2")
    assert abs(two["whole", "mean", "gain"]) < 0.1  # the identity
    run(
        "--data=disk-blur",
        "--root",
        pictures,
        "--weights",
        weights,
        "--radius=4",
        "--noise=0.1",
        "--out",
        tmp_path / "r4",
    )
    four = scores(tmp_path / "r4")
    assert four["whole", "mean", "input"] < two["whole", "mean", "input"]
    assert '"radius": 4.0' in (tmp_path / "r4" / "scores.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data=disk-blur", "--radius=-1"], "--radius: got -1.0, want 0 to 100"),
        (["--data=disk-blur", "--noise=2"], "--noise: got 2.0, want 0 to 1"),
        (["--data=folders", "--radius=2"], "--radius: only for --data disk-blur"),
        (["--data=disk-blur", "--root=nowhere"], "nowhere"),
    ],
)
def test_bad_blur_is_refused(run, pictures, weights, tmp_path, arguments, message):
    given = ["--root", pictures, "--weights", weights, "--out", tmp_path / "out", *arguments]
    code, _, error = run(*given)
    assert code == 2
    assert message in error
    assert not (tmp_path / "out").exists()


def test_views_are_not_blurred(run, pictures, tmp_path):
    path = tmp_path / "dual.pt"
    torch.save(DRBNet(views=2, width=6, scales=2, kernel_size=3).state_dict(), path)
    code, _, error = run("--data=disk-blur", "--root", pictures, "--weights", path, "--out", tmp_path / "out")
    assert code == 2
    assert "disk-blur has no left and right views" in error
