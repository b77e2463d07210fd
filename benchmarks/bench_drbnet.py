"""The whole network against the published formulation in plain PyTorch, with the same weights."""

from collections.abc import Iterator
from functools import cache, partial

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from lfdeblur_models import DRBNet, optimize
from lfdeblur_models.networks.reference import area, straightforward, unfold_fac

from ._harness import Case, Sides, Unavailable, compiled, pytest_case
from ._network import VIEWS, official_weights, pictures
from ._runtimes import ONNX_RUNTIME, OPENVINO, OPENVINO_LOW, PACKAGES, Runtime, missing

PLAIN, CHANNELS_LAST, AUTOCAST = (
    "published form",
    "published form, channels_last",
    "published form, autocast, channels_last",
)
COMPILED = "compile: published form"
FROZEN = "compile + freezing: published form"
PURE = "published form in bfloat16, channels_last"
COMPILED_PURE = "compile, CUDA graphs, bfloat16"
UNPACKED = "DRBNet without optimize"
FORMS = (PLAIN, CHANNELS_LAST)
# Sums in another order and bfloat16's eight bits, forty layers deep, against float32; outputs are of order 0.1.
TOLERANCE = {torch.float32: {"rtol": 0.0, "atol": 1e-5}, torch.bfloat16: {"rtol": 0.0, "atol": 0.02}}


def compilable(image, factor):
    """As ``area``, on which torch.compile of torch 2.13 fails: a mean of blocks, each pixel repeated."""
    return F.avg_pool2d(image, round(1 / factor)) if factor < 1 else F.interpolate(image, scale_factor=factor)


class Published(torch.nn.Module):
    """The published form with its weights as buffers, which freezing can fold in."""

    def __init__(self, weights, resize):
        super().__init__()
        self.resize = resize
        self.names = {name: name.replace(".", "_") for name in weights}
        for name, weight in weights.items():
            self.register_buffer(self.names[name], weight)

    def forward(self, **views):
        weights = {name: getattr(self, attribute) for name, attribute in self.names.items()}
        return straightforward(weights, **views, dynamic_filter=partial(unfold_fac, kernel_size=7), resize=self.resize)


def laid_out(tensors, dtype, memory_format):
    return {
        name: t.to(dtype, memory_format=memory_format if t.dim() == 4 else torch.preserve_format)
        for name, t in tensors.items()
    }


def published(weights, dtype, memory_format, views, autocast=False, wrap=None):
    """A call of the published form; weights and input are laid out beforehand."""
    net = Published(laid_out(weights, dtype, memory_format), compilable if wrap else area)
    net = wrap(net) if wrap else net
    views = laid_out(views, dtype, memory_format)
    device = views["center"].device.type

    def call():
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=autocast):
            return net(**views)

    return call


def replayed(net):
    """Compiled, then captured as a CUDA graph: the strongest form on a GPU that compiles within a minute."""
    return torch.compile(net, dynamic=False, mode="reduce-overhead")


def frozen(net):
    """Compiled with its weights as constants, packed at compile time: the strongest form in float32."""
    from torch._inductor import config

    call = compiled(net)

    def with_freezing(**views):
        with config.patch(freezing=True):
            return call(**views)

    return with_freezing


