"""The features a model can see: one polars expression each, float32, from a validated recording.

Clock features follow the local wall clock of the recording (its own UTC offsets, DST included) and
are continuous in time. Samples that are not valid hold the mean of their signal, so that their
z-scored value is exactly 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sleepjax import custom
from sleepjax.config import check_known
from sleepjax.data.recording import Recording
from sleepjax.io import file_hash, text_hash
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, STEPS_PER_MINUTE, InputError

NORMALISERS = {
    "anglez": {"mean": -8.810476, "std": 35.521877},
    "enmo": {"mean": 0.041315, "std": 0.101829},
}
"""Mean and standard deviation of the 127,946,340 training rows of the competition (degrees, g)."""

ENMO_CLIP = 1.0
"""g; a 5-s mean above it is brief and says nothing more about sleep, yet would reach z = 112."""

_HOUR = 3600
_DAY = 24 * _HOUR
_YEAR = 31_556_952
"""Seconds of the mean Gregorian year: the season is within a day of the calendar's."""


def _zscore(name: str, value: pl.Expr) -> pl.Expr:
    return ((value - NORMALISERS[name]["mean"]) / NORMALISERS[name]["std"]).cast(pl.Float32)


def _phase(period: int) -> pl.Expr:
    """Radians through a period of the local clock, such as a day; 0 at its beginning."""
    seconds = pl.col("clock").dt.epoch("s") % period
    return (seconds * (2 * math.pi / period)).cast(pl.Float32)


REPEAT_LAGS = tuple(k * STEPS_PER_DAY for k in range(1, 8))
"""Steps back at which a copy may have its source: the same clock time of the last seven days."""


def _repeat() -> pl.Expr:
    """Share of the hour around a step in which the signal repeats an earlier day exactly.

    Stretches in which the watch was not worn are filled with copies of other days in the
    competition's data; measured signals never repeat for long.
    """

    def same(lag: int) -> pl.Expr:
        equal = [pl.col(name) == pl.col(name).shift(lag) for name in ("anglez", "enmo")]
        return equal[0] & equal[1]

    anywhere = pl.any_horizontal(same(lag) for lag in REPEAT_LAGS).fill_null(False)
    hour = {"window_size": STEPS_PER_HOUR, "min_samples": 1, "center": True}
    return (anywhere & pl.col("valid")).cast(pl.Float32).rolling_mean(**hour)


QUIET_MOST = 0.015
"""g; no watch's noise floor is higher, so a recording that is never quiet loses no more than it."""

ANGLE_NOISE, ANGLE_FLICKER = 0.03, 2.5
"""Degrees from step to step at rest: of a fine watch, and the most of a coarse one."""

_MINUTE = {"window_size": STEPS_PER_MINUTE + 1, "min_samples": 1, "center": True}
_FIVE_MINUTES = {"window_size": 5 * STEPS_PER_MINUTE + 1, "min_samples": 1, "center": True}


def _measured(name: str) -> pl.Expr:
    """The signal where it is valid, null elsewhere; rolling functions then leave it out."""
    return pl.when("valid").then(pl.col(name).cast(pl.Float64))


def _within(window: dict, name: str) -> pl.Expr:
    """Mean of the valid samples of a signal in a window centred on each step."""
    return _measured(name).rolling_mean(**window)


def _scaled(value: pl.Expr, centre: float, spread: float) -> pl.Expr:
    """Roughly unit scale on the competition's kind of recording; 0 where not valid or not known."""
    return pl.when("valid").then((value - centre) / spread).fill_null(0.0).cast(pl.Float32)


def _movement(enmo: pl.Expr) -> pl.Expr:
    """log(1 + mg above the recording's own quiet level: its 10 % quantile, at most QUIET_MOST)."""
    quiet = _measured("enmo").quantile(0.1, "linear").clip(upper_bound=QUIET_MOST)
    return ((enmo - quiet).clip(lower_bound=0.0) * 1000 + 1).log()


