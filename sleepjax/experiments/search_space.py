"""Settings to try: a grid, points at random, or what Optuna asks for; all checked beforehand.

A grid is written ``optim.lr=1e-4,5e-4 data.downsample=2,4``: a dotted key of the config and its
values. Random points and Optuna take the same text: a float is drawn between the lowest and the
highest of its values (evenly in its logarithm where all are positive), anything else is one of
them.
"""

import itertools
import math
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from sleepjax.config import override, override_from_text
from sleepjax.parallel import sharding
from sleepjax.training import checks
from sleepjax.training.build import build
from sleepjax.types import InputError

EXAMPLE = "'optim.lr=1e-4,5e-4 data.downsample=2,4'"

Point = dict[str, Any]
"""Dotted key -> value."""
Space = dict[str, tuple[Any, ...]]
"""Dotted key -> values, of the config's types."""


def parse(text: str, config: ConfigDict) -> Space:
    """Read a grid. Raises InputError for unknown keys, values of another type and repetitions."""
    space: Space = {}
    for item in filter(None, _split(text, " ")):
        key, has_values, values = item.partition("=")
        if not has_values or not values:
            raise InputError(f"--grid {item!r} is not understood; write {EXAMPLE}.")
        if key in space:
            raise InputError(f"--grid names {key!r} twice; give all its values at once.")
        texts = _split(values, ",")
        if "" in texts:
            raise InputError(f"--grid {item!r} has an empty value; write {EXAMPLE}.")
        space[key] = tuple(_read(config, key, value) for value in texts)
        for i, value in enumerate(space[key]):
            if value in space[key][:i]:
                raise InputError(f"--grid gives {key}={value!r} twice.")
    if not space:
        raise InputError(f"--grid is empty; write {EXAMPLE}.")
    return space


def configured(config: ConfigDict, point: Point) -> ConfigDict:
    """The config with the settings of one point. Raises InputError for one that no run takes."""
    own: Any = config.copy_and_resolve_references().unlock()
    try:
        for key, value in point.items():
            override(own, key, value)
        checks.check(own)
        if own.data.fold >= own.data.folds:
            raise InputError(f"data.fold={own.data.fold} must be from 0 to {own.data.folds - 1}.")
        checks.check_batches(own, sharding.device_count())
    except InputError as error:
        raise InputError(f"{as_text(point)}: {error}") from None
    return own.lock()


def check(config: ConfigDict, point: Point) -> None:
    """Raise InputError unless a run of these settings could begin; computes nothing."""
    own = configured(config, point)
    try:
        build(own).shapes()
    except InputError as error:
        raise InputError(f"{as_text(point)}: {error}") from None


def as_text(point: Point) -> str:
    """``optim.lr=0.0005 data.downsample=2``."""
    return " ".join(f"{key}={value}" for key, value in point.items())


def _split(text: str, separator: str) -> list[str]:
    """Parts between separators that are outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if character == separator and not depth and not quote:
            parts.append("")
            continue
        parts[-1] += character
        if quote or character in "'\"":
            quote = "" if character == quote else quote or character
        else:
            depth += (character in "([") - (character in ")]")
    return parts


def _read(config: ConfigDict, key: str, text: str) -> Any:
    trial = config.copy_and_resolve_references().unlock()
    override_from_text(trial, key, text)
    return attrgetter(key)(trial)


def points(space: Space) -> list[Point]:
    """Every combination; the last key changes fastest."""
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]


def random_points(space: Space, n: int, seed: int) -> list[Point]:
    """``n`` different points, the first of them the same for every n.

    Raises InputError where the space does not hold that many.
    """
    found: list[Point] = []
    size = math.inf if any(map(_is_range, space.values())) else len(points(space))
    if n > size:
        raise InputError(f"--random {n} asks for more than the {size} points of --grid.")
    numbers = itertools.count()
    while len(found) < n:
        rng = np.random.default_rng([seed, next(numbers)])
        point = {key: _draw(values, rng) for key, values in space.items()}
        if point not in found:
            found.append(point)
    return found


def contains(space: Space, point: Point) -> bool:
    """Whether a point sets the keys of a space to values in it."""

    def fits(values: tuple[Any, ...], value: Any) -> bool:
        if _is_range(values):
            return min(values) <= value <= max(values)
        return value in values

    return set(space) == set(point) and all(fits(space[key], point[key]) for key in space)


def _is_range(values: tuple[Any, ...]) -> bool:
    return len(values) > 1 and all(isinstance(value, float) for value in values)


def _draw(values: tuple[Any, ...], rng: np.random.Generator) -> Any:
    if not _is_range(values):
        return values[rng.integers(len(values))]
    low, high = min(values), max(values)
    if low > 0:
        return _rounded(math.exp(rng.uniform(math.log(low), math.log(high))), values)
    return _rounded(rng.uniform(low, high), values)


def _rounded(value: float, values: tuple[float, ...]) -> float:
    """Four digits, which people can read and type, inside the range."""
    return min(max(float(f"{value:.4g}"), min(values)), max(values))


def next_point(space: Space, told: Sequence[tuple[Point, float]], seed: int) -> Point:
    """What Optuna's TPE sampler asks for after the points ``told`` with their scores.

    A function of its arguments, so that nothing but results needs to be kept; a score that is NaN
    counts as 0. Raises InputError where Optuna is not installed.
    """
    try:
        import optuna  # type: ignore
    except ImportError:
        raise InputError(
            'Optuna is not installed; run pip install -e ".[tune]", or use --random.'
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {key: _distribution(values, optuna) for key, values in space.items()}
    sampler = optuna.samplers.TPESampler(seed=seed + len(told), n_startup_trials=8)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for point, score in told:
        value = 0.0 if math.isnan(score) else score
        params = {
            key: point[key] if _is_range(values) else values.index(point[key])
            for key, values in space.items()
        }
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=value)
        )
    asked = study.ask(distributions).params
    return {
        key: _rounded(asked[key], values) if _is_range(values) else values[asked[key]]
        for key, values in space.items()
    }


def _distribution(values: tuple[Any, ...], optuna: Any) -> Any:
    if _is_range(values):
        low, high = min(values), max(values)
        return optuna.distributions.FloatDistribution(low, high, log=low > 0)
    return optuna.distributions.CategoricalDistribution(range(len(values)))
