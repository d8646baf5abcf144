"""Rhythm of made-up weeks by pyActigraphy: written once, compared in tests/nights.

    python -m venv other && other/bin/pip install --no-deps pyActigraphy==1.2.2
    other/bin/pip install pandas==3.1.1
    other/bin/python tests/reference/rhythm_values.py tests/reference/rhythm.json

Its IS and IV are ratios of sample variances: IS is van Someren's times p/(p - 1) (n - 1)/n, of n
hours and p = 24, and IV his times (n - 1)/n. Only its module of metrics is loaded, which needs
nothing but pandas for these. Not imported by anything.
"""

import importlib.util
import json
import math
import random
import sys
import types
from functools import cache
from pathlib import Path


def week(seed: int) -> list[float]:
    """Hourly movement of three to ten days, mg."""
    draw = random.Random(seed)
    late = draw.uniform(0, 6)
    wave = lambda hour: 25 - 24 * math.cos(2 * math.pi * (hour - late) / 24)
    return [
        round(wave(hour) * draw.gammavariate(2, 0.5), 3) for hour in range(24 * draw.randint(3, 10))
    ]


@cache
def their_metrics():
    """pyActigraphy.metrics.metrics, without the rest of the package."""
    found = importlib.util.find_spec("pyActigraphy")
    assert found is not None and found.submodule_search_locations
    root = Path(found.submodule_search_locations[0])
    for name in ("pyActigraphy", "pyActigraphy.metrics", "pyActigraphy.utils"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(root.joinpath(*name.split(".")[1:]))]
    for name in ("statsmodels", "statsmodels.api"):
        sys.modules.setdefault(name, types.ModuleType(name))
    return importlib.import_module("pyActigraphy.metrics.metrics")


def of(hours: list[float]) -> dict:
    import pandas as pd  # pyright: ignore[reportMissingImports]

    metrics = their_metrics()
    index = pd.date_range("2018-08-14", periods=len(hours), freq="h")
    data = pd.Series(hours, index=index)
    (l5_start, l5), (m10_start, m10) = (
        metrics._lmx(data, period, lowest=lowest)
        for period, lowest in (("5h", True), ("10h", False))
    )
    clock = lambda delta: delta.total_seconds() / 3600 % 24
    return {
        "hours": hours,
        "is": float(metrics._interdaily_stability(data)),
        "iv": float(metrics._intradaily_variability(data)),
        "l5_mg": float(l5),
        "l5_start_h": clock(l5_start),
        "m10_mg": float(m10),
        "m10_start_h": clock(m10_start),
        "ra": float((m10 - l5) / (m10 + l5)),
    }


def main() -> None:
    values = [of(week(seed)) for seed in range(6)]
    Path(sys.argv[1]).write_text(json.dumps(values, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