def _turning() -> pl.Expr:
    """Degrees by which the angle changes from step to step: the mean of before and after."""
    change = _measured("anglez").diff().abs()
    return pl.mean_horizontal(change, change.shift(-1))


def _log_degrees(turning: pl.Expr) -> pl.Expr:
    """log(degrees), cut below where the recording's own resolution ends.

    That is the 10 % quantile of its changes other than 0: where a coarse sensor shows no change at
    all, a fine one would show any value up to it.
    """
    change = _measured("anglez").diff().abs()
    smallest = change.filter(change > 0).quantile(0.1, "linear").fill_null(0.0)
    floor = smallest.clip(ANGLE_NOISE, ANGLE_FLICKER)
    return pl.max_horizontal(turning, floor).log()


def _range() -> pl.Expr:
    """log(1 + degrees from the lowest to the highest one-minute mean angle within five minutes)."""
    angle = _within(_MINUTE, "anglez")
    span = angle.rolling_max(**_FIVE_MINUTES) - angle.rolling_min(**_FIVE_MINUTES)
    return (span + 1).log()


FEATURES: dict[str, pl.Expr] = {
    "anglez": _zscore("anglez", pl.col("anglez")),
    "enmo": _zscore("enmo", pl.col("enmo").clip(upper_bound=ENMO_CLIP)),
    "anglez_sin": pl.col("anglez").radians().sin(),
    "anglez_cos": pl.col("anglez").radians().cos(),
    "hour_sin": _phase(_DAY).sin(),
    "hour_cos": _phase(_DAY).cos(),
    "minute_sin": _phase(_HOUR).sin(),
    "minute_cos": _phase(_HOUR).cos(),
    "month_sin": _phase(_YEAR).sin(),
    "month_cos": _phase(_YEAR).cos(),
    "repeat": _repeat(),
    "step": (pl.int_range(pl.len()) / pl.len()).cast(pl.Float32),
    "movement": _scaled(_movement(_measured("enmo")), 2.3, 1.7),
    "movement_5min": _scaled(_movement(_within(_FIVE_MINUTES, "enmo")), 2.7, 1.6),
    "turn": _scaled(_log_degrees(_turning()), -0.7, 2.4),
    "turn_5min": _scaled(_log_degrees(_turning().rolling_median(**_FIVE_MINUTES)), -0.7, 2.4),
    "turn_range": _scaled(_range(), 2.8, 1.4),
    "anglez_abs": _scaled(_measured("anglez").abs(), 27.0, 21.0),
}
"""Name -> expression over ``Recording.frame``. ``step`` is the share of the recording gone by.

From ``movement`` on they are made to look alike on every watch: of a recording's own quiet level
and resolution, both taken over all of it, and the same with time reversed. A recording of one hour
has the levels of that hour.
"""

REACH: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("anglez", "enmo", "anglez_sin", "anglez_cos", "anglez_abs"), (0, 0)),
    **dict.fromkeys(("hour_sin", "hour_cos", "minute_sin", "minute_cos"), (0, 0)),
    **dict.fromkeys(("month_sin", "month_cos"), (0, 0)),
    "repeat": (REPEAT_LAGS[-1] + STEPS_PER_HOUR // 2, STEPS_PER_HOUR // 2 - 1),
}
"""Steps before and after its own that a feature looks at; the others look at the whole recording.

``repeat`` is the mean of an hour, of which the second half begins at the step itself.
"""

DEFAULT_FEATURES = tuple(FEATURES)
"""All that the package has; a config picks what the model sees."""

PREPARED = ("repeat",)
"""What prepare stores, 4 bytes a step beside 9 of signals. What looks at a single step is made of
those (`sleepjax.data.derived`), the rest is computed when a config first names it."""


REVERSALS = ("same", "negated", "forbidden")


