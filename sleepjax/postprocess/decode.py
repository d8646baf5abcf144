"""Decoding of probabilities per step to events: a composition of the steps in `candidates`."""

import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from sleepjax import custom
from sleepjax.config import check_known, shown
from sleepjax.local_time import local_seconds, timestamps
from sleepjax.postprocess import candidates, unmeasured
from sleepjax.postprocess.candidates import Pair
from sleepjax.postprocess.peaks import check
from sleepjax.postprocess.submission import SCHEMA as SUBMITTED
from sleepjax.types import CLASSES, EVENTS, STEPS_PER_DAY, WORN, InputError, SeriesMeta

WORN_FROM = 0.5
"""Probability of worn from which the watch counts as worn."""

SCHEMA = {**SUBMITTED, "beside_unmeasured": pl.Boolean}

NUMBER, SWITCH, OPTIONAL = "a number", "true or false", "a number or null"
NAMES = "a list of names like path/to/my_parts.py:name"
KINDS = {
    "height": NUMBER,
    "distance": NUMBER,
    "soft": NUMBER,
    "snap": SWITCH,
    "daily": OPTIONAL,
    "day_cut_hour": NUMBER,
    "prune": SWITCH,
    "pair": SWITCH,
    "more": NAMES,
}
"""Settings of `decode_series`, as in a config or a file of scripts/tune_postprocess.py."""


def decode_series(
    probs: Float[np.ndarray, "T K"],
    meta: SeriesMeta,
    *,
    valid: Bool[np.ndarray, " T"] | None = None,
    height: float = 0.001,
    distance: float = 100,
    soft: float = 0.0,
    snap: bool = False,
    daily: float | None = None,
    day_cut_hour: float = 17.0,
    prune: bool = False,
    pair: bool = False,
    onset_before: bool = False,
    rows_after: bool = False,
    more: Sequence[str] = (),
) -> pl.DataFrame:
    """Events of one series with a score each, by step.

    Args:
      probs: of asleep, onset and wakeup at each row of the recording; where there is a fourth,
        worn, no event is reported where that is below `WORN_FROM`.
      meta: of the recording: name, first step, clock.
      valid: rows with data; no event is reported at others.
      height: lowest probability that makes a candidate.
      distance: steps that a candidate keeps free of lower ones.
      soft: factor at which those stay as further guesses; 0 drops them.
      snap: move candidates to seconds :15 and :45, `candidates.snap_off_minute`.
      daily: constant of `candidates.normalise_daily` (0.4 is usual); None leaves scores alone.
      day_cut_hour: local hour at which a day begins for ``daily``.
      prune: drop events that cannot have a partner, `candidates.prune_impossible`.
      pair: keep only events paired into sleep periods, `candidates.pair`.
      onset_before, rows_after: whether the recording had an onset before these rows, has more rows.
      more: user-defined steps, ``my_parts.py:name`` (`_user_defined`).

    Returns:
      Frame with series_id, step, event, score, and beside_unmeasured: whether minutes around the
      event were not measured; it then needs sleep on its measured side (`unmeasured`).

    Raises InputError for probs of another shape or NaN, and a parameter out of range.
    """
    probs = check_probabilities(probs, meta, valid)
    check_settings(height, distance, soft, daily)
    free = _free(probs, valid)
    onset, wakeup = _candidates(probs, free, height=height, distance=distance, soft=soft)
    if daily is not None:
        normalise = partial(candidates.normalise_daily, cut_hour=day_cut_hour, constant=daily)
        onset, wakeup = (normalise(c, local_seconds(meta, c.position)) for c in (onset, wakeup))
    if prune:
        onset, wakeup = candidates.prune_impossible(
            onset, wakeup, onset_before=onset_before, rows_after=rows_after
        )
    if pair:
        onset, wakeup = candidates.pair(onset, wakeup)
    for name in more:
        onset, wakeup = _user_defined(name, (onset, wakeup), meta)
    if snap:
        row = candidates.minute_row(meta)
        onset, wakeup = (candidates.snap_off_minute(c, row, free) for c in (onset, wakeup))
    return _frame(meta, (onset, wakeup), free)


def _free(
    probs: Float[np.ndarray, "T K"], valid: Bool[np.ndarray, " T"] | None
) -> Bool[np.ndarray, " T"]:
    """Rows at which an event may be reported: measured, and with the watch worn."""
    free = np.ones(len(probs), bool) if valid is None else np.asarray(valid, bool)
    return free if probs.shape[1] == len(CLASSES) else free & (probs[:, len(CLASSES)] >= WORN_FROM)


def _candidates(
    probs: Float[np.ndarray, "T K"],
    free: Bool[np.ndarray, " T"],
    *,
    height: float,
    distance: float,
    soft: float,
) -> Pair:
    """Peaks of onset and of wakeup; beside unmeasured time only those that can be believed."""
    asleep, curves = probs[:, 0], probs.T[1 : len(CLASSES)].copy()  # [2,T]
    curves[:, ~free] = -np.inf
    found = candidates.pick(curves, height=height, distance=distance, soft=soft)
    onset, wakeup = (
        c.keep(unmeasured.believable(event, c.position, asleep, free))
        for event, c in zip(EVENTS, found, strict=True)
    )
    return onset, wakeup


