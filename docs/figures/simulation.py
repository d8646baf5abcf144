r"""Figures of docs/simulation.md.

python docs/figures/simulation.py --out docs/images --seed 0 --real RECORDING

``--real`` names a real recording in the competition's columns, used for its statistics only; its
nights are those the published HDCZA heuristic finds in the GENEActiv test recording of GGIR.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from sleepjax.simulation import SimulatedSeries, simulate_series
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR

ANGLE, ENMO, SLEEP, UNWORN = "#2b5c8a", "#8a3b2b", "#9fb8d8", "#d9d2c4"

# Rows between which the GGIR test recording is asleep by HDCZA: hours since its first midnight.
REAL_NIGHTS = ((22.58, 31.85), (46.97, 56.65), (71.42, 79.95), (94.27, 104.15), (118.33, 128.0))
REAL_FIRST_HOUR = 11.75

DAYS_SHOWN = ((1, 5), (7, 5), (8, 5), (13, 1))
"""(participant, first day) of the figure of days."""


def draw_days(path: Path, seed: int) -> None:
    """Four days of each of four participants: regular, irregular, watch off at night, given up."""
    figure, axes = plt.subplots(8, 1, figsize=(13, 12), sharex=False)
    for pair, (index, day) in zip(axes.reshape(4, 2), DAYS_SHOWN, strict=True):
        recording = simulate_series(seed, index)
        first = day * STEPS_PER_DAY
        draw_signals(pair, recording, first, first + 4 * STEPS_PER_DAY, enmo_top=0.6)
        pair[0].set_title(
            f"simulated participant {recording.series_id}", fontsize=8, loc="left", pad=2
        )
    finish(figure, path)


def draw_night(path: Path, seed: int) -> None:
    """One night, then the half hour around its onset."""
    recording = simulate_series(seed, 1)
    window = recording.truth[4]
    figure, axes = plt.subplots(4, 1, figsize=(13, 8))
    margin = 2 * STEPS_PER_HOUR
    draw_signals(axes[:2], recording, window.onset - margin, window.wakeup + margin, enmo_top=0.3)
    near = STEPS_PER_HOUR // 2
    draw_signals(axes[2:], recording, window.onset - near, window.onset + near, enmo_top=0.1)
    axes[0].set_title(
        f"simulated night of {recording.series_id}: blue band latent sleep, dashed annotated "
        "events; below, the hour around its onset",
        fontsize=8,
        loc="left",
    )
    finish(figure, path)


def draw_signals(axes, recording: SimulatedSeries, first: int, last: int, enmo_top: float) -> None:
    first, last = max(first, 0), min(last, recording.clock.n_steps)
    local = recording.clock.local_seconds()[first:last]
    hours = (local - recording.clock.midnight) / 3600
    axes[0].plot(hours, recording.anglez[first:last], lw=0.4, color=ANGLE)
    axes[0].set_ylim(-92, 92)
    axes[0].set_ylabel("anglez\n(degrees)", fontsize=7)
    axes[1].plot(hours, recording.enmo[first:last], lw=0.4, color=ENMO)
    axes[1].set_ylim(0, enmo_top)
    axes[1].set_ylabel("enmo (g)", fontsize=7)
    at = lambda row: hours[0] + (row - first) / STEPS_PER_HOUR
    for axis in axes:
        for window in recording.truth:
            axis.axvspan(at(window.onset), at(window.wakeup), color=SLEEP, alpha=0.5, lw=0)
        for start, end in recording.nonwear:
            axis.axvspan(at(start), at(end), color=UNWORN, lw=0)
        for label in recording.labels:
            for step in (label.onset, label.wakeup):
                if step is not None:
                    axis.axvline(at(step), color="black", lw=0.7, ls="--")
        axis.set_xlim(hours[0], hours[-1])
        axis.tick_params(labelsize=6)
        every = 6 if hours[-1] - hours[0] > 24 else (1 if hours[-1] - hours[0] > 2 else 0.25)
        ticks = np.arange(np.ceil(hours[0] / every), hours[-1] / every) * every
        clock = [f"{int(t) % 24:02d}:{round(t % 1 * 60):02d}" for t in ticks]
        axis.set_xticks(ticks, clock)


def finish(figure, path: Path) -> None:
    figure.tight_layout(h_pad=0.3)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    print(f"wrote {path}")


def signal_figures(anglez, enmo, asleep, awake) -> dict[str, float]:
    """Statistics of one recording, by state."""
    change = np.abs(np.diff(anglez, prepend=anglez[:1]))
    level = np.log(enmo + 1e-3)
    floor = np.quantile(enmo[asleep], 0.05)  # the device's offset
    result = {}
    for name, mask in (("asleep", asleep), ("awake", awake)):
        moves = np.diff(np.flatnonzero(mask & (change > 5)))
        calm = moves[(moves > 60) & (moves < 3000)].sum() / mask.sum()
        result[f"{name}: share of steps that turn by > 5 degrees"] = np.mean(change[mask] > 5)
        result[f"{name}: share without a turn for > 5 min"] = calm
        result[f"{name}: SD of anglez"] = anglez[mask].std()
        result[f"{name}: 95 % of changes of anglez"] = np.quantile(change[mask], 0.95)
        result[f"{name}: 75 % of enmo above the device's floor"] = (
            np.quantile(enmo[mask], 0.75) - floor
        )
        result[f"{name}: 99 % of enmo above the device's floor"] = (
            np.quantile(enmo[mask], 0.99) - floor
        )
        for lag, text in ((1, "5 s"), (12, "1 min"), (60, "5 min")):
            both = mask[lag:] & mask[:-lag]
            for signal, values in (("anglez", anglez), ("log enmo", level)):
                value = np.corrcoef(values[lag:][both], values[:-lag][both])[0, 1]
                result[f"{name}: autocorrelation of {signal}, {text}"] = value
    return {name: float(value) for name, value in result.items()}


def real_figures(path: str) -> dict[str, float]:
    frame = pl.read_parquet(path).drop_nulls()
    anglez, enmo = frame["anglez"].to_numpy(), frame["enmo"].to_numpy()
    asleep = np.zeros(len(anglez), dtype=bool)
    row = lambda hour: int((hour - REAL_FIRST_HOUR) * STEPS_PER_HOUR)
    for onset, wakeup in REAL_NIGHTS:
        asleep[row(onset) : row(wakeup)] = True
    awake = ~asleep
    awake[: row(12.5)] = False  # the watch is put on
    awake[row(REAL_NIGHTS[-1][1] + 12) :] = False
    return signal_figures(anglez, enmo, asleep, awake)


def simulated_figures(seed: int, series: int) -> list[dict[str, float]]:
    results = []
    for index in range(series):
        recording = simulate_series(seed, index, 8)
        asleep = np.zeros(recording.clock.n_steps, dtype=bool)
        awake = recording.behaviour.mode != 0
        for window in recording.truth:
            asleep[window.onset : window.wakeup] = True
        for start, end in recording.nonwear:
            awake[start:end] = False
        awake &= ~asleep
        if min(asleep.sum(), awake.sum()) > STEPS_PER_DAY:
            results.append(signal_figures(recording.anglez, recording.enmo, asleep, awake))
    return results


def draw_real(path: Path, real: dict[str, float], simulated: list[dict[str, float]]) -> None:
    """Every statistic of the real recording on the distribution over simulated participants."""
    names = list(real)
    figure, axes = plt.subplots(6, 4, figsize=(13, 12))
    for axis, name in zip(axes.ravel(), names, strict=True):
        values = np.array([figures[name] for figures in simulated])
        axis.hist(values, bins=20, color=SLEEP)
        axis.axvline(real[name], color="black", lw=1.5)
        axis.set_title(name, fontsize=6.5)
        axis.tick_params(labelsize=6)
        axis.set_yticks([])
    finish(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", help="a real recording; without it its figure is left as it is")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    draw_days(args.out / "simulation_days.png", args.seed)
    draw_night(args.out / "simulation_night.png", args.seed)
    if args.real:
        simulated = simulated_figures(args.seed, 60)
        draw_real(args.out / "simulation_real.png", real_figures(args.real), simulated)


if __name__ == "__main__":
    main()
