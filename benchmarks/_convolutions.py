"""What the benchmarks of the fused convolutions share: inputs, plain forms, the sides of a case."""

import torch
import torch.nn.functional as F

from ._harness import Sides, compiled, differentiated

SLOPE = 0.1
EAGER, CHANNELS_LAST, COMPILED = "eager", "eager, channels_last", "compile: channels_last"
FORMS = (EAGER, CHANNELS_LAST, COMPILED)
# Sums of hundreds of products, in another order than the float64 reference's, of values of order 1.
TOLERANCE = {torch.float32: {"rtol": 1e-4, "atol": 1e-5}, torch.bfloat16: {"rtol": 0.02, "atol": 0.02}}
# Gradients of weights are sums over all pixels.
TOLERANCE_BACKWARD = {torch.float32: {"rtol": 1e-3, "atol": 0.02}, torch.bfloat16: {"rtol": 0.05, "atol": 1.0}}


def activated(x):
    return F.leaky_relu(x, SLOPE)


def drawn(*shape, seed, scale=1.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def laid_out(tensors, dtype, device, channels_last):
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return [t.to(device, dtype, memory_format=layout if t.dim() == 4 else torch.preserve_format) for t in tensors]


def sides(ours, plain, exact, tensors, dtype, device, *, backward, rivals):
    """Ours and the plain form on the same values, each in its layout.

    ``ours`` and ``plain`` take the tensors as they are, ``exact`` in float64 after rounding.
    """

    def call(function, inputs):
        if not backward:
            return without_gradients(function, inputs)
        with torch.no_grad():
            out = function(*inputs)
        grad = drawn(*out.shape, seed=99).to(device, dtype)
        return differentiated(function, inputs, grad)

    last, contiguous = (laid_out(tensors, dtype, device, layout) for layout in (True, False))
    forms = {
        EAGER: lambda: call(plain, contiguous),
        CHANNELS_LAST: lambda: call(plain, last),
        COMPILED: lambda: call(compiled(plain), last),
    }

    def expected():
        wide = [t.double() for t in contiguous]
        if not backward:
            return exact(*wide)
        out = exact(*wide)
        return differentiated(exact, wide, drawn(*out.shape, seed=99).to(device, dtype).double())()

    return Sides(call(ours, last), {name: forms[name]() for name in rivals}, expected)


def without_gradients(function, inputs):
    def call():
        with torch.no_grad():
            return function(*inputs)

    return call