@dataclass(frozen=True)
class Feature:
    """A user-defined feature, named ``path/to/my_parts.py:name`` in ``data.features``."""

    value: pl.Expr
    """Over the columns anglez (degrees), enmo (g), clock (local, datetime) and valid (bool) of all
    steps of a recording; a finite number at each step, about 0 with a spread of about 1."""
    reversal: str = "forbidden"
    """What ``augment.reverse`` does to it: ``same``, the values only change their order, which is
    right for what looks as far ahead as back; ``negated``, they change their sign, too, as a
    difference over time does; ``forbidden``, it must not be used with ``augment.reverse``."""

    def __post_init__(self) -> None:
        if not isinstance(self.value, pl.Expr):
            raise InputError(f"a feature's value is a {type(self.value).__name__}, not a pl.Expr.")
        if self.reversal not in REVERSALS:
            raise InputError(
                f"a feature's reversal={self.reversal!r} must be one of {', '.join(REVERSALS)}."
            )


def user_defined(name: str) -> Feature:
    """The feature of ``my_parts.py:name``; raises InputError where it is none."""
    is_feature = lambda value: isinstance(value, Feature)
    return custom.load(name, "data.features", is_feature, "sleepjax.data.features.Feature")


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names as a tuple; InputError for an unknown, repeated or missing one."""
    for name in names:
        if custom.is_custom(name):
            user_defined(name)
            continue
        check_known(f"feature {name!r}", name, FEATURES, custom.OR_A_FILE)
        if name not in DEFAULT_FEATURES:
            raise InputError(
                f"feature {name!r} was added to the package's table from outside, and nothing "
                "would add it when the run is loaded to predict. Write it into a file and name it "
                "as path/to/my_parts.py:name."
            )
    if not names or len(set(names)) != len(names):
        raise InputError(f"features {tuple(names)} must name at least one, and each only once.")
    return tuple(names)


def frame(recording: Recording, names: Sequence[str]) -> pl.DataFrame:
    """Features of one recording as float32 columns of T rows, in the order of the names.

    Raises InputError where a user-defined one has other rows or values that are no finite numbers.
    """
    own = [name for name in check_names(names) if not custom.is_custom(name)]
    made = recording.frame.select(FEATURES[name].alias(name) for name in own)
    others = [_user_column(recording, name) for name in names if name not in own]
    return pl.concat([made, *others], how="horizontal").select(names)


def _user_column(recording: Recording, name: str) -> pl.DataFrame:
    """A user-defined feature of one recording, checked."""
    with custom.calling("data.features", name):
        column = recording.frame.select(user_defined(name).value.cast(pl.Float32).alias(name))
    if column.height != recording.meta.n_steps:
        raise InputError(
            f"feature {name!r} has {column.height} values for the {recording.meta.n_steps} steps "
            f"of series {recording.meta.series_id!r}; it must have one for each step."
        )
    odd = int((~column[name].is_finite()).fill_null(True).sum())
    if odd:
        raise InputError(
            f"feature {name!r} is not a finite number at {odd} of {column.height} steps of series "
            f"{recording.meta.series_id!r}; give them a value, such as with .fill_nan(0.0) and "
            ".fill_null(0.0)."
        )
    return column


def compute(recording: Recording, names: Sequence[str]) -> np.ndarray:
    """Features of one recording, float32 [T,F]; bit for bit what prepare stores."""
    columns = frame(recording, names)
    return np.stack([columns[name].to_numpy() for name in names], axis=-1)


def definitions(names: Sequence[str]) -> dict[str, str]:
    """Hash of each feature's definition: it changes with the expression and every constant in it.

    That of a user-defined feature changes with its file, and stands under its name without folders.

    Raises InputError for an unknown name. The text that is hashed is that of polars, so a hash of
    another version of polars may differ where nothing else does.
    """
    # str(expression) would leave out options such as the window of a rolling mean.
    text = lambda name: (
        f"{file_hash(custom.file_of(name))} {name.rpartition(':')[2]}"
        if custom.is_custom(name)
        else FEATURES[name].meta.serialize(format="json")
    )
    return {custom.short(name): text_hash(text(name))[:16] for name in check_names(names)}
