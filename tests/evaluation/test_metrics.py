"""Scores of pictures against scikit-image and against formulas written another way."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from lfdeblur_models.evaluation.lpips import LINEAR, Lpips, ShiftTolerantLpips
from lfdeblur_models.evaluation.metrics import mae, psnr, ssim
from lfdeblur_models.features import FeatureWeightsError

from ..data_paths import data_folder
from .alexnet import ALEXNET, write_alexnet

skimage = pytest.importorskip("skimage.metrics", reason="the extra 'test' brings scikit-image")
AGREEMENT = 1e-6  # with scikit-image, absolute: dB and shares


def pictures(count=2, channels=3, height=45, width=61, noise=0.1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    truth = F.interpolate(torch.rand(count, channels, height // 4, width // 4, generator=generator), (height, width))
    return (truth + noise * torch.randn(truth.shape, generator=generator)).clamp(0, 1), truth


def by_scikit_image(function, output, truth, **options):
    """Picture by picture, in double precision."""
    arrays = [[item.double().permute(1, 2, 0).numpy() for item in batch] for batch in (output, truth)]
    return [function(b, a, data_range=1, **options) for a, b in zip(*arrays, strict=True)]


@pytest.mark.parametrize("shape", [(2, 3, 45, 61), (1, 1, 7, 7), (3, 3, 16, 200)], ids=str)
@pytest.mark.parametrize("noise", [0.001, 0.1, 1.0])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_psnr_and_ssim_are_scikit_images(shape, noise, device):
    output, truth = pictures(*shape, noise=noise)
    expected = {
        psnr: by_scikit_image(skimage.peak_signal_noise_ratio, output, truth),
        ssim: by_scikit_image(skimage.structural_similarity, output, truth, channel_axis=-1),
    }
    for function, wanted in expected.items():
        found = function(output.to(device), truth.to(device))
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found.cpu().numpy(), wanted, rtol=0, atol=AGREEMENT)


def test_real_pictures_score_as_in_scikit_image():
    from lfdeblur_models.io.images import read_image

    folder = data_folder("pairs-lfdof")
    output, truth = (read_image(folder / kind / "IMG_2662.png")[0][None] / 255 for kind in ("input", "ground_truth"))
    (wanted,) = by_scikit_image(skimage.peak_signal_noise_ratio, output, truth)
    assert float(psnr(output, truth)) == pytest.approx(wanted, abs=AGREEMENT)
    assert wanted == pytest.approx(25.15, abs=0.01)
    (wanted,) = by_scikit_image(skimage.structural_similarity, output, truth, channel_axis=-1)
    assert float(ssim(output, truth)) == pytest.approx(wanted, abs=AGREEMENT)


def test_mae_and_equal_pictures():
    output, truth = pictures()
    expected = np.abs(output.double().numpy() - truth.double().numpy()).mean((1, 2, 3))
    np.testing.assert_allclose(mae(output, truth).numpy(), expected, rtol=1e-12)
    assert psnr(truth, truth).tolist() == [float("inf")] * 2
    assert mae(truth, truth).tolist() == [0, 0]
    assert ssim(truth, truth).tolist() == pytest.approx([1, 1])
    tiny = torch.full((1, 3, 8, 8), 0.25), torch.full((1, 3, 8, 8), 0.25 + 2**-20)
    assert float(psnr(*tiny)) == pytest.approx(-20 * np.log10(2.0**-20), abs=AGREEMENT)  # summed in double


@pytest.mark.parametrize("function", [psnr, ssim, mae])
def test_shapes_must_agree(function):
    output, truth = pictures()
    with pytest.raises(ValueError, match=r"\[2, 3, 45, 61\] and \[1, 3, 45, 61\]"):
        function(output, truth[:1])
    with pytest.raises(ValueError, match="want equal ones"):
        function(output[0], truth[0])


def test_ssim_needs_a_window():
    output, truth = pictures(height=40, width=40)
    with pytest.raises(ValueError, match=r"pictures of \[6, 40\] pixels, want at least 7"):
        ssim(output[..., :6, :], truth[..., :6, :])


@pytest.fixture
def alexnet(tmp_path):
    return write_alexnet(tmp_path / "alexnet.pth")


def test_lpips_by_its_definition(alexnet):
    """AlexNet as one ``Sequential``, and equation 1 of the paper position by position, in double precision."""
    state = torch.load(alexnet, weights_only=True)
    layers = [torch.nn.Conv2d(3, 64, 11, 4, 2), torch.nn.ReLU(), torch.nn.MaxPool2d(3, 2)]
    layers += [torch.nn.Conv2d(64, 192, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(3, 2)]
    for inputs, outputs in ((192, 384), (384, 256), (256, 256)):
        layers += [torch.nn.Conv2d(inputs, outputs, 3, padding=1), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers)
    network.load_state_dict({n.removeprefix("features."): v for n, v in state.items() if n.startswith("features.")})
    network.double()
    linear = [weight.double() for _, weight in sorted(load_file(LINEAR).items())]
    first, second = pictures(height=70, width=83)

    def maps(picture):
        x = (picture.double() * 2 - 1 - torch.tensor([-0.030, -0.088, -0.188]).double().view(3, 1, 1)) / torch.tensor(
            [0.458, 0.448, 0.450]
        ).double().view(3, 1, 1)
        found = []
        for index, layer in enumerate(network):
            x = layer(x)
            if index in (1, 4, 7, 9, 11):
                found.append(F.normalize(x, dim=1))
        return found

    with torch.no_grad():
        expected = sum(
            torch.einsum("nchw,c->nhw", (a - b) ** 2, weight).mean((1, 2))
            for a, b, weight in zip(maps(first), maps(second), linear, strict=True)
        )
        found = Lpips(alexnet)(first, second)
    assert found.shape == (2,)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert Lpips(alexnet)(first, first).tolist() == [0, 0]


def test_the_shipped_linear_weights_are_those_of_a_learned_metric():
    linear = load_file(LINEAR)
    assert {name: len(weight) for name, weight in linear.items()} == {
        f"linear{index}": shape[0] for index, shape in enumerate(ALEXNET.values())
    }
    assert all(bool((weight >= 0).all()) and bool(weight.any()) for weight in linear.values())


def test_weights_that_are_not_alexnets_are_named(tmp_path, alexnet):
    with pytest.raises(FeatureWeightsError, match="no such file of weights"):
        Lpips(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(FeatureWeightsError, match=r"text\.pth: not a readable file"):
        Lpips(tmp_path / "text.pth")
    state = torch.load(alexnet, weights_only=True)
    state["features.3.weight"] = state["features.3.weight"][:, :10]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(FeatureWeightsError, match=r"other\.pth: not AlexNet's weights: features\.3\.weight"):
        Lpips(tmp_path / "other.pth")
    del state["features.3.weight"]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(FeatureWeightsError, match=r"no 'features\.3\.weight'"):
        Lpips(tmp_path / "other.pth")


def test_st_lpips_hardly_minds_a_shift():
    pytest.importorskip("stlpips_pytorch", reason="the extra 'stlpips' brings it")
    metric = ShiftTolerantLpips()
    wide = pictures(1, height=128, width=129, noise=0.0)[0]
    wide = F.avg_pool2d(wide, 3, 1)
    first, shifted = wide[..., :-1], wide[..., 1:]
    blurred = F.avg_pool2d(F.pad(first, (4, 4, 4, 4), mode="reflect"), 9, 1)
    assert float(metric(first, first)) == 0
    assert 0 < float(metric(first, shifted)) < 0.5 * float(metric(first, blurred))


def test_st_lpips_names_the_missing_package(monkeypatch):
    monkeypatch.setattr("lfdeblur_models.evaluation.lpips.find_spec", lambda name: None)
    with pytest.raises(FeatureWeightsError, match="needs the package stlpips_pytorch"):
        ShiftTolerantLpips()
