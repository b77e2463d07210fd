"""Which kernels are launched, with which threads and how much shared memory."""

import itertools

import pytest
import torch

from benchmarks.gpu.kernel_facts import headline_launches
from lfdeblur_ops._filter_forms import Options, SeparableOptions
from lfdeblur_ops.testing import FLOATS

from ..budgets import BUDGETS, budget_of
from .calls import BORDERS, INTEGERS, NEEDS_COMPILER, apertures, filters_for, random

pytestmark = NEEDS_COMPILER
SOFTMAX, SEPARABLE = Options((3, 3), normalize="softmax"), SeparableOptions((3, 3))


def test_every_kernel_runs_within_the_shared_memory_of_its_budget(kernels):
    """The largest launches of each kernel, on tiny images, on a device like that of sm_80."""
    kernels.launches()
    for dtype, k, width in itertools.product(FLOATS, (3, 5, 7, 15), (5, 8)):
        for layout in ("planar", "channels_last"):
            x, filters = random((1, 4, 2, width), dtype), filters_for((1, 4, 2, width), k, True, layout, dtype)
            kernels.dynamic_filter(x, filters, k, "replicate")
            kernels.dynamic_filter_backward(x, x, filters, k, "replicate")
    for dtype in FLOATS:
        x, filters = random((1, 4, 2, 5), dtype), random((1, 1, 9, 1, 2, 5), dtype)
        kernels.dynamic_filter_general(x, filters, SOFTMAX)
        kernels.dynamic_filter_general_backward(x, x, filters, SOFTMAX)
        kernels.dynamic_filter_separable(x, filters[:, :, :6], SEPARABLE)
        kernels.dynamic_filter_separable_backward(x, x, filters[:, :, :6], SEPARABLE)
    for dtype, interpolation, border in itertools.product(
        FLOATS + INTEGERS, ("bilinear", "bicubic"), BORDERS["refocus"]
    ):
        sum_dtype = torch.float64 if dtype == torch.float64 else torch.float32
        for views, planes in ((32, 1), (32, 64), (2, 1), (2, 64)):
            light_field = random((1, views, views, 1, 2, 3), dtype)
            aperture = torch.zeros((1, views, views), dtype=sum_dtype)
            aperture[0, 1, 0] = 1  # the other views are skipped
            for disparity in (torch.zeros(planes, dtype=sum_dtype), torch.zeros(1, 2, 3, dtype=sum_dtype)):
                arguments = light_field, disparity, aperture, interpolation, border
                out = kernels.refocus(*arguments).to(sum_dtype)
                if views == 2:
                    kernels.refocus_backward(out, out, *arguments)
        for weights in (aperture, aperture[..., None, None].expand(1, 2, 2, 2, 3).contiguous()):
            arguments = light_field, torch.zeros(1, dtype=sum_dtype), weights, interpolation, border, True
            out = kernels.refocus(*arguments).to(sum_dtype)
            kernels.refocus_backward(out, out, *arguments)
    launches = kernels.launches()
    assert {launch.kernel for launch in launches} == kernels.kernels
    most = dict.fromkeys((budget["kernel"] for budget in BUDGETS), 0)
    for launch in launches:
        name = budget_of(launch.kernel)["kernel"]
        most[name] = max(most[name], launch.shared)
    assert most == {budget["kernel"]: budget["shared"] for budget in BUDGETS}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.uint8], ids=str)
def test_launches_are_those_of_the_kernel_facts(kernels, dtype):
    """Tiny images with the widths, views and planes that choose the kernels of the benchmarked cases."""
    name = {torch.float32: "float", torch.bfloat16: "bf16", torch.float16: "f16", torch.uint8: "uint8_t"}[dtype]
    stated = [row for row in headline_launches("80") if row["case"].split()[-1] == name]  # the harness's limits
    kernels.launches()
    happened = []
    for layout in ("planar", "channels_last") if dtype in (torch.float32, torch.bfloat16) else ():
        x, filters = random((1, 3, 2, 64), dtype), filters_for((1, 3, 2, 64), 7, True, layout, dtype)
        kernels.dynamic_filter(x, filters, 7, "replicate")
        kernels.dynamic_filter_backward(x, x, filters, 7, "replicate")
        happened += kernels.launches()
    for planes, interpolation in ((1, "bilinear"), (64, "bilinear"), (64, "bicubic")):
        if dtype == torch.bfloat16:
            continue
        light_field, aperture = random((1, 15, 15, 1, 2, 3), dtype), apertures(1, 15, 15).float()
        kernels.refocus(light_field, torch.linspace(-1, 1, planes), aperture, interpolation, "replicate")
        happened += kernels.launches()
    assert sorted(happened) == sorted((row["kernel"], row["threads"], row["dynamic_shared"]) for row in stated)
    assert happened
