"""Every op in programs that are traced: compiled or exported once, they serve every size."""

import pytest
import torch
from torch.export import Dim, export
from torch.fx.experimental.proxy_tensor import make_fx

import lfdeblur_ops as ops
from lfdeblur_ops.testing import REORDERED_SUMS

from .checks import draw

# N, H, W. Those of the first are no other number of its tensors: PyTorch takes equal ones for the same.
SIZES = [(7, 11, 13), (3, 33, 64), (2, 47, 51), (5, 16, 9), (3, 5, 3), (2, 100, 21), (4, 7, 7), (3, 64, 33)]


def picture(n, c, h, w):
    return draw(n, c, h, w, layout="channels_last", grad=True)


def conv3x3(n, h, w):
    """Of a size where Winograd's transforms pay, or not."""
    weight, bias = draw(16, 32, 3, 3, grad=True), draw(16, grad=True)
    x, x2, residual = (picture(n, 16, h, w) for _ in range(3))
    return (
        lambda x, x2, weight, bias, residual: ops.conv3x3(
            x, weight, bias, activation="leaky_relu", residual=residual, x2=x2, backend="fast"
        ),
        (x, x2, weight, bias, residual),
    )


def conv3x3_of_stride_2(n, h, w):
    weight, bias = draw(6, 5, 3, 3, grad=True), draw(6, grad=True)
    return (
        lambda x, weight, bias: ops.conv3x3(x, weight, bias, activation="leaky_relu", stride=2),
        (picture(n, 5, h, w), weight, bias),
    )


def conv_transpose4x4(n, h, w):
    weight, bias, residual = draw(5, 4, 4, 4, grad=True), draw(4, grad=True), picture(n, 4, 2 * h, 2 * w)
    return (
        lambda x, weight, bias, residual: ops.conv_transpose4x4(
            x, weight, bias, activation="leaky_relu", residual=residual
        ),
        (picture(n, 5, h, w), weight, bias, residual),
    )


def residual_block(n, h, w):
    weights = [draw(*shape, grad=True) for shape in 2 * [(16, 16, 3, 3), (16,)]]
    return lambda *tensors: ops.residual_block(*tensors, backend="fast"), (picture(n, 16, h, w), *weights)


def drb_head(n, h, w):
    weights = [draw(*shape, grad=True) for shape in ((9, 8), (9,), (3, 4), (3,))]
    image = draw(n, 3, h, w, grad=True)
    return (
        lambda *tensors: ops.drb_head(*tensors, 3),
        (picture(n, 8, h, w), *weights[:2], picture(n, 4, h, w), *weights[2:], image),
    )


def dynamic_filter(n, h, w):
    return lambda x, filters: ops.dynamic_filter(x, filters, 3), (picture(n, 3, h, w), draw(n, 9, h, w, grad=True))


def dynamic_filter_separable(n, h, w):
    taps = draw(n, 6, h, w, grad=True)
    return lambda x, filters: ops.dynamic_filter_separable(x, filters, 3), (picture(n, 2, h, w), taps)


def refocus(n, h, w):
    return (
        ops.refocus,
        (draw(n, 3, 3, 2, h, w, grad=True), draw(1, 3, h, w, grad=True)),  # [3, h, w]: with n = 3 a map for each
    )


CASES = (
    conv3x3,
    conv3x3_of_stride_2,
    conv_transpose4x4,
    residual_block,
    drb_head,
    dynamic_filter,
    dynamic_filter_separable,
    refocus,
)


def every_case(option, quick, among):
    """Each op both ways; the other one is quick for the first op alone."""
    return pytest.mark.parametrize(
        ("case", option),
        [
            pytest.param(
                case,
                value,
                marks=() if value == quick or case is CASES[0] else pytest.mark.slow,
                id=f"{case.__name__}-{name}",
            )
            for case in CASES
            for value, name in among
        ],
    )


