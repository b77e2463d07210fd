"""VGG19 (Simonyan and Zisserman, ICLR 2015), with the weights of a torchvision checkpoint."""

from collections.abc import Mapping

from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels and convolutions between max-pools


def stages(state: Mapping[str, Tensor]) -> dict[str, nn.Module]:
    """``relu1_1`` to ``relu5_4`` from a state dict named as torchvision's ``vgg19`` (``features.0.weight``, ...)."""
    out: dict[str, nn.Module] = {}
    inputs, index = 3, 0
    for block, (channels, convolutions) in enumerate(BLOCKS, 1):
        for number in range(1, convolutions + 1):
            convolution = nn.Conv2d(inputs, channels, 3, padding=1)
            convolution.load_state_dict({name: state[f"features.{index}.{name}"] for name in ("weight", "bias")})
            pool = [nn.MaxPool2d(2)] if block > 1 and number == 1 else []
            out[f"relu{block}_{number}"] = nn.Sequential(*pool, convolution, nn.ReLU())
            inputs, index = channels, index + 2
        index += 1  # the max-pool
    return out
