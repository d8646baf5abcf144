"""What wristpy and pygt3x make of the real device files: written once, compared in tests/devices.

    python -m venv other && other/bin/pip install wristpy==0.2.10 pygt3x==0.7.1
    other/bin/python tests/reference/wristpy_values.py DEVICE_FILES tests/reference/wristpy.json

Of wristpy: enmo and anglez of 5-second epochs, neither calibrated nor imputed. Its anglez has no
rolling median. pygt3x reads the records that wristpy does not; of it the raw samples of each
minute are averaged. Not imported by anything.
"""

import json
import sys
from pathlib import Path

import numpy as np

EPOCHS = [
    "667Hz.bin",
    "Multi_page_reset_config_time.bin",
    "Not_a_GENEActiv_bin_file.bin",
    "Not_contiguous.bin",
    "example_actigraph.gt3x",
    "example_actigraph_idle_sleep_mode.gt3x",
    "example_geneactiv.bin",
]
RAW = ["small.gt3x", "example_actigraph.gt3x"]


def epochs(path: Path) -> dict:
    from wristpy.io.readers import readers  # pyright: ignore[reportMissingImports]
    from wristpy.processing import metrics  # pyright: ignore[reportMissingImports]

    raw = readers.read_watch_data(path).acceleration
    enmo = metrics.euclidean_norm_minus_one(raw)
    anglez = metrics.angle_relative_to_horizontal(raw)
    assert (enmo.time == anglez.time).all()
    return {
        "time": enmo.time.dt.to_string("%Y-%m-%dT%H:%M:%S").to_list(),
        "enmo": [round(float(x), 7) for x in enmo.measurements],
        "anglez": [round(float(x), 4) for x in anglez.measurements],
    }


def minutes(path: Path) -> dict:
    from pygt3x.reader import FileReader  # pyright: ignore[reportMissingImports]

    with FileReader(str(path)) as reader:
        frame = reader.to_pandas()
    minute = (frame.index.to_numpy() // 60).astype(int)
    axes = {name.lower(): frame[name].to_numpy() for name in ("X", "Y", "Z")}
    known = np.unique(minute)
    return {
        "samples": len(frame),
        "minute": known.tolist(),
        **{a: [round(float(v[minute == m].mean()), 5) for m in known] for a, v in axes.items()},
    }


def main() -> None:
    folder, out = map(Path, sys.argv[1:])
    values = {
        "epochs": {name: epochs(folder / name) for name in EPOCHS},
        "minutes": {name: minutes(folder / name) for name in RAW},
    }
    out.write_text(json.dumps(values, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
