"""Triton's interpreter as the tests need it: bfloat16 as a GPU has it.

The interpreter (Triton 3.6 to 3.9) keeps bfloat16 numbers as uint16, multiplies those in ``tl.dot`` as integers, and
cuts the lower half of a float32 off where a GPU rounds to nearest.
"""

import os

import numpy as np
import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


def repair() -> None:
    import triton.language as tl
    from triton.runtime import interpreter

    builder = interpreter.InterpreterBuilder
    plain_dot, plain_cast = builder.create_dot, builder.cast_impl

    def cast(self, source, target):
        kinds = source.dtype.scalar, target.scalar
        if kinds == (tl.float32, tl.bfloat16):
            rounded = torch.from_numpy(np.array(source.data)).bfloat16().view(torch.uint16).numpy()
            return interpreter.TensorHandle(rounded, tl.bfloat16)
        if kinds == (tl.bfloat16, tl.float32):
            bits = np.asarray(source.data).astype(np.uint32) << 16
            return interpreter.TensorHandle(bits.view(np.float32), tl.float32)
        return plain_cast(self, source, target)

    def widened(operand):
        return cast(None, operand, tl.float32) if operand.dtype.scalar == tl.bfloat16 else operand

    def dot(self, a, b, acc, *options):
        return plain_dot(self, widened(a), widened(b), acc, *options)

    builder.create_dot = dot
    builder.cast_impl = cast
