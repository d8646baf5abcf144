"""Objectives: how a model's output is compared with labels and read as probabilities.

A model's output is ``(outputs, named intermediates)``. An objective turns it into a loss, as a
(sum, count) pair, and into probabilities at every step, so that the step, the evaluation and the
post-processing behind them are the same for every kind of model.
"""

import inspect
import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from sleepjax import custom
from sleepjax.config import check_known, fits
from sleepjax.objectives.base import Batch, Objective, Output, to_steps
from sleepjax.objectives.interval_queries import detr
from sleepjax.objectives.keypoints import centernet
from sleepjax.objectives.segmentation import segmentation
from sleepjax.types import CLASSES, InputError

__all__ = ["OBJECTIVES", "TERMS", "Batch", "Objective", "Output", "make", "to_steps"]

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "segmentation": segmentation,
    "centernet": centernet,
    "detr": detr,
}

TERMS: dict[str, tuple[str, ...]] = {
    "segmentation": CLASSES,
    "centernet": ("asleep", "keypoint", "offset", "size"),
    "detr": ("interval", "position", "overlap"),
}
"""What the numbers of ``loss.weights`` weigh."""


def make(name: str, *, downsample: int, **settings: Any) -> Objective:
    """The objective of that name. Raises InputError for an unknown name or setting."""
    made = custom.find("loss.name", name, OBJECTIVES)
    known = [key for key in inspect.signature(made).parameters if key != "downsample"]
    for key in settings:
        more = f". Start from a config whose loss.name is {name!r}."
        check_known(f"setting {key!r} of loss {name!r}", key, known, more)
    with custom.calling("loss", name) if custom.is_custom(name) else nullcontext():
        objective = made(downsample=downsample, **settings)
    if not isinstance(objective, Objective):
        raise InputError(
            f"loss {name!r} returns a {type(objective).__name__}; it must return a "
            "sleepjax.objectives.Objective."
        )
    return _watched(name, objective) if custom.is_custom(name) else objective


def _watched(name: str, objective: Objective) -> Objective:
    """A user-defined objective whose faults name it; InputError where it cannot be one."""
    steps = objective.event_steps
    if not fits(steps, float) or not 0 < steps < math.inf:
        raise InputError(
            f"loss {name!r}: event_steps={steps!r} of its Objective must be a number above 0: over "
            "how many steps a certain event's probability is spread."
        )

    def loss(output: Output, batch: Batch, step: Any) -> Any:
        with custom.calling("loss", name):
            made = objective.loss(output, batch, step)
        if not isinstance(made, tuple) or len(made) != 2:
            what = f"{len(made)} values" if isinstance(made, tuple) else type(made).__name__
            raise InputError(
                f"loss {name!r} gives {what}; it must give (sum, count), two single numbers whose "
                "quotient is the mean loss."
            )
        return made

    def probabilities(output: Output, n_steps: int) -> Any:
        with custom.calling("loss", name):
            return objective.probabilities(output, n_steps)

    return Objective(loss, probabilities, float(steps))
