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
from ..data.datasets.shard_pairs import ShardPairs
from ..data.errors import DataError
from ..io.images import open_image
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
        rng = np.random.default_rng([self.seed, position])
        choice = int(np.searchsorted(self.shares, rng.random(), side="right"))
        source: Any = self.sources[min(choice, len(self.sources) - 1)]
        return augment(source[int(rng.integers(len(source)))], self.config, rng)


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


def open_pairs(config: DataConfig, views: int, crop: int | None, seed: int = 0) -> Dataset[dict[str, Any]]:
    """The data set of one source; files are checked here.

    Args:
        config: which.
        views: 2: also the left and right views.
        crop: the least size in pixels that pictures must have along each side; light fields are rendered in that size
            (None: whole).
        seed: of what light fields draw.

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
            info = open_image(item.defocused)[1]
            if min(info.height, info.width) < crop:
                raise DataError(f"{item.defocused}: {info.width}x{info.height} pixels, smaller than the crop of {crop}")
    return PicturePairs(items, cache=config.cache)
