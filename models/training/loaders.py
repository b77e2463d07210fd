"""Loaders of training and validation pairs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..data.datasets.picture_pairs import as_float
from ..data.errors import DataError
from .augment import PICTURES
from .config import Config, DataConfig, ValidationConfig
from .sampling import PairNumbers, TrainingPairs, open_pairs


class PairData(LightningDataModule):
    """The pairs of a recipe; training goes on at the trainer's step.

    Raises: DataError, LightFieldError: see ``open_pairs``; before anything else is done.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        views, seed, run = config.network.views, config.run.seed, config.run
        # Workers are processes of their own, without the GPU's memory.
        device = "cuda" if run.accelerator == "cuda" and not run.workers else "cpu"
        sources = []
        for number, part in enumerate(config.data):
            with _of_key(f"data.{number}.root", part):
                sources.append(open_pairs(part, views, config.augment.crop, seed, device))
        self.pairs = TrainingPairs(sources, [part.weight for part in config.data], config.augment, seed)
        self.watched: Dataset[dict[str, Any]] | None = None
        if config.validation is not None:
            with _of_key("validation.root", config.validation):
                self.watched = ValidationPictures(config.validation, views)

    def train_dataloader(self) -> DataLoader[Any]:
        run, trainer = self.config.run, self.trainer
        assert trainer is not None
        positions = PairNumbers(
            run.steps, run.batch, rank=trainer.global_rank, world=trainer.world_size, start=trainer.global_step
        )
        return DataLoader(self.pairs, batch_sampler=positions, **_worker_options(run.workers))

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        return [] if self.watched is None else DataLoader(self.watched, batch_size=1)


@contextmanager
def _of_key(key: str, part: DataConfig) -> Iterator[None]:
    """An error that names a folder of the recipe, and not what is in it, tells by which key the folder is set."""
    try:
        yield
    except DataError as error:
        if part.root is None or not str(error).startswith(f"{part.root}: no such folder"):
            raise
        raise DataError(f"{error}; set {key}") from error


class ValidationPictures(Dataset[dict[str, Any]]):
    """The middle of some pictures, evenly picked from a set."""

    def __init__(self, config: ValidationConfig, views: int) -> None:
        made = config.kind in ("light-fields", "rendered")
        source: Any = open_pairs(config, views, config.crop if made else None)
        count = config.pictures if made else min(config.pictures, len(source))
        self.source, self.crop = source, config.crop
        self.picks = [i if made else i * len(source) // count for i in range(count)]

    def __len__(self) -> int:
        return len(self.picks)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = self.source[self.picks[index]]
        pictures: dict[str, Any] = {kind: self._middle(item[kind]) for kind in PICTURES if kind in item}
        return pictures | {"name": str(item.get("name") or item.get("scene"))}

    def _middle(self, picture: Tensor) -> Tensor:
        top, left = (max(0, (side - self.crop) // 2) for side in picture.shape[-2:])
        return as_float(picture[:, top : top + self.crop, left : left + self.crop]).contiguous()


def _worker_options(count: int) -> dict[str, Any]:
    """Options of ``DataLoader``. Not forked: the children of a process with running threads hang on their locks."""
    if count == 0:
        return {}
    return {
        "num_workers": count,
        "multiprocessing_context": "spawn",
        "persistent_workers": True,
        "pin_memory": torch.cuda.is_available(),
    }
