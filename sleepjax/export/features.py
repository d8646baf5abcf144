"""Signals of whole recordings -> what is valid, and features: the JAX twin of `data.features`.

Everything is [B,T], along recordings of one length on the 5-second grid, whose length may be
symbolic. Only operations that the converter to ONNX knows for such a length are used: no sorting
over time, no scatter, no loop.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sleepjax.data import rest
from sleepjax.data.features import (
    ANGLE_FLICKER,
    ANGLE_NOISE,
    ENMO_CLIP,
    NORMALISERS,
    QUIET_MOST,
    REPEAT_LAGS,
)
from sleepjax.data.plausible import RANGES, ROUNDING
from sleepjax.types import STEPS_PER_HOUR, STEPS_PER_MINUTE

EPOCH = 946_684_800
"""2000-01-01T00:00 in seconds since 1970-01-01T00:00: int32 seconds from here reach to 2068."""

Rows = Any
"""Array [B,T]; jaxtyping has no letter for a symbolic length."""


class Signals(NamedTuple):
    """What the features are computed from, [B,T]."""

    clock: Rows
    """int32: seconds of the local clock since `EPOCH`."""
    anglez: Rows
    """float32 degrees, the mean of the training data where not valid."""
    enmo: Rows
    """float32 g, likewise."""
    valid: Rows
    """bool."""


def checked(clock: Rows, anglez: Rows, enmo: Rows) -> Signals:
    """Mask what cannot be used, as `data.repair` does for rows that are on the grid already."""
    anglez, enmo = in_range("anglez", anglez), in_range("enmo", enmo)
    measured = jnp.isfinite(anglez) & jnp.isfinite(enmo)
    steady = jnp.minimum(extent(anglez, measured), extent(enmo, measured)) < 1e-6
    broken = steady & (measured.sum(axis=1, keepdims=True) >= STEPS_PER_HOUR)
    valid = measured & ~broken & ~at_rest(anglez)
    neutral = lambda name, x: jnp.where(valid, x, jnp.float32(NORMALISERS[name]["mean"]))
    return Signals(clock, neutral("anglez", anglez), neutral("enmo", enmo), valid)


def in_range(name: str, x: Rows) -> Rows:
    """NaN where the signal has a value that no watch measures."""
    low, high = RANGES[name]
    possible = (x >= low - ROUNDING) & (x <= high + ROUNDING)
    return jnp.where(possible, x, jnp.nan)


def extent(x: Rows, measured: Rows) -> Rows:
    """Highest less lowest measured value of each recording, [B,1]."""
    high = jnp.where(measured, x, -jnp.inf).max(axis=1, keepdims=True)
    return high - jnp.where(measured, x, jnp.inf).min(axis=1, keepdims=True)


def taken(x: Any, index: Any, axis: int) -> Any:
    """Entries of an axis; an index beyond its ends is that of the end.

    Said twice: the converter to ONNX does not know the mode, and without it JAX says more.
    """
    return jnp.take(x, jnp.clip(index, 0, x.shape[axis] - 1), axis=axis, mode="clip")


def shifted(x: Rows, steps: int) -> Rows:
    """X of ``steps`` rows before (below 0: after); at the ends that of the first or last row."""
    return taken(x, jnp.arange(x.shape[1]) - steps, axis=1)


def nearest_known(x: Rows, known: Rows, reach: int, before: bool = True) -> tuple[Rows, Rows]:
    """Value of the nearest known row up to and including each one, or from it on; and whether any.

    Rows look 1, 2, 4, ... rows further: at least ``reach`` in all.
    """
    for power in range(reach.bit_length()):
        steps = 2**power if before else -(2**power)
        x = jnp.where(known, x, shifted(x, steps))
        known = known | shifted(known, steps)
    return x, known


def at_rest(anglez: Rows) -> Rows:
    """Steps measured in stretches of at least `rest.NOT_WORN` without a turn: `rest.at_rest`.

    A stretch is as long as the numbers of its first and last measured row say. Measured rows of a
    stretch are at most `rest.BRIDGED` + 1 apart, so none that matters is out of reach.
    """
    measured = jnp.isfinite(anglez)
    number = jnp.cumsum(measured.astype(jnp.int32), axis=1)
    row = jnp.arange(anglez.shape[1], dtype=jnp.int32)[None] + jnp.zeros_like(number)
    angle, any_before = nearest_known(anglez, measured, rest.BRIDGED + 1)
    last, _ = nearest_known(row, measured, rest.BRIDGED + 1)
    any_before = shifted(any_before, 1) & (row > 0)
    turned = jnp.abs(anglez - shifted(angle, 1)) > rest.TURN
    apart = row - shifted(last, 1) - 1 > rest.BRIDGED
    edge = measured & (~any_before | turned | apart)
    reach = rest.NOT_WORN * (rest.BRIDGED + 1)
    first, begun = nearest_known(number, edge, reach)
    after = shifted(edge, -1) & (row < anglez.shape[1] - 1)
    stop, ends = nearest_known(number, after, reach, before=False)
    # A stretch that lasts until the end of the recording ends with its last measured row.
    stop = jnp.where(ends, stop, number.max(axis=1, keepdims=True))
    return measured & begun & (stop - first + 1 >= rest.NOT_WORN)


def rest_of(x: Rows, period: int) -> Rows:
    """X modulo the period, from 0: the converter to ONNX has no remainder of symbolic length."""
    left = x - jax.lax.div(x, jnp.full_like(x, period)) * period
    return jnp.where(left < 0, left + period, left)


def phase(clock: Rows, period: int) -> Rows:
    """Radians through a period of the local clock."""
    seconds = rest_of(rest_of(clock, period) + EPOCH % period, period)
    return seconds.astype(jnp.float32) * jnp.float32(2 * math.pi / period)


def repeat(signals: Signals) -> Rows:
    """Share of the hour around a step in which the signal repeats an earlier day exactly."""
    step = jnp.arange(signals.valid.shape[1])[None]

    def same(lag: int) -> Rows:
        equal = [x == shifted(x, lag) for x in (signals.anglez, signals.enmo)]
        return equal[0] & equal[1] & (step >= lag)

    copied = signals.valid & False
    for lag in REPEAT_LAGS:
        copied = copied | same(lag)
    # polars centres a window of even length so that its second half begins at the step itself.
    before, after = STEPS_PER_HOUR // 2, STEPS_PER_HOUR // 2 - 1
    total = jnp.cumsum((copied & signals.valid).astype(jnp.int32), axis=1)
    first = jnp.maximum(step - before, 0)
    size = jnp.minimum(step + after, signals.valid.shape[1] - 1) - first + 1
    left = jnp.where(first > 0, shifted(total, before + 1), 0)
    return (shifted(total, -after) - left).astype(jnp.float32) / size.astype(jnp.float32)


def zscored(name: str, x: Rows) -> Rows:
    """As `data.features` does."""
    return (x - NORMALISERS[name]["mean"]) / NORMALISERS[name]["std"]


# ---- relative to the recording: NaN stands for "not measured" or "not known"


def around(x: Rows, steps: int) -> Any:
    """The ``steps`` (odd) values centred on each step, [B,T,steps]; NaN outside the recording."""
    size, half = x.shape[1], steps // 2
    index = jnp.arange(size)[:, None] + jnp.arange(-half, half + 1)[None]
    near = taken(x, index, axis=1)
    return jnp.where(((index >= 0) & (index < size))[None], near, jnp.nan)


MINUTE, FIVE_MINUTES = STEPS_PER_MINUTE + 1, 5 * STEPS_PER_MINUTE + 1


def mean_around(x: Rows, steps: int) -> Rows:
    """Mean of the values that are not NaN."""
    near = around(x, steps)
    known = ~jnp.isnan(near)
    return jnp.where(known, near, 0.0).sum(axis=-1) / known.sum(axis=-1).astype(jnp.float32)


def median(near: Any) -> Rows:
    """Median of the values along the last axis that are not NaN; NaN without any."""
    known = (~jnp.isnan(near)).sum(axis=-1, keepdims=True)
    ordered = jnp.sort(jnp.where(jnp.isnan(near), jnp.inf, near), axis=-1)
    at = lambda index: jnp.take_along_axis(ordered, jnp.maximum(index, 0), axis=-1)
    middle = (at((known - 1) >> 1) + at(known >> 1)) / 2
    return jnp.where(known > 0, middle, jnp.nan)[..., 0]


def quantile(x: Rows, share: float) -> Rows:
    """Quantile of the values of each recording that are not NaN, linear, [B,1]; none below 0.

    Found bit by bit, as no sorting of a symbolic length has an ONNX: numbers of at least 0 are
    ordered as their bits are.
    """
    known = ~jnp.isnan(x)
    bits = jax.lax.bitcast_convert_type(jnp.where(known, x, 0.0), jnp.int32)
    count = known.sum(axis=1, keepdims=True, dtype=jnp.int32)
    place = jnp.maximum(count - 1, 0).astype(jnp.float32) * share
    low = jnp.floor(place).astype(jnp.int32)
    high = jnp.minimum(low + 1, jnp.maximum(count - 1, 0))

    def ordered(index: Rows) -> Rows:
        found = jnp.zeros_like(index)
        for bit in reversed(range(31)):
            below = (known & (bits < found + 2**bit)).sum(axis=1, keepdims=True, dtype=jnp.int32)
            found = jnp.where(below <= index, found + 2**bit, found)
        return jax.lax.bitcast_convert_type(found, jnp.float32)

    first = ordered(low)
    value = first + (ordered(high) - first) * (place - low.astype(jnp.float32))
    return jnp.where(count > 0, value, jnp.nan)


def scaled(signals: Signals, x: Rows, centre: float, spread: float) -> Rows:
    """Roughly unit scale; 0 where not valid or not known."""
    return jnp.where(signals.valid & ~jnp.isnan(x), (x - centre) / spread, 0.0)


def measured(signals: Signals, name: str) -> Rows:
    """A signal where it is valid, NaN elsewhere."""
    return jnp.where(signals.valid, getattr(signals, name), jnp.nan)


def movement(signals: Signals, enmo: Rows) -> Rows:
    """log(1 + mg above the quiet level)."""
    quiet = jnp.minimum(quantile(measured(signals, "enmo"), 0.1), QUIET_MOST)
    return jnp.log1p(jnp.maximum(enmo - quiet, 0.0) * 1000)


def turning(signals: Signals) -> tuple[Rows, Rows]:
    """(degrees from the step before, mean of that and of the degrees to the next one)."""
    angle, step = measured(signals, "anglez"), jnp.arange(signals.valid.shape[1])[None]
    change = jnp.where(step > 0, jnp.abs(angle - shifted(angle, 1)), jnp.nan)
    after = jnp.where(step < signals.valid.shape[1] - 1, shifted(change, -1), jnp.nan)
    both = (change + after) / 2
    return change, jnp.where(jnp.isnan(change), after, jnp.where(jnp.isnan(after), change, both))


def log_degrees(signals: Signals, turned: Rows) -> Rows:
    """log(degrees), cut below where the recording's own resolution ends."""
    change, _ = turning(signals)
    smallest = quantile(jnp.where(change > 0, change, jnp.nan), 0.1)
    floor = jnp.clip(jnp.where(jnp.isnan(smallest), 0.0, smallest), ANGLE_NOISE, ANGLE_FLICKER)
    # polars takes the greatest of those that are known.
    return jnp.log(jnp.maximum(jnp.where(jnp.isnan(turned), floor, turned), floor))


