"""Pictures of recordings: what is drawn where, by the right clock, and words for bad input."""

import struct
import xml.etree.ElementTree as ElementTree

import numpy as np
import polars as pl
import pytest

import sleepjax
from sleepjax.data.raw import iter_recordings, recordings_from_frame
from sleepjax.figures import shown as views
from sleepjax.figures.actogram import actogram
from sleepjax.figures.night import night_figure, stretch_figure
from sleepjax.figures.palette import png
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_HOUR, InputError
from tests.support.scripts import script


def frame(days: float, start: str, offsets=((0, -4),), series_id: str = "one") -> pl.DataFrame:
    """A made-up recording; ``offsets`` are (first row, hours from UTC), ``start`` is UTC."""
    n = int(days * STEPS_PER_DAY)
    rng = np.random.default_rng(0)
    rows = np.arange(n)
    hours = np.array([h for _, h in offsets])[
        np.searchsorted([row for row, _ in offsets], rows, side="right") - 1
    ]
    local = np.datetime64(start, "s") + 5 * rows + 3600 * hours
    stamps = np.datetime_as_string(local, unit="s").astype(object)
    return pl.DataFrame(
        {
            "series_id": [series_id] * n,
            "step": rows,
            "timestamp": [f"{s}{h:+03d}00" for s, h in zip(stamps, hours, strict=True)],
            "anglez": rng.uniform(-80, 80, n).astype(np.float32),
            "enmo": rng.uniform(0, 0.2, n).astype(np.float32),
        }
    )


AUTUMN = ("2018-11-03T16:00:00", ((0, -4), (14 * STEPS_PER_HOUR, -5)))  # 02:00 -> 01:00
SPRING = ("2018-03-10T17:00:00", ((0, -5), (14 * STEPS_PER_HOUR, -4)))  # 02:00 -> 03:00


def view_of(start, offsets, days=2.0, **known):
    (recording,) = recordings_from_frame(frame(days, start, offsets))
    return views.View(recording, **known)


@pytest.mark.parametrize(
    "start, offsets, hours", [(*AUTUMN, [12, 25, 11]), (*SPRING, [12, 23, 13])]
)
def test_a_day_has_the_hours_it_had(start, offsets, hours):
    view = view_of(start, offsets)
    assert (np.unique(view.day, return_counts=True)[1] / STEPS_PER_HOUR).tolist() == hours


def test_the_night_is_true_to_time_and_labelled_by_the_local_clock():
    figure = night_figure(view_of(*AUTUMN), "2018-11-03", "one")
    axis = figure.axes[-1]
    labels = [text.get_text() for text in axis.get_xticklabels()]
    assert labels[0] == labels[-1] == "12:00"
    apart = np.diff(axis.get_xticks())
    # From noon to noon are 25 hours: between 00:00 and 02:00 lie three of them.
    assert axis.get_xticks()[-1] - axis.get_xticks()[0] == pytest.approx(25)
    assert dict(zip(labels, apart, strict=False))["00:00"] == pytest.approx(3)
    assert any("clock -1 h" in text.get_text() for text in axis.texts)
    spring = night_figure(view_of(*SPRING), "2018-03-10", "one").axes[-1].get_xticks()
    assert spring[-1] - spring[0] == pytest.approx(23)


def drawn_hours(figure):
    """Hours at which found events are drawn in the actogram."""
    points = [c.get_offsets() for c in figure.axes[0].collections if len(c.get_offsets()) > 0]
    return sorted(float(x) for part in points for x, y in part if y < 0.1 and x > 0)


def test_events_stand_at_their_local_hour_before_and_after_the_change():
    rows = [13 * STEPS_PER_HOUR, 16 * STEPS_PER_HOUR]  # 01:00 before, 03:00 after the change
    found = pl.DataFrame({"event": ["onset", "wakeup"], "step": rows, "score": [0.9, 0.9]})
    figure = actogram(view_of(*AUTUMN, found=found), "one")
    # 3 Nov is above 4 Nov: the events are in the right half of one row and the left of the next.
    assert drawn_hours(figure) == pytest.approx([1, 3, 25, 27])
    notes = [text.get_text() for text in figure.axes[0].texts]
    assert notes.count("clock -1 h") == 2


