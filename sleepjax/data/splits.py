"""Seeded, grouped and stratified K-folds over whole series."""

import math
from collections.abc import Mapping
from itertools import groupby

from sleepjax.io import text_hash
from sleepjax.types import InputError


def kfold(
    nights: Mapping[str, int], folds: int, seed: int, groups: Mapping[str, str] | None = None
) -> tuple[tuple[str, ...], ...]:
    """Series ids of each validation fold.

    Series of one group (same participant, or same content) always share a fold, and every fold
    gets its share of series with many, few and no labelled nights. Which fold a series goes to is
    decided by a hash of its id: what a recording contains moves no other, and a series that is
    added or removed moves few.

    Args:
      nights: number of labelled nights of each series; the strata.
      groups: series id -> group; by default each series is its own. Names of groups do not matter.

    Raises InputError when there are fewer groups than folds.
    """
    groups = groups or {series: series for series in nights}
    gathered: dict[str, list[str]] = {}
    for series in sorted(nights):
        gathered.setdefault(groups[series], []).append(series)
    members = {ids[0]: ids for ids in gathered.values()}
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
    stratum = {name: _stratum(sum(nights[s] for s in ids)) for name, ids in members.items()}
    order = sorted(members, key=lambda name: (-stratum[name], _draw(seed, name)))
    hands: list[list[str]] = [[] for _ in range(folds)]
    dealt = 0
    for _, part in groupby(order, key=lambda name: stratum[name]):
        names = list(part)
        # Room for the stratum as cards are dealt: the next one begins where this one ends.
        room = [0] * folds
        for i in range(len(names)):
            room[(dealt + i) % folds] += 1
        dealt += len(names)
        for name in names:
            free = [k for k in range(folds) if room[k]]
            fold = min(free, key=lambda k: _draw(seed, name, k))
            room[fold] -= 1
            hands[fold] += members[name]
    return tuple(tuple(sorted(hand)) for hand in hands)


def _stratum(nights: int) -> int:
    """0, 1, 2, ... for 0, 1, 2 labelled nights and so on; about half as many again in each."""
    return round(2 * math.log2(nights + 1))


def _draw(*words: object) -> str:
    """A number at random that the words decide."""
    return text_hash(repr(words))
