"""Triton kernels for NVIDIA GPUs. Each module is imported when its op first meets a CUDA tensor.

A module has one function per ``torch.ops.lfdeblur`` op, of the same name and positional arguments, but for
``algorithm``, which is the CPU's (the schemas stand in ``csrc/<op>.cpp``). It gets checked tensors of any strides and
returns the result; gradients are registered in ``lfdeblur_ops/<op>.py``.
"""
