"""An AlexNet of random weights, as torchvision's checkpoint has it."""

import torch

ALEXNET = {"0": (64, 3, 11), "3": (192, 64, 5), "6": (384, 192, 3), "8": (256, 384, 3), "10": (256, 256, 3)}


def write_alexnet(path):
    """Random weights under the names of torchvision's checkpoint, the classifier among them."""
    generator = torch.Generator().manual_seed(3)
    state = {"classifier.6.weight": torch.zeros(10, 4)}
    for name, (outputs, inputs, side) in ALEXNET.items():
        scale = (inputs * side**2) ** -0.5
        state[f"features.{name}.weight"] = scale * torch.randn(outputs, inputs, side, side, generator=generator)
        state[f"features.{name}.bias"] = 0.1 * torch.randn(outputs, generator=generator)
    torch.save(state, path)
    return path
