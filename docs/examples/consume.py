"""Consumer of an exported model without sleepjax: python consume.py model recording.csv out.csv"""

import csv
import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

import numpy as np


def program(name, content):
    """The function of clock, anglez and enmo that a file holds."""
    if name == "model.stablehlo":
        from jax import export

        return export.deserialize(bytearray(content)).call
    import onnxruntime

    net = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda *x: net.run(None, {n.name: x[i] for i, n in enumerate(net.get_inputs())})[0]


def load(folder):
    """(function, names of the probabilities), by the runtime that is installed."""
    if (signature := json.loads((folder / "signature.json").read_text()))["format"] != 1:
        sys.exit(f"{folder} has format {signature['format']}; this program reads 1.")
    for name, facts in signature["files"].items():
        if hashlib.sha256(content := (folder / name).read_bytes()).hexdigest() != facts["sha256"]:
            sys.exit(f"{folder / name} is damaged or not the file of this signature.")
        try:
            return program(name, content), signature["outputs"][0]["classes"]
        except ImportError as missing:
            print(f"{name}: {missing}", file=sys.stderr)
    sys.exit("no runtime: install jax, or onnxruntime for a model exported with --onnx.")


def rows_of(path):
    """Local clock, anglez and enmo [1,T] on the 5-second grid; NaN in gaps."""
    table = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    table.sort(key=lambda row: datetime.fromisoformat(row["timestamp"]))
    times = [datetime.fromisoformat(row["timestamp"]) for row in table]
    seconds = np.array([(time - times[0]).total_seconds() for time in times])
    if len(times) < 2 or abs(np.median(np.diff(seconds)) - 5) > 0.5 or seconds[-1] > 400 * 86400:
        raise ValueError("it must hold rows that are 5 seconds apart, of at most 400 days")
    clock = [(t.replace(tzinfo=None) - datetime(2000, 1, 1)).total_seconds() for t in times]
    place = np.round(seconds / 5).astype(int)
    last = np.searchsorted(place, row := np.arange(place[-1] + 1), "right") - 1  # before a gap
    signals = np.full((2, 1, len(row)), np.nan, np.float32)
    signals[:, 0, place] = [[float(r[k] or "nan") for r in table] for k in ("anglez", "enmo")]
    return (np.take(clock, last) + 5 * (row - place[last])).astype(np.int32)[None], *signals


if __name__ == "__main__":
    try:
        (run, classes), rows = load(Path(sys.argv[1])), rows_of(Path(sys.argv[2]))
        np.savetxt(sys.argv[3], run(*rows)[0], "%.6f", ",", header=",".join(classes), comments="")
    except (LookupError, TypeError, ValueError, OSError) as error:
        sys.exit(f"{' or '.join(sys.argv[1:3])} cannot be used: {error!r}. {__doc__}")
