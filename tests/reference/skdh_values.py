"""What scikit-digital-health makes of the real Axivity files: written once, compared in tests.

    python -m venv other && other/bin/pip install scikit-digital-health==0.17.18
    other/bin/python tests/reference/skdh_values.py DEVICE_FILES tests/reference/skdh.json

Its reader of .cwa files is its own, in Fortran. Of it the mean of each second, and its ENMO
and anglez (of medians over five seconds) of epochs of 5 seconds. Not imported by anything.
"""

import json
import sys
from pathlib import Path

import numpy as np

FILES = ["ax3_sample.cwa", "ax6_sample.cwa"]
EPOCH = 5


def values(path: Path) -> dict:
    from skdh.activity.metrics import (  # pyright: ignore[reportMissingImports]
        metric_anglez,
        metric_enmo,
    )
    from skdh.io import ReadCwa  # pyright: ignore[reportMissingImports]

    data = ReadCwa().predict(file=str(path), tz_name=None)
    time, accel, rate = np.asarray(data["time"]), np.asarray(data["accel"]), float(data["fs"])
    second = np.floor(time).astype(np.int64)
    whole, count = np.unique(second, return_counts=True)
    whole = whole[count >= 0.9 * rate]
    means = {
        axis: [round(float(accel[second == s, i].mean()), 5) for s in whole]
        for i, axis in enumerate("xyz")
    }
    first = int(np.searchsorted(time, np.ceil(time[0] / EPOCH) * EPOCH))
    length = round(EPOCH * rate)
    enmo = metric_enmo(accel[first:], length, take_abs=False, trim_zero=True)
    return {
        "rate": rate,
        "samples": len(time),
        "second": whole.tolist(),
        **means,
        "epoch": round(float(time[first])),
        "enmo": [round(float(v), 6) for v in enmo],
        "anglez": [round(float(v), 3) for v in metric_anglez(accel[first:], length)],
    }


def main() -> None:
    folder, out = map(Path, sys.argv[1:])
    found = {name: values(folder / name) for name in FILES}
    out.write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
