"""What each op does, as a picture beside its page in ``docs/ops``: ``python -m docs.figures.ops`` draws them.

On white, which does on dark pages too, and narrow: 360 pixels of a telephone show 9 points as 9 pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor

from lfdeblur_ops import conv_transpose4x4, dynamic_filter, refocus

WIDTH = 5.2
BLUE, RED, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
STYLE = {"font.size": 9, "axes.titlesize": 9, "savefig.dpi": 180, "savefig.facecolor": "white"}


def draw(folder: Path) -> None:
    """Write ``<op>.png`` for each op."""
    plt.switch_backend("Agg")
    with plt.rc_context(STYLE):
        for op, drawn in DRAWINGS.items():
            figure = drawn()
            figure.savefig(folder / f"{op}.png", metadata={"Software": None}, bbox_inches="tight", pad_inches=0.1)
            plt.close(figure)


def _refocus() -> Figure:
    """A near bar of disparity 2 and a far one of 0, in three views; the plane of 2 is asked for."""
    views = torch.zeros(1, 3, 3, 8, 15)
    colours = torch.tensor(plt.matplotlib.colors.to_rgb(BLUE)), torch.tensor(plt.matplotlib.colors.to_rgb(RED))
    views += 0.93
    for u in range(3):
        near = 7 - 2 * (u - 1)
        views[0, u, :, :4, near] = colours[1][:, None]
        views[0, u, :, 4:, 7] = colours[0][:, None]
    shifted = refocus(views, 2.0, reduce="none")[0]
    figure, axes = plt.subplots(2, 3, figsize=(WIDTH, 3.9))
    for u in range(3):
        _picture(axes[0, u], views[0, u], f"view u = {u}" + " (centre)" * (u == 1))
        _picture(axes[1, u], shifted[u], f"read at x - 2 ({u} - 1)")
    figure.subplots_adjust(left=0.02, right=0.98, top=0.9, bottom=0.42, wspace=0.08, hspace=0.35)
    out = figure.add_axes((0.18, 0.02, 0.34, 0.27))
    _picture(out, refocus(views, 2.0)[...], "their mean: refocus(views, 2.0)")
    figure.text(0.56, 0.2, "near, disparity 2: sharp", color=RED, fontweight="bold")
    figure.text(0.56, 0.08, "far, disparity 0: spread\nover the aperture", color=BLUE, fontweight="bold")
    return figure


def _dynamic_filter() -> Figure:
    """Three pixels with kernels of their own."""
    x = torch.zeros(1, 1, 5, 15)
    x[..., 2] = x[..., 7] = x[..., 12] = 1
    kernels = torch.zeros(3, 3, 3)
    kernels[0, 1, 1] = 1  # nothing
    kernels[1, 1, :] = 1 / 3  # blur along the row
    kernels[2, 1, 2] = 1  # from the right: moves to the left
    filters = kernels.reshape(3, 9).repeat_interleave(5, 0).t().reshape(1, 9, 1, 15).expand(1, 9, 5, 15)
    out = dynamic_filter(x, filters, 3)
    figure = plt.figure(figsize=(WIDTH, 4.2))
    above, below = figure.add_axes((0.17, 0.66, 0.75, 0.31)), figure.add_axes((0.17, 0.02, 0.75, 0.31))
    _grey(above, x[0, 0], "x: a pixel sees its k x k neighbours")
    _grey(below, out[0, 0], "out: their sum, weighed by its own kernel")
    for i, (column, colour) in enumerate(zip((2, 7, 12), (BLUE, RED, GREEN), strict=True)):
        above.add_patch(Rectangle((column - 1.5, 0.5), 3, 3, fill=False, ec=colour, lw=2.5))
        below.add_patch(Rectangle((column - 0.5, 1.5), 1, 1, fill=False, ec=colour, lw=2.5))
        kernel = figure.add_axes((0.17 + 0.75 * (column + 0.5) / 15 - 0.09, 0.41, 0.18, 0.2))
        _numbers(kernel, kernels[i], colour)
    figure.text(0, 0.5, "filters\nat that\npixel", va="center")
    return figure


def _dynamic_filter_separable() -> Figure:
    vertical, horizontal = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1]), torch.tensor([0.0, 0.1, 0.5, 0.3, 0.1])
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 2.6), width_ratios=[0.2, 1, 1], layout="constrained")
    _numbers(axes[0], vertical[:, None], BLUE)
    axes[0].set_title("v: kh taps")
    _numbers(axes[1], horizontal[None], RED)
    axes[1].set_title("h: kw taps")
    axes[1].set_xlabel("filters hold kh + kw numbers\na pixel, v first", labelpad=8)
    _numbers(axes[2], vertical[:, None] * horizontal, GREEN, 2)
    axes[2].set_title("v h: the kernel")
    axes[2].set_xlabel("kh kw numbers,\nnever in memory", labelpad=8)
    return figure


def _conv_transpose4x4() -> Figure:
    """Where two neighbouring pixels go: footprints of 4x4, two apart."""
    x = torch.zeros(1, 2, 3, 3)
    x[0, 0, 1, 0] = x[0, 1, 1, 1] = 1
    weight = torch.zeros(2, 2, 4, 4)
    weight[0, 0] = weight[1, 1] = 1
    reached = conv_transpose4x4(x, weight)[0]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3), width_ratios=[1, 2], layout="constrained")
    for axis, picture, name in ((left, x[0], "x: H x W"), (right, reached, "out: 2H x 2W")):
        shown = torch.ones(*picture.shape[1:], 3)
        for channel, colour in zip(picture, (BLUE, RED), strict=True):
            shown = shown * (1 - 0.6 * channel[..., None] * (1 - torch.tensor(plt.matplotlib.colors.to_rgb(colour))))
        _picture(axis, shown.permute(2, 0, 1), name)
    right.set_xlabel("each pixel spreads over 4 x 4, two apart;\nwhere they meet they add up")
    return figure


def _conv3x3() -> Figure:
    return _flow(
        [("x", "in"), ("[x, x2], not made", "gone"), ("3x3 convolution + bias", "op"), ("LeakyReLU", "op")],
        [("+ residual", "op"), ("out", "in")],
        {"x2": 1, "residual": 4},
        "one pass over memory",
    )


def _residual_block() -> Figure:
    return _flow(
        [("x", "in"), ("3x3 convolution + bias1", "op"), ("LeakyReLU", "op"), ("3x3 convolution + bias2", "op")],
        [("+ x", "op"), ("out", "in")],
        {"x ": 4},
        "one op",
    )


def _flow(
    above: Sequence[tuple[str, str]], below: Sequence[tuple[str, str]], beside: dict[str, int], said: str
) -> Figure:
    """Steps from top to bottom, with what comes in from the right; the steps of the op stand in a frame."""
    steps = [*above, *below]
    figure, axis = _canvas(10, 1.3 * len(steps) + 0.2)
    inner = [i for i, (_, kind) in enumerate(steps) if kind != "in"]
    top = 1.3 * (len(steps) - inner[0]) - 0.25
    bottom = 1.3 * (len(steps) - inner[-1] - 1) + 0.1
    axis.add_patch(FancyBboxPatch((0.4, bottom), 5.7, top - bottom, boxstyle="round,pad=0.1", fc="#eef4fb", ec=BLUE))
    axis.text(6.35, bottom - 0.3, said, color=BLUE, va="center")
    for i, (name, kind) in enumerate(steps):
        y = 1.3 * (len(steps) - i) - 0.7
        _box(axis, 3.3, y, name, kind)
        if i:
            _arrow(axis, (3.3, y + 0.95), (3.3, y + 0.35))
    for name, i in beside.items():
        y = 1.3 * (len(steps) - i) - 0.7
        _box(axis, 8.2, y, name.strip(), "in", 2.2)
        _arrow(axis, (7.1, y), (5.5, y))
    return figure


def _drb_head() -> Figure:
    figure, axis = _canvas(12, 9.6)
    axis.add_patch(FancyBboxPatch((0.3, 1.35), 11.4, 6.65, boxstyle="round,pad=0.1", fc="#eef4fb", ec=BLUE))
    axis.text(0.45, 1.4, "one pass over memory", color=BLUE, fontsize=8.5, va="bottom")
    boxes = {
        "kernel_features": (2.2, 9, "in", 3.4),
        "image": (6, 9, "in", 1.8),
        "residual_features": (9.8, 9, "in", 3.4),
        "1x1 convolution": (2.2, 7.3, "op", 3.4),
        "k*k filters a pixel,\nnever in memory": (2.2, 5.4, "gone", 3.6),
        "dynamic_filter": (2.2, 3.5, "op", 3.4),
        "1x1 convolution ": (9.8, 7.3, "op", 3.4),
        "LeakyReLU": (9.8, 5.4, "op", 3.4),
        "sum, clip": (6, 2.4, "op", 2.6),
        "out": (6, 0.5, "in", 1.8),
    }
    for name, (x, y, kind, width) in boxes.items():
        _box(axis, x, y, name.strip(), kind, width)
    for start, end in (
        ((2.2, 8.65), (2.2, 7.65)),
        ((2.2, 6.95), (2.2, 5.9)),
        ((2.2, 4.9), (2.2, 3.85)),
        ((9.8, 8.65), (9.8, 7.65)),
        ((9.8, 6.95), (9.8, 5.75)),
        ((6, 8.65), (6, 2.75)),
        ((5.9, 8.65), (3.9, 3.6)),
        ((2.9, 3.15), (4.7, 2.45)),
        ((9.8, 5.05), (7.3, 2.5)),
        ((6, 2.05), (6, 0.85)),
    ):
        _arrow(axis, start, end)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = plt.figure(figsize=(WIDTH, WIDTH * 0.72 * height / width))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.axis("off")
    return figure, axis


def _box(axis: Axes, x: float, y: float, name: str, kind: str, width: float = 4.4) -> None:
    """``in``: a tensor; ``op``: a step; ``gone``: what is never written."""
    height = 0.6 + 0.35 * name.count("\n")
    style = {"in": ("white", "black", "-"), "op": (BLUE, BLUE, "-"), "gone": ("white", GREY, "--")}[kind]
    patch = FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0.05")
    patch.set(facecolor=style[0], edgecolor=style[1], linestyle=style[2])
    axis.add_patch(patch)
    colour = {"in": "black", "op": "white", "gone": GREY}[kind]
    axis.text(x, y, name, ha="center", va="center", color=colour)


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "black", "lw": 1.2})


def _picture(axis: Axes, picture: Tensor, title: str) -> None:
    axis.imshow(picture.permute(1, 2, 0).clamp(0, 1), interpolation="nearest")
    axis.set_title(title)
    _grid(axis, picture.shape[-2:])


def _grey(axis: Axes, picture: Tensor, title: str) -> None:
    axis.imshow(picture, cmap="gray_r", vmin=0, vmax=1.3, interpolation="nearest")
    axis.set_title(title)
    _grid(axis, picture.shape)


def _numbers(axis: Axes, kernel: Tensor, colour: str, digits: int = 1) -> None:
    axis.imshow(kernel, cmap="gray_r", vmin=0, vmax=2)
    for i, row in enumerate(kernel.tolist()):
        for j, value in enumerate(row):
            text = f"{value:.{digits}f}".lstrip("0") if value else "0"
            axis.text(j, i, text, ha="center", va="center", fontsize=8)
    _grid(axis, kernel.shape)
    for side in axis.spines.values():
        side.set(color=colour, lw=2.5)


def _grid(axis: Axes, size: Sequence[int]) -> None:
    axis.set_xticks(torch.arange(size[1] + 1) - 0.5, minor=True)
    axis.set_yticks(torch.arange(size[0] + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="0.85", lw=0.5)
    axis.tick_params(which="both", length=0, labelbottom=False, labelleft=False)


DRAWINGS = {
    "refocus": _refocus,
    "dynamic_filter": _dynamic_filter,
    "dynamic_filter_separable": _dynamic_filter_separable,
    "drb_head": _drb_head,
    "conv3x3": _conv3x3,
    "conv_transpose4x4": _conv_transpose4x4,
    "residual_block": _residual_block,
}
