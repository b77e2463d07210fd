"""``train``: a run by a recipe, from its start or from where it was stopped."""

import json
import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import torch
from lightning.pytorch import Trainer

from ..data import LightFieldError
from ..data.errors import DataError
from ..features import FeatureWeightsError
from ..io.atomic import atomic_path, make_output_folder
from ..io.errors import ImageError, OutputError
from ..networks.configuration import Configuration
from ..networks.weights import WeightsError
from ..system.progress import Report
from .average import RunningAverage
from .checkpoints import Checkpoints, WholeFiles
from .config import Config
from .errors import ConfigError
from .first_weights import start_network
from .loaders import PairData
from .log import WEIGHTS, Progress, RunLog
from .module import Deblurring
from .plan import Plan, plan

_LOG = logging.getLogger("lfdeblur.train")
CHECKPOINT, RECIPE = "last.ckpt", "recipe.json"
# What the checkpoint decides.
KEPT = (
    *(f"network.{field.name}" for field in fields(Configuration)),
    *(f"optimizer.{name}" for name in ("learning_rate", "betas", "weight_decay")),
)
PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed"}


def train(
    config: Config,
    out: str | Path,
    *,
    resume: bool = False,
    progress: Progress = lambda steps, loss, pairs_per_second: None,
    report: Report | None = None,
    begin: Callable[[Plan], bool | None] = lambda plan: None,
) -> Path:
    """Train a network; everything is checked before the first step.

    Below ``out``: ``last.ckpt`` (all that a run needs to go on exactly: weights, optimiser, average, schedule, step;
    pairs depend on seed and step alone), ``weights.safetensors`` (half precision, averaged; written with every
    checkpoint), ``training.csv``, ``validation.csv``, ``tensorboard/`` and ``recipe.json``.

    Args:
        config: the recipe.
        out: a folder, made if missing.
        resume: go on where the run in ``out`` stopped; it must have been of the same network. False: there must be
            none.
        progress: called after each step with the steps done, the loss and the pairs per second.
        report: called with a ``Progress`` after each step; where it returns False the call ends with ``Cancelled``, and
            the run can be resumed from that step (of several processes: from the last checkpoint).
        begin: called with what is about to be done, when all is checked and before anything is written; where it
            returns False nothing is.

    Returns: the path of the weights.

    Raises:
        ConfigError: the recipe cannot be followed here, does not fit the run in ``out``, or there is none to go on
            with.
        DataError, LightFieldError: missing, misshaped or unreadable data; the first is named.
        ImageError: a picture turns out to be damaged during the run; it can be replaced and the run go on.
        DivergedError: the loss or the weights are no longer finite; the last checkpoint before that is kept.
        FeatureWeightsError, WeightsError: weights to start from, or of the feature network, are missing or do not fit.
        OutputError: ``out`` cannot be written, or holds another run.
    """
    out = Path(out)
    checkpoint = out / CHECKPOINT
    if resume:
        _check_same(config, out)
    elif checkpoint.exists():
        raise OutputError(f"{out}: holds a run already; resume it or choose another folder")
    module = _module(config, resume)
    data = PairData(config)
    if begin(plan(config, module, data, out)) is False:
        return out / WEIGHTS
    make_output_folder(out)
    log = RunLog(out, progress, report)
    trainer = _trainer(config, out, log)
    if trainer.is_global_zero:
        with atomic_path(out / RECIPE) as temporary:
            temporary.write_text(json.dumps(config.model_dump(), indent=2) + "\n")
    with warnings.catch_warnings():
        # The sampler starts at the trainer's step; Lightning looks for that in the loader.
        warnings.filterwarnings("ignore", message=".*resuming from a checkpoint that ended before the epoch.*")
        for message in (
            ".*does not have many workers.*",
            ".*exists and is not empty.*",
            ".*LeafSpec.*",
            ".*in eval mode.*",
        ):
            warnings.filterwarnings("ignore", message=message)
        _LOG.info("%s", "goes on where it was" if resume else "begins")
        with _interruptible(trainer), _plain_errors():
            trainer.fit(module, data, ckpt_path=str(checkpoint) if resume else None)
        trainer.save_checkpoint(checkpoint)
    if log.cancelled is not None:
        raise log.cancelled
    return out / WEIGHTS


def _module(config: Config, resume: bool) -> Deblurring:
    """The network with its first weights (those of a run that goes on are in its checkpoint), and its loss."""
    if config.run.accelerator == "cuda" and not torch.cuda.is_available():
        raise ConfigError("run.accelerator: got cuda, but PyTorch finds no GPU here")
    network = config.network.model_copy(update={"start": "random"}) if resume else config.network
    try:
        module = Deblurring(config, start_network(network, config.run.seed))
        module.loss.check_side(config.augment.crop)
    except (FeatureWeightsError, WeightsError):
        raise
    except ValueError as error:
        raise ConfigError(f"recipe: {error}") from error
    return module


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What is wrong with a file, without the worker's traceback that the loader puts before it."""
    try:
        yield
    except (DataError, ImageError, LightFieldError) as error:
        last = str(error).strip().splitlines()[-1]
        raise type(error)(last.removeprefix(f"{type(error).__module__}.{type(error).__qualname__}: ")) from error


@contextmanager
def _interruptible(trainer: Trainer) -> Iterator[None]:
    """Ctrl-C stays one: Lightning would end the process with code 1, and ignore it from then on."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)


def _trainer(config: Config, out: Path, log: RunLog) -> Trainer:
    run = config.run
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    processes = run.devices * run.nodes
    return Trainer(
        accelerator="gpu" if run.accelerator == "cuda" else run.accelerator,
        devices=run.devices,
        num_nodes=run.nodes,
        strategy="ddp" if processes > 1 else "auto",
        precision=PRECISION[run.precision],  # type: ignore[arg-type]
        max_steps=run.steps,
        max_epochs=-1,  # a finished run may be given more steps
        gradient_clip_val=config.optimizer.clip or None,
        val_check_interval=run.validate_every,
        check_val_every_n_epoch=None,
        limit_val_batches=None if config.validation is not None else 0,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[WholeFiles()],
        callbacks=[
            *([RunningAverage(run.ema)] if run.ema else []),
            log,
            Checkpoints(
                out / CHECKPOINT,
                run.checkpoint_every,
                None if config.validation is None else run.validate_every,
            ),
        ],
    )


def _check_same(config: Config, out: Path) -> None:
    if not (out / CHECKPOINT).is_file():
        raise ConfigError(f"--resume: {out / CHECKPOINT}: no such checkpoint")
    try:
        before = json.loads((out / RECIPE).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"--resume: {out / RECIPE}: not readable ({error})") from error
    now = json.loads(json.dumps(config.model_dump()))
    for key in KEPT:
        part, _, name = key.partition(".")
        then = before.get(part, {}).get(name)
        if then != now[part][name]:
            raise ConfigError(f"--resume: {key}: got {now[part][name]!r}, the run has {then!r}")
    if bool(before.get("run", {}).get("ema")) != bool(config.run.ema):
        raise ConfigError(f"--resume: run.ema: got {config.run.ema}, the run has {before['run']['ema']}")
