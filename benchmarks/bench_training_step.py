"""A step of training against the published formulation in plain PyTorch, from the same weights."""

from collections.abc import Iterator
from functools import cache, partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lfdeblur_models import DRBNet
from lfdeblur_models.networks.official import official_tensors
from lfdeblur_models.networks.reference import straightforward, unfold_fac

from ._harness import Case, Sides, Unavailable, compiled, pytest_case

PLAIN, CHANNELS_LAST = "published form", "published form, channels_last"
COMPILED = "compile: published form"
RATE = 1e-6  # so small that the weights stay as they are over thousands of steps
# Gradients of a mean over all pixels, summed in another order through sixty layers.
TOLERANCE = {torch.float32: {"rtol": 1e-3, "atol": 1e-6}, torch.bfloat16: {"rtol": 0.1, "atol": 1e-3}}


def network(width):
    """Weights with which every branch counts and the output is not clipped."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = DRBNet(width=width)
    with torch.no_grad():
        for block in net.restore:
            for branch in (block.filters, block.residual):
                branch[-1].weight.mul_(0.03)  # type: ignore[index,union-attr]
    return net


def published_names(net):
    """The network's parameters, copied, under the names of the published checkpoints."""
    state = {name: value.detach().clone() for name, value in net.named_parameters()}
    return {theirs: state[ours] for ours, theirs in official_tensors(net).items()}


def step(parameters, forward, defocused, sharp, dtype):
    """A call: forward, L1 loss, backward, AdamW. It gives the loss and a few of the gradients."""
    parameters = [parameter.requires_grad_() for parameter in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=RATE)
    low = dtype != torch.float32

    def call():
        optimizer.zero_grad()
        with torch.enable_grad():
            with torch.autocast(defocused.device.type, dtype, enabled=low):
                output = forward(defocused)
            loss = (output.float() - sharp).abs().mean()
            loss.backward()
        optimizer.step()
        return [loss.detach(), *(parameter.grad.clone() for parameter in parameters[:1])]

    return call


def published(net, defocused, sharp, dtype, *, memory_format=torch.contiguous_format, compile=False):
    """The step in the published form, ``net``'s first layer foremost among its parameters."""
    weights = {
        name: w.contiguous(memory_format=memory_format) if w.dim() == 4 else w
        for name, w in published_names(net).items()
    }

    def forward(center):
        return straightforward(weights, center, dynamic_filter=partial(unfold_fac, kernel_size=7))

    picture = defocused.contiguous(memory_format=memory_format)
    call = compiled(forward) if compile else forward
    return step(list(weights.values()), call, picture, sharp, dtype)


def build(width, batch, size, dtype, device, rivals):
    if dtype == torch.bfloat16 and device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise Unavailable("this processor has no fast bfloat16 convolution (it takes AVX-512)")
    generator = torch.Generator().manual_seed(1)
    defocused, sharp = (torch.rand(batch, 3, size, size, generator=generator).to(device) * 2 - 1 for _ in range(2))
    net = network(width).to(device)
    forms = {
        PLAIN: partial(published, net, defocused, sharp, dtype),
        CHANNELS_LAST: partial(published, net, defocused, sharp, dtype, memory_format=torch.channels_last),
        COMPILED: partial(published, net, defocused, sharp, dtype, compile=True),
    }
    calls = {name: forms[name]() for name in rivals}
    expected = published(net, defocused, sharp, torch.float32)
    return Sides(step(list(net.parameters()), net, defocused, sharp, dtype), calls, expected)


@cache
def sizes(width):
    """Operations for each pixel of a patch, and the number of parameters."""
    side = 32
    with torch.device("meta"):
        net = DRBNet(width=width)
        with FlopCounterMode(display=False) as counter, torch.enable_grad():
            net(torch.empty(1, 3, side, side)).sum().backward()
    return counter.get_total_flops() // side**2, sum(parameter.numel() for parameter in net.parameters())


def case(width, batch, size, dtype, device, *, rivals=(PLAIN, CHANNELS_LAST)):
    per_pixel, count = sizes(width)
    return Case(
        op="training_step",
        mode="forward+backward+AdamW",
        shape=f"width {width}, {batch} patches of {size}x{size}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, width, batch, size, dtype, device, rivals),
        moved=4 * (6 * batch * size**2 + 7 * count),  # weights, gradients and both moments, read and written
        operations=per_pixel * batch * size**2,
        arithmetic=str(dtype)[6:],
        tolerance=TOLERANCE[dtype],
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module: the compact network, and the paper's, which takes long on a CPU."""
    batch, size = (8, 256) if device == "cuda" else (2, 128)
    rivals = (PLAIN, CHANNELS_LAST, COMPILED) if full or device == "cuda" else (PLAIN, CHANNELS_LAST)
    for width in (16, 32) if full or device == "cuda" else (16,):
        yield case(width, batch, size, torch.float32, device, rivals=rivals)
        yield case(width, batch, size, torch.bfloat16, device, rivals=rivals)
    if full and device == "cpu":  # the paper's patches; minutes, and 6 GB for the published form
        yield case(32, 8, 256, torch.float32, device, rivals=(PLAIN,))


@pytest.mark.parametrize("width", [8])
def test_training_step(benchmark, width):
    pytest_case(benchmark, case(width, 1, 16, torch.float32, "cpu"))
