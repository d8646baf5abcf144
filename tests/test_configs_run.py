"""Every config trains, validates and predicts in its tiny variant: pytest -m slow."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sleepjax

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_tiny_variant_runs_from_training_to_events(path, cohort, tmp_path):
    config = sleepjax.load_config(f"{path}:tiny", {"data.root": str(cohort)})
    result = sleepjax.train(config, tmp_path)
    assert np.isfinite(result.metrics["loss"]) and 0 <= result.metrics["event_ap"] <= 1
    series = pl.read_parquet(cohort / "test_series.parquet")
    events = sleepjax.load(tmp_path).predict(series)
    assert set(events["event"]) <= {"onset", "wakeup"} and events["score"].is_finite().all()
