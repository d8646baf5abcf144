"""Merged tables: ordered, nothing twice, ids unique, whole whenever they are looked at."""

import re
from pathlib import Path

import polars as pl
import pytest

from sleepjax.nights.columns import schema
from sleepjax.nights.night_columns import NIGHTS
from sleepjax.nights.people_columns import RECORDINGS
from sleepjax.processing import outputs, results
from sleepjax.processing.results import DONE, DUPLICATE, FAILED, Outcome
from sleepjax.types import InputError

MADE = {"sleepjax": "0", "simulated": False, "settings": {}}


def result(out: Path, name: str, content: str, *series: str) -> Outcome:
    """Store the result of a made-up file with two nights in each series."""
    outcome = Outcome(
        name, DONE, sha256=content, key=results.key(content, name, "same"), series=series,
        nights=2 * len(series), days=2.0, seconds=1.0,
        reports=tuple(f"report-{i}.html" for i in range(len(series))),
    )  # fmt: skip
    if results.read(out, outcome.key):
        return outcome
    nights = {
        "series_id": [s for s in series for _ in range(2)],
        "person": [s for s in series for _ in range(2)], "night": [1, 2] * len(series),
        "kind": "main", "spt_min": 480.0, "reasons": ["", "not_worn"] * len(series),
        "onset": [f"2018-08-{d}T23:00:00+0100" for d in (14, 15)] * len(series),
        "wakeup": [f"2018-08-{d}T07:00:00+0100" for d in (15, 16)] * len(series),
        "onset_step": [1000, 18_280] * len(series), "worn_h": 24.0,
    }  # fmt: skip
    recordings = {
        "series_id": series, "person": series, "days": 2.0, "reasons": "",
        "begin": "2018-08-14T12:00:00+0100", "end": "2018-08-16T12:00:00+0100",
    }  # fmt: skip
    with results.written(out, outcome.key, out / "new") as folder:
        filled(nights, NIGHTS).write_parquet(folder / "nights.parquet")
        filled(recordings, RECORDINGS).write_parquet(folder / "recordings.parquet")
        for report in outcome.reports:
            (folder / report).write_text(f"{name} {report}")
        results.write_outcome(folder, outcome)
    return outcome


def filled(values: dict, columns) -> pl.DataFrame:
    """A table with these values, and 1 in all other columns."""
    types = schema(columns)
    known = pl.DataFrame(values)
    return known.select(
        (pl.col(name) if name in values else pl.lit(1)).cast(dtype).alias(name)
        for name, dtype in types.items()
    )


def test_tables_hold_every_result_once_in_the_order_of_names(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "AT_ONCE", 2)
    found = [result(tmp_path, f"{name}.csv", name, name) for name in "dbeac"]
    found.append(Outcome("bb.csv", FAILED, "the file is empty"))
    outcomes = outputs.write(tmp_path, found, MADE)
    nights = pl.read_csv(tmp_path / "nights.csv")
    assert nights["series_id"].to_list() == [name for name in "abcde" for _ in range(2)]
    assert nights["file"].to_list() == [f"{name}.csv" for name in "abcde" for _ in range(2)]
    assert pl.read_parquet(tmp_path / "nights.parquet").schema["spt_min"] == pl.Float64
    assert pl.read_csv(tmp_path / "nights_clean.csv")["night"].to_list() == [1] * 5
    assert pl.read_csv(tmp_path / "people.csv")["person"].to_list() == list("abcde")
    assert pl.read_csv(tmp_path / "recordings.csv").height == 5
    status = pl.read_csv(tmp_path / "status.csv")
    assert status["path"].to_list() == [o.name for o in outcomes]
    assert status.filter(path="bb.csv").row(0) == (
        "bb.csv", FAILED, "the file is empty", 0, 0, 0.0, 0.0, None
    )  # fmt: skip
    assert "the file is empty" in (tmp_path / "study.html").read_text()
    names = {path.name: path.read_text() for path in (tmp_path / "reports").iterdir()}
    assert names == {f"{name}.html": f"{name}.csv report-0.html" for name in "abcde"}


def test_the_same_content_under_two_names_counts_once(tmp_path):
    found = [result(tmp_path, name, "same", "a") for name in ("z/a.csv", "copy.csv", "b.csv")]
    outcomes = {one.name: one for one in outputs.write(tmp_path, found, MADE)}
    assert outcomes["b.csv"].state == DONE
    for name in ("copy.csv", "z/a.csv"):
        assert outcomes[name].state == DUPLICATE
        assert outcomes[name].reason == "the same content as b.csv"
    assert pl.read_csv(tmp_path / "nights.csv")["file"].to_list() == ["b.csv"] * 2
    assert pl.read_csv(tmp_path / "status.csv")["nights"].to_list() == [2, 0, 0]


def test_a_series_id_of_several_files_is_completed(tmp_path):
    found = [
        result(tmp_path, "s1/rec.csv", "one", "rec"),
        result(tmp_path, "s2/rec.csv", "two", "rec", "own"),
    ]
    first, second = outputs.write(tmp_path, found, MADE)
    names = ["s1/rec.csv:rec", "s2/rec.csv:rec", "own"]
    nights = pl.read_csv(tmp_path / "nights.csv")
    assert nights["series_id"].unique().sort().to_list() == sorted(names)
    assert pl.read_csv(tmp_path / "people.csv")["person"].to_list() == sorted(names)
    assert first.state == DONE and first.reason == (
        "other files have series 'rec', too: called 's1/rec.csv:rec' here"
    )
    assert second.reason.endswith("called 's2/rec.csv:rec' here")
    pages = sorted(path.read_text() for path in (tmp_path / "reports").iterdir())
    assert pages == ["s1/rec.csv report-0.html", "s2/rec.csv report-0.html",
                     "s2/rec.csv report-1.html"]  # fmt: skip


