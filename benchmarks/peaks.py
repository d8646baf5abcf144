"""Time of `find_peaks` against a loop of scipy's over a cohort, in the same run, results compared.

python benchmarks/peaks.py [--series 277 --steps 460000 --repeats 3] prints one JSON object per kind
of signal. ``sparse`` is the usual case: bumps around two events a day on a low floor, rough at the
scale of a minute. ``dense`` is noise above the height everywhere, a peak every third step. All
signals are simulated. Times are the best of the repeats, taken in turns, in seconds; cpu_seconds
is processor time summed over threads, which other programs on the machine disturb less.
"""

import argparse
import json
import os
import time

import numpy as np
import scipy.ndimage
import scipy.signal

from sleepjax.postprocess import find_peaks
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_MINUTE

HEIGHT, DISTANCE = 0.001, 100
DISTINCT = 16


def signals(kind: str, n: int, steps: int) -> np.ndarray:
    """[n, steps] float32; 16 distinct rows, repeated."""
    rng = np.random.default_rng(0)
    # Noise is a permutation: scipy's order of equal peaks is undefined.
    noise = np.stack([rng.permutation(steps) for _ in range(DISTINCT)]).astype(np.float32)
    if kind == "dense":
        rows = (noise + 1) / steps + HEIGHT
    else:
        rows = scipy.ndimage.uniform_filter1d(noise * (0.9 * HEIGHT / steps), STEPS_PER_MINUTE)
        shape = np.exp(-0.5 * (np.arange(-1000, 1001) / 150) ** 2).astype(np.float32)
        for row in rows:
            for at in rng.integers(1000, steps - 1001, 2 * (steps // STEPS_PER_DAY)):
                row[at - 1000 : at + 1001] += shape * rng.random(dtype=np.float32)
    return np.tile(rows, (-(-n // DISTINCT), 1))[:n]


def timed(function) -> tuple[float, float, np.ndarray]:
    """Seconds of one call, seconds of processor time over all threads, and its result."""
    begin, cpu = time.perf_counter(), time.process_time()
    result = function()
    return time.perf_counter() - begin, time.process_time() - cpu, result


def scipy_loop(x: np.ndarray) -> np.ndarray:
    """What `find_peaks` replaces: positions of all rows, one row at a time."""
    rows = x.reshape(-1, x.shape[-1])
    find = scipy.signal.find_peaks
    return np.concatenate([find(row, height=HEIGHT, distance=DISTANCE)[0] for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=277)
    parser.add_argument("--steps", type=int, default=460_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    for kind in ("sparse", "dense"):
        x = signals(kind, 2 * args.series, args.steps).reshape(args.series, 2, args.steps)
        ours, theirs = [], []
        for _ in range(args.repeats):
            *seconds, found = timed(lambda x=x: find_peaks(x, HEIGHT, DISTANCE))
            ours.append(seconds)
            *seconds, expected = timed(lambda x=x: scipy_loop(x))
            theirs.append(seconds)
        (seconds, cpu), (scipy_seconds, scipy_cpu) = (
            np.min(t, axis=0).tolist() for t in (ours, theirs)
        )
        print(
            json.dumps(
                {
                    "signal": kind,
                    "shape": x.shape,
                    "cores": os.cpu_count(),
                    "peaks": len(found),
                    "seconds": round(seconds, 3),
                    "scipy_seconds": round(scipy_seconds, 3),
                    "ratio": round(scipy_seconds / seconds, 1),
                    "cpu_seconds": round(cpu, 3),
                    "scipy_cpu_seconds": round(scipy_cpu, 3),
                    "equal": bool(np.array_equal(found[:, -1], expected)),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