def test_weak_events_are_left_out_and_shades_are_named():
    frame_ = frame(8, "2018-06-01T12:00:00")
    day = pl.col("step").is_between(4 * STEPS_PER_DAY, 4 * STEPS_PER_DAY + 6 * STEPS_PER_HOUR)
    shifted = [pl.col(name).shift(STEPS_PER_DAY) for name in ("anglez", "enmo")]
    copied = frame_.with_columns(
        pl.when(day).then(other).otherwise(pl.col(name)).alias(name)
        for name, other in zip(("anglez", "enmo"), shifted, strict=True)
    )
    still = pl.col("step").is_between(6 * STEPS_PER_DAY, 6 * STEPS_PER_DAY + 4 * STEPS_PER_HOUR)
    copied = copied.with_columns(anglez=pl.when(still).then(12.0).otherwise("anglez"))
    weak = pl.DataFrame({"event": ["onset"], "step": [900], "score": [0.05]})
    figure = sleepjax.plot(copied, weak)
    assert drawn_hours(figure) == []
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any("copy of another day" in word for word in words)
    assert any("no movement for 3 h" in word for word in words)
    assert not any("nothing measured" in word or "true" in word for word in words)
    view = views.of_frame(copied, None, None, None)
    assert 3.9 < view.motionless.sum() / STEPS_PER_HOUR < 4.1


def test_pictures_can_be_read(tmp_path):
    events = pl.DataFrame({"event": ["onset", "wakeup"], "step": [7000, 12000]})
    figure = sleepjax.plot(frame(2, *AUTUMN), events)
    head = png(figure)[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">I", head[16:20])[0] > 1000
    assert getattr(figure, "_repr_png_")()[:8]  # noqa: B009 == head[:8]  # what a notebook shows
    figure.savefig(tmp_path / "a.svg")
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    one_step = views.of_frame(frame(2, *AUTUMN).head(1), None, None, None)
    png(actogram(one_step, "one step"))
    png(stretch_figure(one_step, 0, 1, "one step"))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"night": "tomorrow"}, "night='tomorrow' is not a date; give its evening"),
        ({"night": "2020-01-01"}, "night 2020-01-01 is not in series 'one', which runs from 2018"),
        (
            {"events": pl.DataFrame({"event": ["onset"]})},
            "events: column 'step' is missing",
        ),
    ],
)
def test_words_for_what_cannot_be_drawn(change, message):
    with pytest.raises(InputError, match=message):
        sleepjax.plot(frame(1, *AUTUMN), **change)


def test_one_series_is_drawn():
    two = pl.concat([frame(1, *AUTUMN), frame(1, *AUTUMN, series_id="two")])
    with pytest.raises(InputError, match=r"holds 2 series \(one, two\); choose one"):
        sleepjax.plot(two)


def test_sleep_windows_and_non_wear_are_drawn():
    hour = STEPS_PER_HOUR
    windows = pl.DataFrame(
        {
            "onset_step": [10 * hour, 26 * hour],
            "wakeup_step": [19 * hour, 27 * hour],
            "main": [True, False],
        }
    )
    nonwear = np.zeros(2 * STEPS_PER_DAY, bool)
    nonwear[30 * hour : 33 * hour] = True
    view = view_of(*AUTUMN, windows=windows, nonwear=nonwear)
    figure = actogram(view, "one")
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"main sleep that was found", "nap", "watch not worn"} <= set(words)
    # From noon on the 3rd, an hour later by the clock from 01:00 on: 22:00 to 06:00.
    night = night_figure(view, "2018-11-03", "one")
    assert [text.get_text() for text in night.axes[0].texts] == ["22:00", "06:00"]


