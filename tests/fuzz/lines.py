"""Command lines that work on the folder of a case as it was made."""

from __future__ import annotations

from random import Random

from tests.fuzz.values import ZONES

TRUE = "America/New_York"
"""The zone of the recordings; with most others a case ends at its first line."""


def command_line(rng: Random, command: str, config: str) -> list[str]:
    """Arguments that work on the folder as it was made."""
    series = rng.choice(("rec.parquet", "rec.csv"))
    maybe = lambda *words, share=0.2: list(words) if rng.random() < share else []
    data = ["--config", config, "--config.data.root=data"]
    lines = {
        "predict": lambda: [
            *("--workdir", rng.choice(("run", "run", "rel")), "--series", series),
            *("--out", "new.csv", *maybe("--no_figures", share=0.8), *maybe("--overwrite")),
            *(*maybe("--post", "post.json"), *maybe("--checkpoint", "best")),
            *maybe("--tz", rng.choice(ZONES)),
        ],
        "process": lambda: [
            *rng.choice((["rec.csv"], ["rec.parquet"], ["watch"], ["watch", "rec.csv"])),
            *("--workdir", "run", "--out", "nights", *maybe("--no_reports", share=0.8)),
            *(*maybe("--tz", rng.choice((*ZONES, *[TRUE] * len(ZONES))), share=0.8),
              *maybe("--lenient", share=0.5)),
            *(*maybe("--people", "people.csv"), *maybe("--min_hours", "2")),
            *maybe("--diary", "diary.csv", "--diary_dates", "evening"),
        ],
        "plot": lambda: [
            *(("--series", series) if rng.random() < 0.7 else ("--workdir", "run")),
            *("--out", "plots", *maybe("--events", rng.choice(("truth.csv", "found.csv")))),
            *(*maybe("--night", "2018-08-14"), *maybe("--format", "svg")),
        ],
        "evaluate": lambda: [
            *("--events", "truth.csv", "--submission", "found.csv"),
            *(*maybe("--json"), *maybe("--html", "report.html")),
        ],
        "agreement": lambda: [
            *("--truth", "truth.csv", "--found", "found_windows.csv"),
            *(*maybe("--json"), *maybe("--figure", "agreement.png"), *maybe("--naps")),
        ],
        "baseline": lambda: [
            *("--series", series, "--out", "base.csv", "--config", config),
            *rng.choice((
                ("--name", "hdcza"), ("--name", "vanhees2015"),
                ("--name", "logistic", "--data", "data"),
                ("--name", "clock", "--truth", "truth.csv"),
            )),
        ],
        "prepare_data": lambda: [
            *("--data", "data", "--phase", "train", "--out", "store"),
            *(*maybe("--drop_bad", share=0.5), *maybe("--tz", rng.choice(ZONES))),
        ],
        "tune_postprocess": lambda: ["--workdir", "run", "--trials", "2", "--out", "tuned.json"],
        "compare": lambda: ["run", "other", "--out", "comparison"],
        "release": lambda: ["--workdir", "run", "--out", "released", *maybe("--post", "post.json")],
        "simulate": lambda: ["--out", "simulated", "--series", "2", "--days", "1",
                             *maybe("--population", "world"), *maybe("--truth", "psg")],
        "train": lambda: [*data, "--workdir", rng.choice(("run", "new")), *maybe("--resident"),
                          *maybe("--print_config")],
        "sweep": lambda: [*data, "--workdir", "swept", "--slurm",
                          "--grid", rng.choice(("optim.lr=1e-3,4e-3", "optim.lr=1e-3 ema=0,0.9"))],
        "crossval": lambda: [*data, "--workdir", "crossed", "--folds", "2"],
    }  # fmt: skip
    return list(lines[command]())
