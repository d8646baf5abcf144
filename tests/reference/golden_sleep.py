"""Sleep statistics and agreement of YASA for made-up nights, as golden values.

YASA is no dependency. The values were written once, with yasa 0.8.1, in an environment of its own:

    python -m venv oracle && oracle/bin/pip install yasa==0.8.1
    oracle/bin/python tests/reference/golden_sleep.py > tests/reference/golden_sleep.json

A night is a text of 30-second epochs from lights out to lights on: ``W`` awake, ``S`` asleep.
"""

from __future__ import annotations

import json
import random

KEPT = ("TIB", "SPT", "TST", "WASO", "SOL", "SE", "SME")


def night(seed: int) -> str:
    """A latency, sleep with awakenings, and a time awake before rising."""
    draw = random.Random(seed)
    epochs = "W" * draw.randint(0, 120)
    for _ in range(draw.randint(1, 12)):
        epochs += "S" * draw.randint(1, 200) + "W" * draw.randint(1, 30)
    return epochs + "S" * draw.randint(1, 100) + "W" * draw.randint(0, 60)


def pairs() -> list[tuple[float, float]]:
    """True and found onsets in minutes of thirty made-up nights of as many people."""
    draw = random.Random(0)
    true = [round(draw.gauss(0, 60), 1) for _ in range(30)]
    return [(one, round(one + draw.gauss(5, 20), 1)) for one in true]


def agreement() -> dict[str, float | list]:
    """Bias with its interval, and limits of agreement."""
    import pandas as pd  # pyright: ignore[reportMissingImports]
    import yasa  # pyright: ignore[reportMissingImports]

    both = pairs()
    true, found = (pd.DataFrame({"onset": column}) for column in zip(*both, strict=True))
    of = yasa.SleepStatsAgreement(true, found).summary().loc["onset"]
    bias = {end: float(of["bias_mean", end]) for end in ("center", "lower", "upper")}
    limits = [float(of[f"loa_{end}", "center"]) for end in ("lower", "upper")]
    return {
        "pairs": both,
        "bias": bias["center"],
        "interval": list(bias.values())[1:],
        "limits": limits,
    }


def main() -> None:
    import yasa  # pyright: ignore[reportMissingImports]

    nights = []
    for seed in range(12):
        epochs = night(seed)
        stages = ["WAKE" if epoch == "W" else "SLEEP" for epoch in epochs]
        found = yasa.Hypnogram(stages, n_stages=2, freq="30s").sleep_statistics()
        nights.append({"epochs": epochs, **{name: float(found[name]) for name in KEPT}})
    written = {"yasa": yasa.__version__, "nights": nights, "agreement": agreement()}
    print(json.dumps(written, indent=0))


if __name__ == "__main__":
    main()
