"""The whole network against the published formulation in plain PyTorch, with the same weights."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lfdeblur_models import DRBNet
from tests.drbnet_formulas import official_weights, straightforward

from ._harness import Case, Sides, Unavailable, compiled, pytest_case
from ._rivals import unfold_fac

PLAIN, CHANNELS_LAST, AUTOCAST = (
    "published form",
    "published form, channels_last",
    "published form, autocast, channels_last",
)
COMPILED = "compile: published form"
FORMS = (PLAIN, CHANNELS_LAST)
# Sums in another order and bfloat16's eight bits, forty layers deep, against float32; outputs are of order 0.1.
TOLERANCE = {torch.float32: {"rtol": 0.0, "atol": 1e-5}, torch.bfloat16: {"rtol": 0.0, "atol": 0.02}}


def published(weights, dtype, memory_format, center, autocast=False):
    """A call of the published form; weights and input are laid out beforehand."""
    weights = {name: w.to(dtype, memory_format=memory_format if w.dim() == 4 else None) for name, w in weights.items()}
    center = center.to(dtype).contiguous(memory_format=memory_format)

    def call():
        with torch.no_grad(), torch.autocast(center.device.type, torch.bfloat16, enabled=autocast):
            return straightforward(weights, center, dynamic_filter=partial(unfold_fac, kernel_size=7))

    return call


def build(kind, size, dtype, device, rivals):
    if dtype == torch.bfloat16 and device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise Unavailable("this processor has no fast bfloat16 convolution (it takes AVX-512)")
    weights = {name: w.to(device) for name, w in official_weights(kind).items()}
    generator = torch.Generator().manual_seed(1)
    center = (torch.rand(1, 3, *size, generator=generator) * 2 - 1).to(device)
    net = DRBNet.from_official(weights).to(device, dtype, memory_format=torch.channels_last)
    mine = center.to(dtype).contiguous(memory_format=torch.channels_last)

    def ours():
        with torch.no_grad():
            return net(mine)

    contiguous, last = torch.contiguous_format, torch.channels_last
    forms = {
        PLAIN: lambda: published(weights, dtype, contiguous, center),
        CHANNELS_LAST: lambda: published(weights, dtype, last, center),
        AUTOCAST: lambda: published(weights, torch.float32, last, center, autocast=True),
        COMPILED: lambda: compiled(published(weights, dtype, contiguous, center)),
    }
    return Sides(ours, {name: forms[name]() for name in rivals}, published(weights, torch.float32, contiguous, center))


def case(size, dtype, device, *, kind="single", rivals=FORMS):
    with torch.device("meta"):
        net = DRBNet(1)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.empty(1, 3, *size))
    height, width = size
    return Case(
        op="drbnet",
        shape=f"{kind} 3x{height}x{width}",
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, kind, size, dtype, device, rivals),
        moved=(6 * height * width + sum(p.numel() for p in net.parameters()))
        * torch.empty((), dtype=dtype).element_size(),
        operations=counter.get_total_flops(),
        arithmetic=str(dtype)[6:],
        tolerance=TOLERANCE[dtype],
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module; ours runs channels_last."""
    low = (*FORMS, AUTOCAST)
    quick = device == "cpu" and not full
    yield case((256, 256), torch.float32, device, rivals=FORMS if quick else (*FORMS, COMPILED))
    yield case((256, 256), torch.bfloat16, device, rivals=low)
    if not quick:
        yield case((720, 1280), torch.float32, device, rivals=(*FORMS, COMPILED))
        yield case((720, 1280), torch.bfloat16, device, rivals=low)


@pytest.mark.parametrize("size", [(16, 24)], ids=str)
def test_drbnet(benchmark, size):
    pytest_case(benchmark, case(size, torch.float32, "cpu"))
