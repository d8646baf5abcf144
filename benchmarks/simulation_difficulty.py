r"""How hard the simulated cohort is: AP of the latent truth and of a heuristic without training.

python benchmarks/simulation_difficulty.py --series 100 --seed 0

The heuristic follows HDCZA (van Hees 2018, doi:10.1038/s41598-018-31266-z): the longest stretch of
a noon-to-noon day in which the 5-minute median of the angle's change stays under a threshold.
Stretches that repeat the day before are kept with a low score.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
from scipy.ndimage import median_filter

from sleepjax.metrics import event_detection_ap
from sleepjax.simulation import SimulatedSeries, simulate_series
from sleepjax.simulation.recording_clock import DAY
from sleepjax.types import (
    EVENTS,
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    STEPS_PER_MINUTE,
    TOLERANCES,
)


def hdcza(recording: SimulatedSeries) -> list[tuple[int, int]]:
    """(onset, wakeup) rows, at most one pair per noon-to-noon day."""
    anglez, clock = recording.anglez, recording.clock
    change = median_filter(np.abs(np.diff(anglez, prepend=anglez[:1])), 5 * STEPS_PER_MINUTE + 1)
    n_days = clock.n_steps // STEPS_PER_DAY + 2
    noons = clock.rows_at(clock.midnight + DAY // 2 + DAY * np.arange(-1, n_days))
    found = []
    for first, last in zip(noons[:-1], noons[1:], strict=True):
        first, last = max(int(first), 0), min(int(last), clock.n_steps)
        if last - first < 4 * STEPS_PER_HOUR:
            continue
        day = change[first:last]
        threshold = np.clip(15 * np.quantile(day, 0.1), 0.13, 0.50)
        window = longest_stretch(day < threshold)
        if window and window[0] > 0 and window[1] < len(day):
            found.append((first + window[0], first + window[1]))
    return found


def longest_stretch(still: np.ndarray) -> tuple[int, int] | None:
    """Longest of the stretches over 30 minutes, joined over breaks under 60 minutes."""
    change = np.flatnonzero(np.diff(still, prepend=False, append=False))
    starts, ends = change[::2], change[1::2]
    long = ends - starts > STEPS_PER_HOUR // 2
    starts, ends = starts[long], ends[long]
    if len(starts) == 0:
        return None
    apart = starts[1:] - ends[:-1] >= STEPS_PER_HOUR
    starts, ends = starts[np.r_[True, apart]], ends[np.r_[apart, True]]
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best])


def detections(recording: SimulatedSeries) -> list[dict[str, object]]:
    rows = []
    for onset, wakeup in hdcza(recording):
        here = recording.anglez[onset:wakeup]
        before = recording.anglez[max(onset - STEPS_PER_DAY, 0) : max(wakeup - STEPS_PER_DAY, 0)]
        copied = len(before) == len(here) and np.mean(here == before) > 0.3
        for event, step in (("onset", onset), ("wakeup", wakeup)):
            score = 0.1 if copied else 1.0
            rows.append(
                {"series_id": recording.series_id, "event": event, "step": step, "score": score}
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    solution, truth, guesses = [], [], []
    for index in range(args.series):
        recording = simulate_series(args.seed, index)
        solution += [row for row in recording.event_rows() if row["step"] is not None]
        truth += [row | {"score": 1.0} for row in recording.truth_rows()]
        guesses += detections(recording)
    events = pl.DataFrame(solution, infer_schema_length=None).select("series_id", "event", "step")
    print(f"{args.series} simulated series, seed {args.seed}: AP by tolerance in steps")
    for name, rows in (("latent truth", truth), ("HDCZA", guesses)):
        submission = pl.DataFrame(rows)
        print(f"{name}: mean AP {event_detection_ap(events, submission):.3f}")
        for event in EVENTS:
            of_event = pl.col("event") == event
            mine, theirs = events.filter(of_event), submission.filter(of_event)
            scores = [event_detection_ap(mine, theirs, [tol]) for tol in TOLERANCES]
            cells = [f"{tol}: {score:.3f}" for tol, score in zip(TOLERANCES, scores, strict=True)]
            print(f"  {event:6s} " + "  ".join(cells))
    near = share_near(events, pl.DataFrame(guesses), 30 * STEPS_PER_MINUTE)
    for event, share in near.items():
        print(f"HDCZA {event}s within 30 minutes of a labelled one: {share:.2f} of the nights")


def share_near(events: pl.DataFrame, guesses: pl.DataFrame, bound: int) -> dict[str, float]:
    """Share of labelled events with a guess of their class within ``bound`` steps."""
    shares = {}
    for event in EVENTS:
        hits = total = 0
        for (name,), group in events.filter(pl.col("event") == event).group_by("series_id"):
            mine = group["step"].to_numpy()
            same = (pl.col("event") == event) & (pl.col("series_id") == name)
            theirs = guesses.filter(same)["step"].to_numpy()
            total += len(mine)
            if len(theirs):
                hits += int((np.abs(mine[:, None] - theirs).min(axis=1) <= bound).sum())
        shares[event] = hits / total
    return shares


if __name__ == "__main__":
    main()
