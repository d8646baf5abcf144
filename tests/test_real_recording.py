"""A real 8-day recording through the demo model: plausible nights, none without the watch."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from sleepjax.config import load_config
from sleepjax.data.raw import recordings_from_frame
from sleepjax.predict import load
from sleepjax.training import loop
from tests.support.real_recording import ONSETS, WAKEUPS, WATCH_OFF


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_demo_model_on_a_real_recording(real_recording, project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = loop.run(load_config(f"{project / 'configs' / 'spec1d.py'}:demo"), tmp_path / "run")
    assert result.simulated and result.metrics["event_ap"] > 0.5
    frame = pl.read_parquet(real_recording)
    found = load(tmp_path / "run").find(recordings_from_frame(frame)[0])
    assert found.recording.meta.qc["n_nonfinite"] == 1

    local = pl.col("timestamp").str.slice(0, 19).str.to_datetime()
    events = found.events.with_columns(time=local)
    scores = []
    for event, estimates in (("onset", ONSETS), ("wakeup", WAKEUPS)):
        for text in estimates:
            estimate = datetime.strptime(f"2013-11-{text}", "%Y-%m-%d %H:%M")
            near = events.filter(event=event).filter(
                pl.col("time").is_between(
                    estimate - timedelta(hours=8), estimate + timedelta(hours=8)
                )
            )
            strongest = near.sort("score").row(-1, named=True)
            assert abs(strongest["time"] - estimate) <= timedelta(minutes=60), (event, strongest)
            scores.append(strongest["score"])
    after = events.filter(pl.col("time") > WATCH_OFF)["score"].max()
    assert after is None or after < min(scores)
