"""How good a disparity map is, in the measures of the 4D Light Field Benchmark (Honauer et al., ACCV 2016)."""

import torch
from torch import Tensor

BORDER = 15  # pixels that the benchmark leaves out on every side
THRESHOLDS = (0.07, 0.03, 0.01)


def disparity_scores(estimate: Tensor, truth: Tensor, *, border: int = BORDER) -> dict[str, float]:
    """``mse_100``: mean squared error times 100. ``badpix_0.07`` and so on: per cent of pixels that are farther off.

    Args:
        estimate, truth: ``[H, W]``, pixels per view step; pixels whose truth is not finite are left out.
        border: pixels left out on every side; none of a picture of which less than half would be left.

    Raises: ValueError: shapes differ, or no pixel is left.
    """
    if estimate.shape != truth.shape or truth.dim() != 2:
        raise ValueError(f"estimate: got shape {list(estimate.shape)}, want {list(truth.shape)} as the truth, [H, W]")
    if min(truth.shape) >= 4 * border and border:
        estimate, truth = (one[border:-border, border:-border] for one in (estimate, truth))
    known = torch.isfinite(truth)
    if not bool(known.any()):
        raise ValueError("truth: got no finite value")
    error = (estimate.to(truth) - truth)[known].double()
    scores = {"mse_100": 100 * error.square().mean().item()}
    return scores | {f"badpix_{limit:g}": 100 * (error.abs() > limit).double().mean().item() for limit in THRESHOLDS}
