"""What commands promise of their results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sleepjax.data.store import open_store
from sleepjax.data.windows import load_labelled
from sleepjax.tables import read_table


def check_events(target: Path) -> None:
    found = read_table(target)
    assert {"series_id", "step", "event", "score"} <= set(found.columns), found.columns
    assert found["score"].is_finite().all() and found["score"].is_between(0, 1).all()
    assert found["event"].is_in(["onset", "wakeup"]).all()
    assert (found["step"] >= 0).all() and found["row_id"].to_list() == list(range(len(found)))
    windows = read_table(target.with_name(f"{target.stem}_windows.csv"))
    assert (windows["wakeup_step"] >= windows["onset_step"]).all()


def check_store(target: Path) -> None:
    store = open_store(target)
    assert store.events is not None
    for series_id in store.series_ids:
        one = load_labelled(store, series_id, store.features, store.events)
        assert all(np.isfinite(np.asarray(x)).all() for x in one.features.values()), series_id


def check_pictures(target: Path) -> None:
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in target.glob("*.png"))


def check_tables(target: Path) -> None:
    state = read_table(target / "status.csv")["state"]
    assert len(state) and state.is_in(["done", "duplicate"]).all(), state
    nights = read_table(target / "nights.csv")
    assert ((nights["reasons"] == "") == (nights["why"] == "")).all()
    assert not nights["reasons"].str.contains("impossible_value").any()
    assert read_table(target / "people.csv").height <= nights["series_id"].n_unique()


def check_settings(target: Path) -> None:
    assert json.loads(target.read_text(encoding="utf-8"))["post"]


PROMISED = {
    "predict": check_events,
    "baseline": check_events,
    "prepare_data": check_store,
    "plot": check_pictures,
    "process": check_tables,
    "tune_postprocess": check_settings,
}
"""Command -> check of what it writes to --out."""


def check_score(value: dict) -> None:
    assert 0 <= value["event_ap"] <= 1, value


PRINTED = {"evaluate": check_score, "agreement": dict}
"""Command -> check of what it prints with --json."""


def check_result(command: str, argv: Sequence[str], out: str, folder: Path) -> None:
    """Raise where what a command wrote into a folder, or printed, is not what it promises."""
    words = dict(zip(argv, [*argv[1:], ""], strict=True))
    if command in PROMISED:
        PROMISED[command](folder / words.get("--out", ""))
    if "--json" in argv:
        PRINTED[command](json.loads(out))
