"""Search for settings of the post-processing, and an honest score of the search.

The search is nested. Series are dealt into folds; for each fold settings are chosen on the other
series and scored on the fold, which the choice has not seen. What is handed out in the end is
chosen on all series in the same way; its own score there would be too good, so the score reported
is that of the procedure, from the folds.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from sleepjax import metrics
from sleepjax.metrics.bootstrap import difference
from sleepjax.runs.validation import Curves
from sleepjax.types import InputError

SPACE: dict[str, tuple] = {
    "height": (0.0003, 0.001, 0.003, 0.01),
    "distance": (24, 50, 100, 180, 360, 720),
    "soft": (0.0, 0.03, 0.1, 0.3),
    "snap": (False, True),
    "daily": (None, 0.1, 0.2, 0.4, 0.8, 1.6),
    "prune": (False, True),
    "pair": (False, True),
}
"""Values tried for each setting of `postprocess.decode_series`."""

Post = dict[str, Any]


@dataclass(frozen=True)
class Fold:
    """Settings chosen without the series they are scored on."""

    series: tuple[str, ...]
    """Held out."""
    post: Post
    inner: float
    """Score on the series they were chosen on."""
    outer: float
    """Score on the series held out."""
    own: float
    """Score of the settings to beat on the series held out."""


@dataclass(frozen=True)
class Tuned:
    """Result of `tune`."""

    post: Post
    """Chosen on all series."""
    folds: tuple[Fold, ...]
    score: metrics.Bootstrap
    """Of settings chosen without the series, mean over folds weighted by their events."""
    own: metrics.Bootstrap
    """Of the settings to beat, in the same way."""
    difference: metrics.PairedBootstrap


def tune(
    curves: Sequence[Curves],
    solution: pl.DataFrame,
    own: Post,
    *,
    trials: int,
    n_folds: int = 4,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> Tuned:
    """Choose settings among `SPACE`, starting from ``own``.

    Args:
      curves: probabilities of labelled series, whose true events are ``solution``.
      own: settings to beat, arguments of `postprocess.decode_series`.
      trials: settings tried for each choice, ``own`` among them.
      n_folds: parts that the series are dealt into; fewer where there are fewer series.
      seed: of the deal, the search and the bootstrap.
      advance: called after each of the (n_folds + 1) * trials tries.

    Raises InputError for fewer than two series with events or fewer than one trial.
    """
    if trials < 1:
        raise InputError(f"trials={trials}; it must be at least 1.")
    steps = pl.col("step").is_not_null()
    series = solution.filter(steps)["series_id"].unique(maintain_order=True).to_list()
    if len(series) < 2:
        raise InputError(
            f"{len(series)} validation series have events; tuning needs at least two, so that "
            "one can be held out. Train with fewer folds (data.folds) or more series."
        )
    # The same settings are decoded once.
    decoded = cache(lambda items: pl.concat([one.events(dict(items)) for one in curves]))
    decode = lambda post: decoded(tuple(sorted(post.items())))
    choose = partial(_choose, decode, solution, own, trials, seed, advance)
    order = np.random.default_rng(seed).permutation(len(series))
    parts = [[series[i] for i in order[k::n_folds]] for k in range(min(n_folds, len(series)))]
    folds, draws, weights = [], [], []
    for number, part in enumerate(parts):
        post, inner = choose([name for name in series if name not in part])
        truth = solution.filter(pl.col("series_id").is_in(part))
        score, beat = (
            metrics.bootstrap(truth, decode(each), seed=seed + number) for each in (post, own)
        )
        folds.append(Fold(tuple(part), post, inner, score.ap, beat.ap))
        draws.append((score, beat))
        weights.append(len(truth.filter(steps)))
    mean = lambda values: np.average(values, axis=0, weights=weights)
    score, beat = (
        metrics.Bootstrap(float(mean([b.ap for b in each])), mean([b.samples for b in each]), {})
        for each in zip(*draws, strict=True)
    )
    # Both were scored on the same draws, so that their differences are paired.
    gain = difference(beat, score)
    return Tuned(choose(series)[0], tuple(folds), score, beat, gain)


def _choose(
    decode: Callable[[Post], pl.DataFrame],
    solution: pl.DataFrame,
    own: Post,
    trials: int,
    seed: int,
    advance: Callable[[], None],
    names: Sequence[str],
) -> tuple[Post, float]:
    """The settings that score best on some series, and their score there.

    After ``own`` one setting is varied at a time, in random order, until no value improves; then
    come points of `SPACE` at random.
    """
    truth = solution.filter(pl.col("series_id").is_in(names))
    best, best_score = own, -math.inf

    def points() -> Iterator[Post]:
        yield own
        rng, before = np.random.default_rng(seed), None
        while best != before:
            before = best
            for name in rng.permutation(list(SPACE)).tolist():
                base = best
                yield from (base | {name: v} for v in SPACE[name] if base | {name: v} != base)
        sizes = [len(values) for values in SPACE.values()]
        for number in rng.permutation(math.prod(sizes)):
            at = zip(SPACE.items(), np.unravel_index(number, sizes), strict=True)
            yield own | {name: values[i] for (name, values), i in at}

    for post in islice(points(), trials):
        value = metrics.event_detection_ap(truth, decode(post))
        advance()
        if value > best_score:
            best, best_score = post, value
    return best, best_score
