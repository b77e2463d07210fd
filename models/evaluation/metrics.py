"""PSNR, SSIM and MAE on the tensors' device, in the definitions of scikit-image."""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 7  # scikit-image's default: uniform


def psnr(output: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio by picture, dB, as ``skimage.metrics.peak_signal_noise_ratio(data_range=1)``.

    Args:
        output, truth: ``[N, C, H, W]`` in [0, 1]; the error is summed in float64.

    Returns: ``[N]`` float64; infinity for equal pictures.
    Raises: ValueError: shapes disagree.
    """
    _check(output, truth)
    return -10 * (output.double() - truth.double()).square().mean((1, 2, 3)).log10()


def mae(output: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error by picture: ``[N, C, H, W]`` to ``[N]`` float64. Raises ValueError: shapes disagree."""
    _check(output, truth)
    return (output.double() - truth.double()).abs().mean((1, 2, 3))


def ssim(output: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity by picture (Wang et al., IEEE TIP 2004), as scikit-image's defaults have it.

    That is ``structural_similarity(channel_axis, data_range=1)``: a uniform 7x7 window, sample covariance, K1 = 0.01,
    K2 = 0.03, the mean over the pixels whose window lies inside, and over the channels. Computed in float64, a channel
    at a time.

    Args:
        output, truth: ``[N, C, H, W]`` in [0, 1], H, W >= 7.

    Returns: ``[N]`` float64.
    Raises: ValueError: shapes disagree or pictures too small.
    """
    _check(output, truth)
    if min(output.shape[-2:]) < WINDOW:
        raise ValueError(f"ssim: got pictures of {list(output.shape[-2:])} pixels, want at least {WINDOW} on each side")
    channels = [_ssim(output[:, c].double(), truth[:, c].double()) for c in range(output.shape[1])]
    return torch.stack(channels).mean(0)


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    count = WINDOW**2

    def mean(z: Tensor) -> Tensor:
        return F.avg_pool2d(z[:, None], WINDOW, 1)[:, 0]

    ux, uy = mean(x), mean(y)
    unbiased = count / (count - 1)
    vx, vy, vxy = (unbiased * (mean(a * b) - u * v) for a, b, u, v in ((x, x, ux, ux), (y, y, uy, uy), (x, y, ux, uy)))
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux.square() + uy.square() + c1) * (vx + vy + c2))
    return similarity.mean((1, 2))


def _check(output: Tensor, truth: Tensor) -> None:
    if output.shape != truth.shape or output.dim() != 4:
        raise ValueError(f"got shapes {list(output.shape)} and {list(truth.shape)}, want equal ones [N, C, H, W]")