def turn_range(signals: Signals) -> Rows:
    """log(1 + degrees between the extreme one-minute means within five minutes)."""
    near = around(mean_around(measured(signals, "anglez"), MINUTE), FIVE_MINUTES)
    known = ~jnp.isnan(near)
    high = jnp.where(known, near, -jnp.inf).max(axis=-1)
    low = jnp.where(known, near, jnp.inf).min(axis=-1)
    return jnp.where(known.any(axis=-1), jnp.log1p(high - low), jnp.nan)


def share_gone(signals: Signals) -> Rows:
    """Share of the recording gone by."""
    size = signals.valid.shape[1]
    share = jnp.arange(size, dtype=jnp.float32) / jnp.asarray(size, jnp.float32)
    return jnp.where(signals.valid, share[None], share[None])  # of each recording


_HOUR, _DAY, _YEAR = 3600, 24 * 3600, 31_556_952

FEATURES: dict[str, Callable[[Signals], jax.Array]] = {
    "anglez": lambda s: zscored("anglez", s.anglez),
    "enmo": lambda s: zscored("enmo", jnp.minimum(s.enmo, ENMO_CLIP)),
    "anglez_sin": lambda s: jnp.sin(s.anglez * (math.pi / 180)),
    "anglez_cos": lambda s: jnp.cos(s.anglez * (math.pi / 180)),
    "hour_sin": lambda s: jnp.sin(phase(s.clock, _DAY)),
    "hour_cos": lambda s: jnp.cos(phase(s.clock, _DAY)),
    "minute_sin": lambda s: jnp.sin(phase(s.clock, _HOUR)),
    "minute_cos": lambda s: jnp.cos(phase(s.clock, _HOUR)),
    "month_sin": lambda s: jnp.sin(phase(s.clock, _YEAR)),
    "month_cos": lambda s: jnp.cos(phase(s.clock, _YEAR)),
    "repeat": repeat,
    "step": share_gone,
    "movement": lambda s: scaled(s, movement(s, measured(s, "enmo")), 2.3, 1.7),
    "movement_5min": lambda s: scaled(
        s, movement(s, mean_around(measured(s, "enmo"), FIVE_MINUTES)), 2.7, 1.6
    ),
    "turn": lambda s: scaled(s, log_degrees(s, turning(s)[1]), -0.7, 2.4),
    "turn_5min": lambda s: scaled(
        s, log_degrees(s, median(around(turning(s)[1], FIVE_MINUTES))), -0.7, 2.4
    ),
    "turn_range": lambda s: scaled(s, turn_range(s), 2.8, 1.4),
    "anglez_abs": lambda s: scaled(s, jnp.abs(measured(s, "anglez")), 27.0, 21.0),
}
"""The features of `data.features`, by the same names."""


def stacked(signals: Signals, names: tuple[str, ...]) -> jax.Array:
    """Features [B,T,F]."""
    # Not stack, which the converter to ONNX does not know.
    return jnp.concatenate([FEATURES[name](signals)[..., None] for name in names], axis=-1)
