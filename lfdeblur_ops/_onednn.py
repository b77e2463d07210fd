"""What oneDNN, which PyTorch ships, can do on this processor; the convolutions by it stand in csrc/convolution.cpp."""

import torch

from ._dispatch import cpu_missing

HALF = (torch.bfloat16, torch.float16)


def fused(dtype: torch.dtype) -> bool:
    """Whether this processor and this PyTorch have a fused convolution of the dtype."""
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if dtype == torch.float16:
        return bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())
    return dtype == torch.float32


def convolution_missing() -> str | None:
    """Why the back end ``cpu`` of the convolutions cannot run."""
    missing = cpu_missing()
    # The switch cannot be traced: compiled code goes by oneDNN.
    if missing is None and not torch.compiler.is_compiling() and not torch.backends.mkldnn.enabled:
        return "oneDNN is switched off by torch.backends.mkldnn.enabled"
    return missing