def test_a_real_recording(real_recording):
    (recording,) = iter_recordings(real_recording)
    view = views.View(recording)
    # The watch was taken off and posted on 21 November.
    assert {str(np.datetime64(int(d), "D")) for d in np.unique(view.day[~view.valid])} == {
        "2013-11-21",
        "2013-11-22",
    }
    assert len(png(actogram(view, "real"))) > 20_000


def test_script_draws_files_runs_and_nights(project, cohort, finished, tmp_path, capsys):
    main = script(project, "plot").main
    run = ["--workdir", str(finished.workdir), "--out", str(tmp_path)]
    assert main([*run, "--format", "png", "svg"]) == 0
    printed = capsys.readouterr().out.split()
    assert len(printed) == 4 and all((tmp_path / name).exists() for name in printed)
    series_id = pl.read_csv(cohort / "train_events.csv")["series_id"][0]
    file = ["--series", str(cohort / "train_series.parquet"), "--series_id", series_id]
    file += ["--events", str(cohort / "train_events.csv"), "--out", str(tmp_path / "file")]
    night = iter_recordings(cohort / "train_series.parquet").__next__().frame["clock"][0]
    assert main([*file, "--night", f"{night:%Y-%m-%d}", "--workdir", str(finished.workdir)]) == 0
    assert [p.stem for p in (tmp_path / "file").iterdir()] == [f"{series_id}_{night:%Y-%m-%d}"]


def test_series_that_cannot_be_drawn_are_named_and_left_out(
    project, finished, tmp_path, capsys, monkeypatch
):
    """One with a bad cell, one without the night asked for, one of which the model makes NaN."""
    main = script(project, "plot").main
    good, later = frame(1.5, "2018-11-03T16:00:00"), frame(1.5, "2018-12-03T16:00:00")
    bad = good.with_columns(series_id=pl.lit("bad"), enmo=pl.lit("."))
    later = later.with_columns(series_id=pl.lit("later"))
    path, out = tmp_path / "three.csv", tmp_path / "drawn"
    text = lambda part: part.cast({"enmo": pl.String})
    pl.concat(map(text, (good, bad, later))).write_csv(path)
    args = ["--series", str(path), "--out", str(out)]
    assert main(args) == 3
    assert sorted(p.stem for p in out.iterdir()) == ["later", "one"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: left out: three.csv, row") and "(series 'bad')" in line
    assert main([*args, "--night", "2018-12-03"]) == 3
    assert (out / "later_2018-12-03.png").exists()
    assert "left out: night 2018-12-03 is not in series 'one'" in capsys.readouterr().err

    from sleepjax.predict import Predictor

    find = Predictor.find

    def failing(self, recording):
        if recording.meta.series_id == "one":
            raise InputError("series 'one': the model gives NaN")
        return find(self, recording)

    monkeypatch.setattr(Predictor, "find", failing)
    assert main([*args, "--workdir", str(finished.workdir), "--out", str(tmp_path / "two")]) == 3
    assert [p.stem for p in (tmp_path / "two").iterdir()] == ["later"]
    assert main([*args, "--night", "1999-01-01"]) == 2


@pytest.mark.parametrize(
    "args, message",
    [
        ([], "error: give --series FILE, --workdir RUN, or both"),
        (["--workdir", "{run}", "--tz", "UTC"], "error: --tz is read with --series"),
        (["--series", "nowhere.parquet"], "error: --series 'nowhere.parquet' does not exist"),
        (["--workdir", "nowhere"], "error: nowhere is not a run directory"),
        (["--workdir", "{run}", "--series_id", "x"], "error: --series_id 'x' is not there; the"),
        (["--workdir", "{run}", "--out", "{run}/config.json"], "config.json' is a file; give"),
    ],
)
def test_script_says_what_is_wrong(project, finished, capsys, args, message):
    args = [arg.format(run=finished.workdir) for arg in args]
    assert script(project, "plot").main(args) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1]