def test_without_any_result_the_tables_have_their_columns(tmp_path):
    outputs.write(tmp_path, [result(tmp_path, "a.csv", "a", "a")], MADE)
    outputs.write(tmp_path, [Outcome("a.csv", FAILED, "no")], MADE)
    for name in ("nights.csv", "nights_clean.csv", "people.csv", "recordings.csv"):
        table = pl.read_csv(tmp_path / name)
        assert table.height == 0 and table.width > 5
    assert not (tmp_path / "reports").exists()
    assert "a.csv" in (tmp_path / "study.html").read_text()


def test_every_column_is_in_the_dictionary_and_numbers_are_short(tmp_path):
    found = [result(tmp_path, "a.csv", "a", "a")]
    diary = pl.DataFrame(
        {"row": 2, "person": "a", "date": "2018-08-14", "bed": None, "onset": 1_534_284_901,
         "wakeup": 1_534_316_700, "rise": None},
        schema_overrides={"bed": pl.Int64, "rise": pl.Int64},
    )  # fmt: skip
    outputs.write(tmp_path, found, MADE, diary=diary)
    known = pl.read_csv(tmp_path / "dictionary.csv")
    for table in ("nights", "people", "recordings", "diary", "status"):
        written = pl.read_csv(tmp_path / f"{table}.csv")
        assert (
            written.columns
            == known.filter(pl.col("type") != "reason code", table=table)["column"].to_list()
        )
        for number in written.select(pl.col(pl.Float64)):
            assert number.equals(number.round(4))


def test_recordings_of_one_person_are_put_together(tmp_path, capsys):
    found = [result(tmp_path, f"{name}.csv", name, name) for name in "abc"]
    people = pl.DataFrame({"file": ["a.csv", "b.csv", "d.csv"], "person": ["ann", "ann", "dan"]})
    outputs.write(tmp_path, found, MADE, people=people)
    nights = pl.read_csv(tmp_path / "nights.csv")
    assert nights["person"].to_list() == ["ann"] * 4 + ["c"] * 2
    # Both recordings of ann are of the same time: one of each two equal nights counts.
    assert nights["reasons"].to_list()[:4] == [
        "", "not_worn", "recorded_twice", "not_worn recorded_twice"
    ]  # fmt: skip
    ann, c = pl.read_csv(tmp_path / "people.csv").rows(named=True)
    assert (ann["person"], ann["recordings"], ann["clean_nights"]) == ("ann", 2, 1)
    assert (ann["overlap_h"], c["overlap_h"], c["clean_nights"]) == (48, 0, 1)
    error = capsys.readouterr().err
    assert "file in the file of people that none has (1): d.csv" in error
    assert "file not in it, so that each is a person (1): c.csv" in error
    assert "same name" not in error
    renamed = people.with_columns(person=pl.Series(["c", "c", "dan"]))
    outputs.write(tmp_path, found, MADE, people=renamed)
    error = capsys.readouterr().err
    assert "not in it, and taken for that of the person of the same name (1): c.csv" in error
    assert "each is a person" not in error
    outputs.write(tmp_path, found, MADE, people=people)
    study = (tmp_path / "study.html").read_text()
    assert "ann (48.0 h)" in study and "dan" in study
    page = (tmp_path / "reports" / "people" / "ann.html").read_text()
    assert 'href="../a.html"' in page and "In 48.0 hours two recordings overlap" in page
    assert not (tmp_path / "reports" / "people" / "c.html").exists()
    outputs.write(tmp_path, found, MADE)
    assert not (tmp_path / "reports" / "people").exists()


def test_what_a_power_failure_cut_short_is_made_again_or_named(tmp_path):
    one, other = (result(tmp_path, name, name, name) for name in ("a.csv", "b.csv"))
    folder = results.folder(tmp_path, one.key)
    (folder / "result.json").write_text('{"name"')
    assert results.read(tmp_path, one.key) is None and not folder.exists()
    cut = results.folder(tmp_path, other.key) / "nights.parquet"
    cut.write_bytes(cut.read_bytes()[:-9])
    with pytest.raises(InputError, match=f"{cut}, the stored result of b.csv, is damaged; remove"):
        outputs.write(tmp_path, [other], MADE)


def test_the_study_leads_to_everybody(tmp_path):
    found = [result(tmp_path, f"{name}.csv", name, name) for name in "abc"]
    people = pl.DataFrame({"series_id": ["a", "b"], "person": ["Ann Ü", "Ann Ü"]})
    outputs.write(tmp_path, found, MADE, people=people)
    page = (tmp_path / "study.html").read_text()
    links = re.findall('<td><a href="([^"]+)">([^<]+)</a>', page)
    assert {text for _, text in links} == {"Ann Ü", "c"}
    assert all((tmp_path / address).is_file() for address, _ in links)


@pytest.mark.parametrize("stage", ["_sink", "_link_reports", "_study"])
def test_a_fault_while_writing_leaves_whole_tables(tmp_path, monkeypatch, stage):
    outputs.write(tmp_path, [result(tmp_path, "a.csv", "a", "a")], MADE)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, stage, full)
    both = [result(tmp_path, name, name, name) for name in ("a.csv", "b.csv")]
    with pytest.raises(OSError, match="No space"):
        outputs.write(tmp_path, both, MADE)
    after = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    assert after.keys() == before.keys() and after["status.csv"] == before["status.csv"]
    for name in ("nights.csv", "people.csv"):
        assert pl.read_csv(tmp_path / name).height in (1, 2, 4)
