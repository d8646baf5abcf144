"""Small series for tests, and slow, literal versions of what reading does to them."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import polars as pl

START = datetime(2018, 8, 14, 15, 30, tzinfo=UTC)
EASTERN = -4 * 3600


def stamp(utc_ms: int, offset: int) -> str:
    """Text in the competition's format: ``2018-08-14T15:30:00-0400``."""
    moment = datetime.fromtimestamp(utc_ms / 1000, timezone(timedelta(seconds=offset)))
    fraction = f".{utc_ms % 1000:03d}" if utc_ms % 1000 else ""
    return moment.strftime(f"%Y-%m-%dT%H:%M:%S{fraction}%z")


def rows(n: int, series_id="a1", *, seed=0, seconds=5.0, start=START, offset=EASTERN, **columns):
    """A series of n plausible rows in the competition's columns; named columns are replaced."""
    rng = np.random.default_rng(seed)
    utc = [round((start.timestamp() + i * seconds) * 1000) for i in range(n)]
    return pl.DataFrame(
        {
            "series_id": [series_id] * n,
            "step": np.arange(n, dtype=np.uint32),
            "timestamp": [stamp(ms, offset) for ms in utc],
            "anglez": rng.uniform(-80, 80, n).astype(np.float32),
            "enmo": rng.uniform(0, 0.2, n).astype(np.float32),
        }
        | columns,
        schema_overrides={"anglez": pl.Float32, "enmo": pl.Float32},
    )


def with_value(frame: pl.DataFrame, column: str, row: int, value) -> pl.DataFrame:
    """The frame with one cell replaced."""
    values = frame[column].to_list()
    values[row] = value
    return frame.with_columns(pl.Series(column, values, dtype=frame[column].dtype))


def write_cohort(root, frames, phase="test", events=None, suffix=".parquet"):
    """Write frames as one series file, and the events if there are any."""
    root.mkdir(parents=True, exist_ok=True)
    frame = pl.concat(frames)
    path = root / f"{phase}_series{suffix}"
    frame.write_parquet(path) if suffix == ".parquet" else frame.write_csv(path)
    if events is not None:
        events.write_csv(root / "train_events.csv")
    return root


def nights(series_id: str, spans, *, start=START, offset=EASTERN) -> pl.DataFrame:
    """Event rows from (onset step, wakeup step) per night; None is an empty cell."""
    found = []
    for night, span in enumerate(spans, start=1):
        for event, step in zip(("onset", "wakeup"), span, strict=True):
            ms = None if step is None else int(start.timestamp() + 5 * step) * 1000
            text = None if ms is None else stamp(ms, offset)
            found.append((series_id, night, event, step, text))
    schema = {
        "series_id": pl.String,
        "night": pl.Int64,
        "event": pl.String,
        "step": pl.Int64,
        "timestamp": pl.String,
    }
    return pl.DataFrame(found, schema=schema, orient="row")


def place(times_ms: list[int], cadence: float) -> list[int | None]:
    """Which sample each grid row takes: the newest one that is at most half a step late and less
    than a cadence old; rows start at the first sample, rounded down to a second."""
    begin = times_ms[0] // 1000 * 1000
    taken: list[int | None] = []
    row = 0
    while begin + 5000 * row <= times_ms[-1] + 2500:
        moment = begin + 5000 * row
        best = None
        for i, ms in enumerate(times_ms):
            if ms <= moment + 2500 and moment - ms < max(cadence, 5000):
                best = i
        taken.append(best)
        row += 1
    return taken


def average(times_ms: list[int], values: list[float], cadence: float) -> list[float | None]:
    """Mean of the finite samples of each 5-s bin, None where fewer than half are there."""
    begin = times_ms[0] // 5000 * 5000
    bins: dict[int, list[float]] = {}
    for ms, value in zip(times_ms, values, strict=True):
        if np.isfinite(value):
            bins.setdefault((ms - begin) // 5000, []).append(value)
    need = int(5000 // cadence) / 2
    count = (times_ms[-1] - begin) // 5000 + 1
    return [
        float(np.mean(bins[i])) if len(bins.get(i, [])) >= max(need, 1) else None
        for i in range(count)
    ]


def small_cohort(root):
    """Three series, one with a gap, one without events; half of the nights labelled."""
    frames = [
        rows(2400),
        pl.concat([rows(900, "B/2", seed=1)[:300], rows(900, "B/2", seed=1)[500:]]),
    ]
    frames.append(rows(40, "c3", seed=2, offset=3600))
    events = pl.concat(
        [nights("a1", [(120, 600), (None, None), (1200, 1800)]), nights("B/2", [(None, 700)])]
    )
    return write_cohort(root, frames, "train", events)


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def not_worn(
    anglez: list[float | None], *, degrees: float, at_least: int, bridged: int
) -> list[bool]:
    """Which steps lie in a stretch with that many measured ones, none of which differs by more
    from the one measured before it; None was not measured, and more than ``bridged`` of them in a
    row end a stretch."""
    masked = [False] * len(anglez)
    stretch: list[int] = []

    def end_of_stretch():
        if len(stretch) >= at_least:
            for i in stretch:
                masked[i] = True
        stretch.clear()

    missing = 0
    for i, angle in enumerate(anglez):
        if angle is None:
            missing += 1
            continue
        before = anglez[stretch[-1]] if stretch else angle
        assert before is not None
        if missing > bridged or abs(angle - before) > degrees:
            end_of_stretch()
        stretch.append(i)
        missing = 0
    end_of_stretch()
    return masked