def fast_bfloat16(device):
    return device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def build(kind, size, dtype, device, rivals, optimized):
    if dtype == torch.bfloat16 and not optimized and not fast_bfloat16(device):
        raise Unavailable("this processor has no fast bfloat16 convolution (it takes AVX-512)")
    if not fast_bfloat16(device):
        rivals = [name for name in rivals if name not in (PURE, AUTOCAST)]  # minutes for one call
    for name in rivals:
        if reason := missing(name):
            print(f"without the rival {name}: {reason}")
    rivals = [name for name in rivals if missing(name) is None]
    weights = {name: w.to(device) for name, w in official_weights(kind).items()}
    views = {name: view.to(device) for name, view in pictures(VIEWS[kind], *size).items()}
    contiguous, last = torch.contiguous_format, torch.channels_last
    plain = DRBNet.from_official(weights).to(device).eval()
    net = optimize(plain, dtype) if optimized else plain.to(dtype, memory_format=last)  # type: ignore[call-overload]
    mine = views if optimized else laid_out(views, dtype, last)

    def call(net, views):
        def run():
            with torch.no_grad():
                return net(**views)

        return run

    # The rivals of an optimised network in bfloat16 are those in float32 too: what people run today.
    wide = torch.float32 if optimized else dtype
    forms = {
        PLAIN: lambda: published(weights, wide, contiguous, views),
        CHANNELS_LAST: lambda: published(weights, wide, last, views),
        AUTOCAST: lambda: published(weights, torch.float32, last, views, autocast=True),
        PURE: lambda: published(weights, torch.bfloat16, last, views),
        COMPILED: lambda: published(weights, wide, contiguous, views, wrap=compiled),
        COMPILED_PURE: lambda: published(weights, torch.bfloat16, last, views, wrap=replayed),
        FROZEN: lambda: published(weights, torch.float32, contiguous, views, wrap=frozen),
        UNPACKED: lambda: call(
            plain.to(memory_format=last),  # type: ignore[call-overload]
            laid_out(views, torch.float32, last),
        ),
    }
    runtimes = {name: Runtime(name, plain, views).load for name in rivals if name in PACKAGES}
    expected = published(weights, torch.float32, contiguous, views)
    return Sides(
        call(net, mine),
        {name: (forms | runtimes)[name]() for name in rivals},
        expected,
        anew=runtimes,
    )


@cache
def sizes(kind):
    """Operations for each pixel of a picture, and the number of parameters."""
    side = 32
    with torch.device("meta"):
        net = DRBNet(VIEWS[kind])
        views = {name: torch.empty(1, 3, side, side) for name in pictures(VIEWS[kind], 1, 1)}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(**views)
    return counter.get_total_flops() // side**2, sum(parameter.numel() for parameter in net.parameters())


def case(size, dtype, device, *, kind="single", rivals=FORMS, optimized=False):
    per_pixel, count = sizes(kind)
    height, width = size
    return Case(
        op="drbnet",
        shape=f"{kind} 3x{height}x{width}" + (" optimize" if optimized else ""),
        dtype=str(dtype)[6:],
        device=device,
        build=partial(build, kind, size, dtype, device, rivals, optimized),
        moved=(3 * (len(pictures(VIEWS[kind], 1, 1)) + 1) * height * width + count)
        * torch.empty((), dtype=dtype).element_size(),
        operations=per_pixel * height * width,
        arithmetic=str(dtype)[6:],
        tolerance=TOLERANCE[dtype],
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module; ours runs channels_last."""
    low = (*FORMS, AUTOCAST)
    quick = device == "cpu" and not full
    deployed, deployed_low = ((ONNX_RUNTIME, OPENVINO), (OPENVINO_LOW,)) if device == "cpu" else ((), ())
    fast = partial(case, device=device, optimized=True)
    yield case((256, 256), torch.float32, device, rivals=FORMS if quick else (*FORMS, COMPILED))
    yield case((256, 256), torch.bfloat16, device, rivals=low)
    frozen_too = () if quick else (FROZEN,)
    yield fast((256, 256), torch.float32, rivals=(PLAIN, UNPACKED, *frozen_too, *deployed))
    yield fast((256, 256), torch.bfloat16, rivals=(PLAIN, PURE, *deployed_low))
    if not quick:
        yield fast((256, 256), torch.float32, kind="dual", rivals=(PLAIN, UNPACKED))
        yield case((720, 1280), torch.float32, device, rivals=(*FORMS, COMPILED))
        yield case((720, 1280), torch.bfloat16, device, rivals=low)
        yield fast((720, 1280), torch.float32, rivals=(PLAIN, CHANNELS_LAST, FROZEN, *deployed))
        graphs = (COMPILED_PURE,) if device == "cuda" else ()
        yield fast((720, 1280), torch.bfloat16, rivals=(PLAIN, AUTOCAST, PURE, *graphs, *deployed_low))


@pytest.mark.parametrize("optimized", [False, True])
@pytest.mark.parametrize("kind", ["single", "dual"])
def test_drbnet(benchmark, kind, optimized):
    pytest_case(benchmark, case((16, 24), torch.float32, "cpu", kind=kind, optimized=optimized))
