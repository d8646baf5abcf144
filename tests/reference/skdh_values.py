"""What scikit-digital-health makes of the real Axivity files: written once, compared in tests.

    python -m venv other && other/bin/pip install scikit-digital-health==0.17.18
    other/bin/python tests/reference/skdh_values.py DEVICE_FILES tests/reference/skdh.json

It reads .cwa files itself. Of it the mean of each second, and its ENMO and anglez (the angle of
medians) of whole epochs of 5 seconds. Not imported by anything.
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
    epoch = np.floor(time / EPOCH).astype(np.int64) * EPOCH
    full, length = np.unique(epoch, return_counts=True)
    full = full[length >= 0.9 * EPOCH * rate]
    one = lambda metric, e: float(
        np.ravel(metric(accel[epoch == e], wlen=int((epoch == e).sum())))[0]
    )
    return {
        "rate": rate,
        "samples": len(time),
        "second": whole.tolist(),
        **means,
        "epoch": full.tolist(),
        "enmo": [round(one(metric_enmo, e), 6) for e in full],
        "anglez": [round(one(metric_anglez, e), 3) for e in full],
    }


def main() -> None:
    folder, out = map(Path, sys.argv[1:])
    found = {name: values(folder / name) for name in FILES}
    out.write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