@every_case("dynamic", None, [(None, "default"), (True, "dynamic")])
def test_one_graph_serves_every_size(case, dynamic):
    """After the first, or by default the second; result and gradients."""
    torch._dynamo.reset()
    call = torch.compile(case(*SIZES[0])[0], fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for number, size in enumerate(SIZES):
        eager, tensors = case(*size)
        known = number > 0 if dynamic else number > 1
        with torch.compiler.set_stance("fail_on_recompile" if known else "default"):
            got = call(*tensors)
        want = eager(*tensors)
        assert torch.equal(got, want)
        grad = torch.randn_like(want)
        gradients = (torch.autograd.grad(out, tensors, grad) for out in (got, want))
        torch.testing.assert_close(*gradients, **REORDERED_SUMS)


@every_case("strict", False, [(False, "traced"), (True, "strict")])
def test_an_exported_program_serves_every_size(case, strict):
    class Module(torch.nn.Module):
        def forward(self, tensors):
            return call(*tensors)

    call, tensors = case(3, 16, 24)
    tensors = tuple(t.detach() for t in tensors)
    free = {3: {0: Dim.AUTO, 1: Dim.AUTO, 2: Dim.AUTO}, 6: {0: Dim.AUTO, 4: Dim.AUTO, 5: Dim.AUTO}}
    pictures = {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}
    sizes = tuple(
        {2: Dim.AUTO, 3: Dim.AUTO}  # maps for all light fields
        if t.shape[:2] == (1, 3)
        else None
        if t.dim() < 3 or t.shape[0] != 3
        else free.get(t.dim(), pictures)
        for t in tensors
    )
    program = export(Module(), (tensors,), dynamic_shapes=(sizes,), strict=strict).module()
    for size in ((2, 12, 16), (1, 37, 51), (4, 50, 48)):
        _, tensors = case(*size)
        tensors = tuple(t.detach() for t in tensors)
        assert torch.equal(program(tensors), call(*tensors))


OWN_MAPS = (((4, 2, 3, 1, 6, 7), (4, 6, 7)), ((5, 2, 3, 1, 8, 5), (5, 8, 5)), ((7, 2, 3, 1, 9, 11), (7, 9, 11)))


def test_maps_for_each_light_field_in_one_graph():
    """Neither compiled nor exported code, nor what ``make_fx`` traces, keeps the number of light fields."""
    torch._dynamo.reset()
    drawn = [(torch.rand(views), torch.randn(maps)) for views, maps in OWN_MAPS]

    class Module(torch.nn.Module):
        def forward(self, views, maps):
            return ops.refocus(views, maps, border="valid")

    sizes = ({0: Dim.DYNAMIC, 4: Dim.DYNAMIC, 5: Dim.DYNAMIC}, {0: Dim.DYNAMIC, 1: Dim.DYNAMIC, 2: Dim.DYNAMIC})
    programs = [
        torch.compile(Module(), fullgraph=True, dynamic=True, backend="eager"),
        export(Module(), drawn[0], dynamic_shapes=sizes).module(),
        make_fx(Module(), tracing_mode="symbolic")(*drawn[0]),
    ]
    for number, tensors in enumerate(drawn):
        for program in programs:
            with torch.compiler.set_stance("fail_on_recompile" if number else "default"):
                got = program(*tensors)
            torch.testing.assert_close(got, Module()(*tensors), **REORDERED_SUMS)


def test_the_reference_beside_a_number_serves_every_size():
    torch._dynamo.reset()
    drawn = [torch.rand(views) for views, _ in OWN_MAPS]

    class Module(torch.nn.Module):
        def forward(self, views):
            return ops.refocus(views, 0.5)

    free = ({0: Dim.DYNAMIC, 4: Dim.DYNAMIC, 5: Dim.DYNAMIC},)
    plain = export(Module(), (drawn[0],), dynamic_shapes=free).run_decompositions(ops.decompositions()).module()
    compiled = torch.compile(Module(), fullgraph=True, dynamic=True, backend="eager")
    for number, views in enumerate(drawn):
        want = Module()(views)
        with torch.compiler.set_stance("fail_on_recompile" if number else "default"), ops.use_backend("reference"):
            torch.testing.assert_close(compiled(views), want, **REORDERED_SUMS)
        torch.testing.assert_close(plain(views), want, **REORDERED_SUMS)
