"""The loss of a recipe: ``l1 * L1 + frequency * FourierLoss + feature * FeatureLoss``."""

import torch
from torch import Tensor, nn

from ..features import FeatureLoss, feature_network
from .config import LossConfig


class RestorationLoss(nn.Module):
    """Weighted sum of the mean absolute difference, of that of Fourier coefficients, and of that of feature maps.

    Raises: FeatureWeightsError, ValueError: the feature network has no weights or no such layer.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.features: FeatureLoss | None = None
        if config.feature:
            self.features = FeatureLoss(feature_network(config.network, config.layers, config.weights))

    def check_side(self, side: int) -> None:
        """Raises ValueError where squares of this side are too small for the feature network."""
        if self.features is None:
            return
        square = torch.zeros(1, 3, side, side)
        try:
            with torch.no_grad():
                self.features(square, square)
        except RuntimeError as error:
            raise ValueError(
                f"augment.crop: got {side}, too small for the feature network {self.config.network}"
            ) from error

    def forward(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """``output`` and ``target`` ``[N, 3, H, W]`` in [0, 1]; the parts that count, and ``loss``."""
        parts = {"l1": (output - target).abs().mean()}
        loss = self.config.l1 * parts["l1"]
        if self.config.frequency:
            parts["frequency"] = fourier_difference(output, target)
            loss = loss + self.config.frequency * parts["frequency"]
        if self.features is not None:
            parts["feature"] = self.features(output, target)
            loss = loss + self.config.feature * parts["feature"]
        return {"loss": loss} | parts


def fourier_difference(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the real and imaginary parts of Fourier coefficients (Cho et al., MIMO-UNet, ICCV
    2021), scaled so that they have the mean square of the pixels: detail that is faint everywhere counts as much as an
    edge.

    Args:
        output, target: ``[N, C, H, W]`` float32 or float64.

    Returns: a scalar.
    """
    return torch.view_as_real(torch.fft.rfft2(output - target, norm="ortho")).abs().mean()
