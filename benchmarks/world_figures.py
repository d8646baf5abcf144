r"""Figures of the simulated world beside those that are published; docs/simulation.md.

python benchmarks/world_figures.py --series 900 --seed 11 [--population calm_world]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from sleepjax.baselines.angle import hdcza, sustained_inactivity, van_hees_2015
from sleepjax.simulation import SimulatedSeries, simulate_series
from sleepjax.simulation.truth import TimeInBed, times_in_bed
from sleepjax.types import STEPS_PER_MINUTE, SeriesMeta

PUBLISHED = {
    # 21 nights of 20 patients with polysomnography, Borazio 2014, by this project's rules
    "hdcza: onset against persistent sleep, median absolute error, min": 19.3,
    "hdcza: wakeup, median absolute error, min": 17.5,
    "vanhees2015: onset against persistent sleep, median absolute error, min": 19.8,
    "vanhees2015: wakeup, median absolute error, min": 9.7,
    "share of nights whose first sleep and persistent sleep are > 30 min apart": 0.10,
    "stillness to sleep, median, min (10 to 30)": 20.0,
    # actigraphy against sleep in bed, 21 patients: Wang 2008, J Clin Sleep Med 4(5):450; here by
    # stillness of the angle (van Hees 2015)
    "share of sleep that is still": 0.946,
    "share of lying awake that is not": 0.406,
    "kappa of stillness and sleep": 0.38,
    # Boulos 2019, doi:10.1016/S2213-2600(19)30057-8; 35 years lie between the two kinds
    "sleep in bed, old minus adult, min": -35.0,
    "awake after sleep began, old minus adult, min": 34.0,
    "latency, old minus adult, min": 4.0,
}


def nights(series: int, seed: int, population: str) -> Iterator[tuple[SimulatedSeries, TimeInBed]]:
    """Nights in a laboratory in which the watch was worn throughout."""
    for index in range(series):
        one = simulate_series(seed, index, 1, population)
        if one.facts["recording"] != "laboratory" or not one.steps.worn.all():
            continue
        beds = [bed for bed in times_in_bed(one.steps) if bed.whole and bed.persistent]
        if beds:
            yield one, max(beds, key=lambda bed: bed.last_sleep - bed.first_sleep)


def rule_errors(rule: Callable, one: SimulatedSeries, bed: TimeInBed) -> tuple[float, float]:
    """Minutes by which a rule's longest window begins and ends too late; nan without one."""
    n, clock = one.clock.n_steps, one.clock
    meta = SeriesMeta(one.series_id, n, 0, clock.start, clock.offsets, {})
    found = rule(np.nan_to_num(one.anglez), meta)
    if len(found) == 0:
        return np.nan, np.nan
    start, end = found[np.argmax(found[:, 1] - found[:, 0])]
    assert bed.persistent is not None
    return (start - bed.persistent[0]) / STEPS_PER_MINUTE, (
        end - bed.persistent[1]
    ) / STEPS_PER_MINUTE


def stillness(one: SimulatedSeries, bed: TimeInBed) -> np.ndarray:
    """Steps in bed, int [4]: still and asleep, still only, asleep only, neither."""
    still = np.zeros(one.clock.n_steps, dtype=bool)
    for start, end in sustained_inactivity(one.anglez):
        still[start:end] = True
    still = still[bed.bed : bed.rise]
    asleep = one.steps.asleep[bed.bed : bed.rise]
    pairs = (still & asleep, still & ~asleep, ~still & asleep, ~still & ~asleep)
    return np.array([int(pair.sum()) for pair in pairs])


def kappa(both: float, still: float, asleep: float, none: float) -> float:
    """Cohen's kappa of four counts."""
    n = both + still + asleep + none
    chance = ((both + still) * (both + asleep) + (none + asleep) * (none + still)) / n**2
    return ((both + none) / n - chance) / (1 - chance)


def measure(series: int, seed: int, population: str) -> dict[str, float]:
    rows, kinds, counts = [], [], np.zeros(4)
    for one, bed in nights(series, seed, population):
        asleep = one.steps.asleep[bed.first_sleep : bed.last_sleep].sum()
        awake = bed.last_sleep - bed.first_sleep - asleep
        assert bed.persistent is not None
        delay = bed.persistent[0] - bed.first_sleep
        lengths = np.array([asleep, awake, bed.first_sleep - bed.bed, delay]) / STEPS_PER_MINUTE
        errors = [rule_errors(rule, one, bed) for rule in (hdcza, van_hees_2015)]
        rows.append([*lengths, *np.ravel(errors)])
        kinds.append(one.facts["person"])
        counts += stillness(one, bed)
    table, kinds = np.array(rows), np.array(kinds)
    middle = np.nanmedian(np.abs(table[:, 4:]), axis=0)
    old, adult = table[kinds == "old", :3].mean(axis=0), table[kinds == "adult", :3].mean(axis=0)
    both, still, asleep, none = counts
    in_bed = [both / (both + asleep), none / (none + still), kappa(*counts)]
    values = [*middle, np.mean(table[:, 3] > 30), np.median(table[:, 2]), *in_bed, *(old - adult)]
    return dict(zip(PUBLISHED, map(float, values), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=900, help="half sleep in a laboratory")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--population", choices=("world", "calm_world"), default="world")
    args = parser.parse_args()
    figures = measure(args.series, args.seed, args.population)
    print("| figure | published | simulated |\n|---|---|---|")
    for name, published in PUBLISHED.items():
        print(f"| {name} | {published:g} | {figures[name]:.3g} |")


if __name__ == "__main__":
    main()
