"""The learning rate over a run."""

import math

from .config import OptimizerConfig


def rate_at(step: int, steps: int, config: OptimizerConfig) -> float:
    """The learning rate of a step, as a share of ``config.learning_rate``.

    Args:
        step: counted from 0.
        steps: of the whole run.
        config: linear ``warmup``, then ``cosine`` down to ``last``, ``step`` by ``factor`` at each milestone, or
            ``constant``.
    """
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    done = min(1.0, max(0, step - config.warmup) / max(1, steps - config.warmup))
    if config.schedule == "cosine":
        return warm * (config.last + (1 - config.last) * 0.5 * (1 + math.cos(math.pi * done)))
    if config.schedule == "step":
        return warm * config.factor ** sum(step >= share * steps for share in config.milestones)
    return warm
