"""Triton kernels for NVIDIA GPUs. Each module is imported when its op first meets a CUDA tensor.

A module has one function per ``torch.ops.lfdeblur`` op, of the same name and positional arguments (the schemas stand
in ``lfdeblur_ops/<op>.py``). It gets checked tensors of any strides and returns the result; gradients are registered
there.
"""
