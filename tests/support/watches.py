"""A folder with one recording in each kind of file that watches and their programs write."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from tests.support import actigraph, axivity, geneactiv


def watch_files(folder: Path) -> None:
    """Ten minutes of an arm, as each kind of watch and of export has them."""
    folder.mkdir()
    xyz = np.array([[0.6], [0.0], [0.8]]) + np.random.default_rng(0).normal(0, 0.02, (3, 30_000))
    begin = datetime(2024, 7, 1, 21, 30)
    actigraph.write(folder / "a.gt3x", xyz, 50, begin, zone="-05:00:00")
    geneactiv.write(folder / "g.bin", [xyz], 50, begin, zone="+01:00", n_samples=30_000)
    axivity.write(folder / "x.cwa", xyz[:, :29_600], 50, begin, 60)
    times = [
        f"{begin + timedelta(milliseconds=20 * i):%Y-%m-%d %H:%M:%S.%f}" for i in range(30_000)
    ]
    table = pl.DataFrame({"time": times, "x": xyz[0], "y": xyz[1], "z": xyz[2]})
    table.write_csv(folder / "raw.csv")
    table.write_parquet(folder / "raw.parquet")
    head = (
        "------------ Data File Created By ActiGraph GT3X+ ActiLife v6.13.3 Firmware v2.5.0 date "
        "format M/d/yyyy at 50 Hz  Filter Normal -----------\nSerial Number: X\n"
        "Start Time 21:30:00\nStart Date 7/1/2024\nEpoch Period (hh:mm:ss) 00:00:00\n"
        "-----------------------------\n"
    )
    rows = table.drop("time").write_csv(include_header=False)
    (folder / "actilife.csv").write_text(head + rows)
