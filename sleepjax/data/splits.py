"""Seeded, grouped and stratified K-folds over whole series."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sleepjax.types import InputError


def kfold(
    nights: Mapping[str, int],
    folds: int,
    seed: int,
    groups: Mapping[str, str] | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Series ids of each validation fold.

    Series of one group (same participant, or same content) always share a fold, and every fold
    gets its share of series with many, few and no labelled nights.

    Args:
      nights: number of labelled nights of each series; the strata.
      folds: K.
      seed: decides the order within a stratum.
      groups: series id -> group; by default each series is its own.

    Raises InputError when there are fewer groups than folds.
    """
    groups = groups or {series: series for series in nights}
    members: dict[str, list[str]] = {}
    for series in sorted(nights):
        members.setdefault(groups[series], []).append(series)
    if len(members) < 2:
        raise InputError(
            f"the data holds {len(members)} series; training needs at least 2 different ones, "
            "since validation uses series that training has not seen."
        )
    if not 2 <= folds <= len(members):
        raise InputError(
            f"data.folds={folds} needs at least 2 folds and at least as many different series; the "
            f"data holds {len(members)}. Set data.folds={min(max(folds, 2), len(members))}."
        )
    order = np.random.default_rng(seed).permutation(len(members))
    names = [sorted(members)[i] for i in order]
    # Groups sorted by labelled nights are dealt out like cards: neighbours go to different folds.
    names.sort(key=lambda name: -sum(nights[s] for s in members[name]))
    hands = [names[k::folds] for k in range(folds)]
    return tuple(tuple(sorted(s for name in hand for s in members[name])) for hand in hands)