def _user_defined(name: str, found: Pair, meta: SeriesMeta) -> Pair:
    """What a user-defined step makes of the candidates; raises InputError for anything else."""
    step = custom.load(name, "post.more")
    with custom.calling("post.more", name, f" on {len(found[0].score)} candidates for an onset"):
        made = tuple(step(*found, meta))
    fits = len(made) == len(found) and all(isinstance(c, candidates.Candidates) for c in made)
    if not fits:
        raise InputError(f"post.more={name!r} must return (onset, wakeup), both Candidates.")
    for event, c in zip(EVENTS, made, strict=True):
        position, score = np.asarray(c.position), np.asarray(c.score)
        ordered = position.ndim == 1 and (np.diff(position) > 0).all()
        inside = ordered and ((0 <= position) & (position < meta.n_steps)).all()
        if not (inside and score.shape == position.shape and np.isfinite(score).all()):
            raise InputError(
                f"post.more={name!r}: the positions of {event} must be ascending rows from 0 to "
                f"{meta.n_steps - 1} of series {meta.series_id!r}, each with a finite score."
            )
    return made


def _try_step(name: str) -> None:
    """Raise InputError where a user-defined step fails: on some candidates, and on none."""
    rows = np.arange(60, STEPS_PER_DAY, 720)
    some = candidates.Candidates(rows, np.linspace(0.9, 0.1, len(rows)))
    meta = SeriesMeta("made up to try it", STEPS_PER_DAY, 0, 0, ((0, 0),), {})
    for c in (some, some.keep(some.score > 1)):
        _user_defined(name, (c, c), meta)


def with_timestamps(events: pl.DataFrame, meta: SeriesMeta) -> pl.DataFrame:
    """Add ``timestamp``, the local clock with its UTC offset, like 2018-08-14T22:26:00-0400."""
    stamps = timestamps(meta, events["step"].to_numpy() - meta.first_step)
    return events.with_columns(timestamp=pl.Series(stamps, dtype=pl.String))


def check_settings(
    height: float = 0.0, distance: float = 1, soft: float = 0.0, daily: float | None = None
) -> None:
    """Raise InputError for a value out of range."""
    check(height, distance)
    if not 0 <= height <= 1:
        raise InputError(f"height={height} must lie between 0 and 1, as probabilities do.")
    if not 0 <= soft <= 1:
        raise InputError(f"soft={soft} must lie between 0 and 1.")
    if daily is not None and not 0 < daily < math.inf:
        raise InputError(f"daily={daily} must be positive and finite, or None.")


def read_settings(path: str | Path) -> dict[str, Any]:
    """The object ``post`` of a JSON file: arguments of `decode_series`.

    Names of user-defined steps are relative to the file. Raises InputError when the file cannot be
    read, or for an unknown name or an unusable value.
    """
    try:
        contents = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON file: {error}.") from None
    if not isinstance(contents, dict) or not isinstance(contents.get("post"), dict):
        raise InputError(
            f"{path} has no object 'post'; it must look like "
            '{"post": {"height": 0.001, "distance": 100}}.'
        )
    try:
        return check_post(custom.resolved_from(contents["post"], Path(path).parent))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def check_post(post: Any) -> dict[str, Any]:
    """The same settings as a dict, if `decode_series` takes them; raises InputError otherwise.

    ``post`` is a dict or a ConfigDict, which is no `Mapping`.
    """
    for name, value in post.items():
        check_known(f"setting {name!r}", name, KINDS)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        named = isinstance(value, list | tuple) and all(map(custom.is_custom, value))
        fits = {NUMBER: number, SWITCH: isinstance(value, bool), OPTIONAL: number or value is None}
        fits |= {NAMES: named}
        if not fits[KINDS[name]]:
            raise InputError(f"setting {name}={shown(value)} must be {KINDS[name]}.")
    for name in post.get("more", ()):
        _try_step(name)
    check_settings(
        **{k: v for k, v in post.items() if k in ("height", "distance", "soft", "daily")}
    )
    if not 0 <= post.get("day_cut_hour", 0) <= 24:
        raise InputError(f"day_cut_hour={post['day_cut_hour']} must lie between 0 and 24.")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in post.items()}


def check_probabilities(
    probs: np.ndarray, meta: SeriesMeta, valid: np.ndarray | None
) -> Float[np.ndarray, "T K"]:
    """The probabilities as an array; raises InputError for another shape or NaN."""
    probs = np.asarray(probs)
    if probs.shape not in ((meta.n_steps, len(CLASSES)), (meta.n_steps, len(CLASSES) + 1)):
        raise InputError(
            f"series {meta.series_id!r}: probabilities have shape {probs.shape}; "
            f"they must be [T,K] = {(meta.n_steps, len(CLASSES))} for classes {CLASSES}, with one "
            f"column more where the last is {WORN!r}."
        )
    if valid is not None and np.shape(valid) != (meta.n_steps,):
        raise InputError(
            f"series {meta.series_id!r}: valid has shape {np.shape(valid)}; "
            f"it must have one entry for each of {meta.n_steps} rows."
        )
    if np.isnan(probs.min(initial=0.0)):
        n_bad = np.count_nonzero(np.isnan(probs))
        raise InputError(
            f"series {meta.series_id!r}: {n_bad} probabilities are NaN; "
            "the model's weights (of a training, after too high an optim.lr) or the series hold "
            "values that are not finite."
        )
    return probs


def _frame(meta: SeriesMeta, found: Pair, free: Bool[np.ndarray, " T"]) -> pl.DataFrame:
    position = np.concatenate([c.position for c in found])
    order = np.argsort(position, kind="stable")  # of equal steps the onset comes first
    position = position[order]
    event = np.repeat(EVENTS, [len(c.position) for c in found])[order]
    return pl.DataFrame(
        {
            "series_id": [meta.series_id] * len(position),
            "step": position + meta.first_step,
            "event": event.tolist(),
            "score": np.concatenate([c.score for c in found])[order],
            "beside_unmeasured": unmeasured.beside(position, free),
        },
        schema=SCHEMA,
    )
