"""The rows of a parquet file's row groups: those that it was written with, or a ValueError."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax import tables
from sleepjax.row_groups import row_groups


@given(n=st.integers(1, 300), size=st.integers(5, 100), statistics=st.booleans())
def test_they_are_those_that_the_file_was_written_with(tmp_path_factory, n, size, statistics):
    path = tmp_path_factory.getbasetemp() / "groups.parquet"
    table = pl.DataFrame({"a": range(n), "b": ["x"] * n, "c": [True] * n, "d": [[1.5]] * n})
    table.write_parquet(path, row_group_size=size, statistics=statistics)
    groups = row_groups(path)
    assert sum(groups) == n and max(groups) <= size


def test_a_damaged_footer_is_a_value_error(tmp_path):
    path = tmp_path / "x.parquet"
    pl.DataFrame({"a": range(1000), "b": ["x"] * 1000}).write_parquet(path, row_group_size=100)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for at in rng.integers(len(content) // 2, len(content), 5):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            row_groups(path)
        except ValueError:
            refused += 1
    assert refused > 100
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"x.parquet: the footer cannot be read"):
        row_groups(path)


@pytest.mark.parametrize(
    "size, batches", [(1000, [1000]), (60, [120] * 8 + [40]), (100, [100] * 10)]
)
def test_no_row_group_is_decoded_twice(tmp_path, monkeypatch, size, batches):
    path = tmp_path / "x.parquet"
    table = pl.DataFrame({"a": range(1000)})
    with path.open("wb") as file:
        table.write_parquet(file, row_group_size=size)
    monkeypatch.setattr(tables, "_BATCH_ROWS", 100)
    found = list(tables.iter_table(path, ["a"], lambda schema, name: None))
    assert row_groups(path) == [size] * (1000 // size) + [1000 % size] * (1000 % size > 0)
    assert [one.height for one in found] == batches
    assert pl.concat(found).equals(table)
