"""Consumer of an exported model: NumPy and one runtime (jax or onnxruntime), no sleepjax.

python consume.py model/ recording.csv probabilities.csv     # columns timestamp, anglez, enmo
"""

import csv
import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

import numpy as np


def load(folder):
    """(function of the inputs, names of the probabilities) of the format whose runtime is here."""
    signature = json.loads((folder / "signature.json").read_text())
    if signature.get("format") != 1:
        sys.exit(f"{folder} has format {signature.get('format')}; this program reads 1.")
    for name, facts in signature["files"].items():
        content = (folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            sys.exit(f"{folder / name} is damaged or not the file of this signature.")
        try:
            return RUNTIMES[name](content), signature["outputs"][0]["classes"]
        except ImportError as missing:
            print(f"{name}: {missing}", file=sys.stderr)
    sys.exit(f"no runtime for {', '.join(signature['files'])}.")


def stablehlo(content):
    from jax import export

    return export.deserialize(bytearray(content)).call


def onnx(content):
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return lambda *rows: session.run(None, dict(zip(names, rows, strict=True)))[0]


RUNTIMES = {"model.stablehlo": stablehlo, "model.onnx": onnx}


def rows_of(path):
    """Local clock [1,T], anglez, enmo: on the 5-second grid, NaN in gaps."""
    with open(path, newline="") as file:
        table = [(datetime.fromisoformat(r["timestamp"]), r) for r in csv.DictReader(file)]
    start = table[0][0]
    place = [round((time - start).total_seconds() / 5) for time, _ in table]
    clock = np.full(place[-1] + 1, -1, np.int32)
    clock[place] = [
        (t.replace(tzinfo=None) - datetime(2000, 1, 1)).total_seconds() for t, _ in table
    ]
    known = np.maximum.accumulate(np.where(clock >= 0, np.arange(len(clock)), 0))
    clock = clock[known] + 5 * (np.arange(len(clock)) - known).astype(np.int32)
    signals = np.full((2, len(clock)), np.nan, np.float32)
    signals[:, place] = [[float(r[name] or "nan") for _, r in table] for name in ("anglez", "enmo")]
    return clock[None], signals[:1], signals[1:]


if __name__ == "__main__":
    run, classes = load(Path(sys.argv[1]))
    found = np.asarray(run(*rows_of(sys.argv[2])))[0]
    np.savetxt(sys.argv[3], found, "%.6f", ",", header=",".join(classes), comments="")
