"""The stream of training pairs: pair number ``p`` is the same in every run, process and after every restart."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ..data import LightFieldPairs, parse_noise
from ..data.datasets.picture_files import find_pictures
from ..data.datasets.picture_pairs import PicturePairs
from ..data.datasets.pixel4 import Pixel4Pairs
from ..data.datasets.rendered_pairs import RenderedPairs
from ..data.datasets.shard_pairs import ShardPairs
from ..data.errors import DataError
from ..data.rendering.layered import RenderingOptions
from ..io.images import image_info
from .augment import augment
from .config import AugmentConfig, DataConfig

ENDLESS = 2**31 - 1  # pairs that can be drawn from light fields


class TrainingPairs(Dataset[dict[str, Tensor]]):
    """Augmented pairs of several sources; number ``position`` depends on ``(seed, position)`` alone.

    Each pair is drawn anew, with replacement: a source by its weight, then any of its pairs.

    Args:
        sources: data sets of dicts as ``LightFieldPairs`` and ``PicturePairs`` give them.
        weights: how often each is drawn, in proportion.
        config: crops and the like.
        seed: a whole number >= 0.
    """

    def __init__(
        self, sources: Sequence[Dataset[dict[str, Any]]], weights: Sequence[float], config: AugmentConfig, seed: int
    ) -> None:
        self.sources, self.config, self.seed = list(sources), config, seed
        self.shares = np.cumsum(weights) / np.sum(weights)

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: Sequence[int]) -> list[dict[str, Tensor]]:
        """Several pairs; a source that can give some at once is asked once."""
        generators = [np.random.default_rng([self.seed, position]) for position in positions]
        picks: dict[int, list[tuple[int, int]]] = {}
        for place, rng in enumerate(generators):
            choice = min(int(np.searchsorted(self.shares, rng.random(), side="right")), len(self.sources) - 1)
            source: Any = self.sources[choice]
            picks.setdefault(choice, []).append((place, int(rng.integers(len(source)))))
        items: list[dict[str, Tensor]] = [{} for _ in positions]
        for choice, mine in picks.items():
            source = self.sources[choice]
            numbers = [number for _, number in mine]
            several = getattr(source, "__getitems__", None)
            given = several(numbers) if several else [source[number] for number in numbers]
            for (place, _), item in zip(mine, given, strict=True):
                items[place] = augment(item, self.config, generators[place])
        return items


class PairNumbers(Sampler[list[int]]):
    """Batches of pair numbers: of each step's ``batch`` consecutive ones, this process's share.

    Args:
        steps: of the whole run. batch: pairs per step, of all processes. rank, world: of this process, and how many.
        start: steps that are done.
    """

    def __init__(self, steps: int, batch: int, *, rank: int = 0, world: int = 1, start: int = 0) -> None:
        self.steps, self.batch, self.rank, self.world, self.start = steps, batch, rank, world, start

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        share = self.batch // self.world
        for step in range(self.start, self.steps):
            first = step * self.batch + self.rank * share
            yield list(range(first, first + share))


def open_pairs(
    config: DataConfig, views: int, crop: int | None, seed: int = 0, device: str = "cpu"
) -> Dataset[dict[str, Any]]:
    """The data set of one source; files are checked here.

    Args:
        config: which.
        views: 2: also the left and right views.
        crop: the least size in pixels that pictures must have along each side; light fields (None: whole) and layers of
            pictures are rendered in that size.
        seed: of what light fields and layers draw.
        device: where layers are rendered.

    Raises:
        DataError, LightFieldError: missing, surplus, misshaped, unreadable or too small pictures; the first is named.
    """
    dual = views == 2
    if config.kind == "light-fields":
        noise = None if config.sensor_noise is None else parse_noise(config.sensor_noise)
        pairs = LightFieldPairs(
            list(config.light_fields),
            crop=crop,
            length=ENDLESS,
            seed=seed,
            dual_pixel=dual,
            noise=noise,
            truth=config.truth,
        )
        pairs.check()
        return pairs
    root = str(config.root)
    if config.kind == "rendered":
        sizes = {} if crop is None else {"side": crop}
        options = RenderingOptions(**config.rendering, **sizes)  # type: ignore[arg-type]
        return RenderedPairs(root, options, seed=seed, dual_pixel=dual, device=device)
    if config.kind == "pixel4":
        return Pixel4Pairs(root, dual=dual, scenes=config.scenes)
    if config.kind == "shards":
        shards = ShardPairs(root, dual=dual)
        shards.check(crop)
        return shards
    items = find_pictures(
        config.kind,
        root,
        split=config.split,
        dual=dual,
        defocused=config.defocused,
        sharp=config.sharp,
        listing=config.listing,
    )
    if crop is not None:
        for item in items:
            info = image_info(item.defocused)
            if min(info.height, info.width) < crop:
                raise DataError(f"{item.defocused}: {info.width}x{info.height} pixels, smaller than the crop of {crop}")
    return PicturePairs(items, cache=config.cache)
