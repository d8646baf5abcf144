"""A stream finds what offline prediction finds, however samples are divided, and in time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sleepjax
from sleepjax.data import derived
from sleepjax.data.raw import recordings_from_frame
from sleepjax.inference import Windowing, predict_series
from sleepjax.live import settled, stream
from sleepjax.live.stream import BLOCK, Stream
from sleepjax.types import InputError
from tests.reference.series import START, rows
from tests.support.live import member, predictor

HOUR = 720
COLUMNS = ["timestamp", "anglez", "enmo"]
MODELS = {
    "offline": predictor(member(960, 480, 60)),
    "worn": predictor(member(1440, 700, 100, worn=0.5)),
    "ensemble": predictor(member(960, 480, 60), member(2400, 720, 0, worn=0.5)),
    "causal": predictor(member(960, 60, 0, latency=180)),
    "repeat": predictor(member(960, 480, 60, features=("enmo", "repeat"))),
}


@st.composite
def recordings(draw):
    """One to one and a half days with stretches at rest, gaps, and values that are missing."""
    seed = draw(st.integers(0, 2**32))
    n = draw(st.integers(17_000, 26_000))
    rng = np.random.default_rng(seed)
    frame = rows(n, "s", seed=seed)
    anglez, enmo = frame["anglez"].to_numpy().copy(), frame["enmo"].to_numpy().copy()
    for _ in range(draw(st.integers(0, 3))):
        first, size = rng.integers(n), rng.integers(2_000, 9_000)
        anglez[first : first + size] = rng.uniform(-80, 80)
    anglez[rng.random(n) < 0.001] = np.nan
    enmo[rng.random(n) < 0.001] = 50.0
    frame = frame.with_columns(anglez=pl.Series(anglez), enmo=pl.Series(enmo))
    kept = np.ones(n, bool)
    for _ in range(draw(st.integers(0, 4))):
        first, size = rng.integers(1, n - 1), rng.choice([1, 30, 61, 500, 3_000])
        kept[first : min(first + size, n - 20)] = False
    return frame.filter(pl.Series(kept))


def in_parts(frame, seed, smallest=1):
    """The frame in parts of very different sizes."""
    rng = np.random.default_rng(seed)
    first = 0
    while first < len(frame):
        size = max(smallest, int(10 ** rng.uniform(0, 4)))
        yield frame[first : first + size].select(COLUMNS)
        first += size


@pytest.fixture(autouse=True)
def short_memory(monkeypatch):
    """Forgets within hours what it forgets within days, so that a day's recording shows it."""
    monkeypatch.setattr(settled, "KEPT", 2 * HOUR)
    monkeypatch.setattr(stream, "FORGET", 100)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=4)
@given(frame=recordings(), seed=st.integers(0, 2**32))
def test_final_probabilities_are_those_of_offline_prediction(name, frame, seed):
    model = MODELS[name]
    offline = model.probabilities(frame)
    made, found = Stream(model, "s", latency=None), []
    for part in in_parts(frame, seed):
        update = made.push(part)
        made = Stream.restore(made.to_bytes(), model)
        found.append(update.final)
        assert made.state is not None and not len(update.live)
    final = pl.concat(found)
    assert final["step"].to_list() == list(range(len(final)))
    assert final.drop("timestamp").equals(offline.head(len(final)))
    # No later than said, but for the time that a watch at rest adds.
    assert made.state is not None
    rows_known = made.state.rows
    # As of the last whole block: what a rest that ends after it holds back comes with the next.
    whole = rows_known.stop // BLOCK * BLOCK - rows_known.first
    last = replace(rows_known, signals=rows_known.signals[:, :whole])
    latest = min(last.stop, last.known()[1])
    assert len(final) >= latest - made.minutes["final"] * 12
    assert final["timestamp"].to_list()[-5:] == stamps(frame, final["step"].to_list()[-5:])
    assert rows_known.signals.shape[1] < 12_000 or name == "repeat"


def stamps(frame, steps):
    recording = recordings_from_frame(frame)[0]
    return sleepjax.postprocess.with_timestamps(pl.DataFrame({"step": steps}), recording.meta)[
        "timestamp"
    ].to_list()


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=3)
@given(frame=recordings(), seed=st.integers(0, 2**32), latency=st.sampled_from([5, 15, 62.5]))
def test_live_probabilities_are_those_of_what_had_come_by_then(name, frame, seed, latency):
    model, steps = MODELS[name], round(latency * 12)
    frame = frame.head(9_000)
    made = Stream(model, "s", latency=latency)
    live = pl.concat([made.push(part).live for part in in_parts(frame, seed)])
    assert live["step"].to_list() == list(range(len(live)))
    whole = recordings_from_frame(frame)[0]
    assert len(live) == (whole.meta.n_steps - 1) // BLOCK * BLOCK - steps + BLOCK
    rng = np.random.default_rng(seed)
    for end in rng.choice(np.arange(steps // BLOCK + 1, len(live) // BLOCK), 3) * BLOCK:
        first = max(end - steps, 0)
        expected = as_of(model, frame, end, steps)[first : end - steps + BLOCK]
        found = live.filter(pl.col("step").is_between(first, end - steps + BLOCK, closed="left"))
        np.testing.assert_array_equal(found.to_numpy()[:, 3:].astype(np.float32), expected)


@pytest.mark.parametrize("name", MODELS)
def test_so_far_is_offline_prediction_of_what_has_come(name):
    frame = rows(7_000, "s", seed=3)
    made = Stream(MODELS[name], "s", latency=None)
    for n in (40, 1_000, 7_000):
        made.push(frame[0 if made.state is None else made.state.rows.stop + 1 : n].select(COLUMNS))
        found = made.so_far()
        offline = MODELS[name].find(recordings_from_frame(frame[: n - 1])[0])
        first = found.recording.meta.first_step
        np.testing.assert_array_equal(found.probabilities, offline.probabilities[first:])
        assert found.recording.frame.equals(offline.recording.frame[first:])
    assert first > 0 or name == "repeat"


def as_of(model, frame, end, latency):
    """Probabilities by windows with that latency, of the recording until step ``end``."""
    whole = recordings_from_frame(frame)[0]
    cut = frame.filter(pl.col("step") < end)
    early = recordings_from_frame(cut)[0]
    missing = end - early.meta.n_steps  # where a gap comes then
    assert whole.meta.start == early.meta.start
    if missing:
        last = cut[-1]
        stamp = pl.Series([stamps(frame, [end - 1])[0]], dtype=pl.String)
        nothing = last.with_columns(timestamp=stamp, anglez=None, enmo=None, step=end - 1)
        nothing = nothing.cast(dict(zip(cut.columns, cut.dtypes, strict=True)))
        early = recordings_from_frame(pl.concat([cut, nothing]))[0]
    each = []
    for one in model.members:
        series = derived.with_features(early, tuple(one.config.data.features))
        how = replace(Windowing.of(one.config), latency=latency, stride=BLOCK)
        each.extend(predict_series([series], one.predict_fn, how))
    common = min(probs.shape[1] for probs in each)
    return np.mean([probs[:, :common] for probs in each], axis=0)


# ---- the shipped weights


def released(frame):
    """(predictor, what offline prediction finds, what a stream finds, the stream)."""
    model = sleepjax.load()
    made = Stream(model, frame["series_id"][0], latency=None)
    updates = [made.push(part) for part in in_parts(frame, 1, smallest=400)]
    names = ("final", "events", "windows")
    found = {name: pl.concat([getattr(update, name) for update in updates]) for name in names}
    return model, model.find(recordings_from_frame(frame)[0]), found, made


def check_released(frame, monkeypatch):
    monkeypatch.undo()
    model, offline, found, made = released(frame)
    final = found["final"]
    assert len(final) >= len(frame) - made.minutes["final_at_rest"] * 12
    expected = offline.curves.head(len(final))
    np.testing.assert_allclose(
        final.drop("series_id", "step", "timestamp"), expected.drop("series_id", "step"), atol=1e-5
    )
    assert made.state is not None
    events = offline.events.filter(pl.col("step") < made.state.given.events_to)
    assert len(events) and same(found["events"], events)
    ends = len(final) - settled.AFTER_WINDOW - settled.EVERY
    slept = offline.windows.filter(pl.col("wakeup_step") <= ends)
    assert len(slept) and same(found["windows"].head(len(slept)), slept)
    assert len(made.to_bytes()) < 5_000_000
    return slept


def same(found, expected):
    """Whether two frames are equal, but for scores that differ by less than 1e-4."""
    numbers = [name for name, dtype in expected.schema.items() if dtype == pl.Float64]
    np.testing.assert_allclose(
        found.select(numbers).to_numpy(), expected.select(numbers).to_numpy(), atol=1e-4
    )
    return found.drop(numbers).equals(expected.drop(numbers))


def test_events_and_windows_of_simulated_days_are_those_of_offline_prediction(monkeypatch):
    frame, _ = sleepjax.simulate(series=1, days=5, seed=4)
    check_released(frame, monkeypatch)


@pytest.mark.slow
def test_nights_of_the_real_recording_are_those_of_offline_prediction(real_recording, monkeypatch):
    assert len(check_released(pl.read_parquet(real_recording), monkeypatch)) >= 5


# ---- what is refused


def begun(**settings):
    made = Stream(MODELS["offline"], "wrist", **settings)
    made.push(rows(900).select(COLUMNS))
    return made


def refused(made, frame, text):
    """The push is refused with the text, and leaves the stream as it was."""
    before = made.to_bytes()
    with pytest.raises(InputError, match=text):
        made.push(frame)
    assert made.to_bytes() == before


def test_samples_out_of_order_are_refused():
    later = rows(1_000).select(COLUMNS)[900:]
    refused(
        begun(), rows(10).select(COLUMNS),
        r"stream 'wrist', row 0: the sample of 2018-08-14T11:30:00-0400 is 4495 s older than the "
        "newest one before it; push samples in order of time",
    )  # fmt: skip
    refused(begun(), later.reverse(), "row 1: the sample of .* is 5 s older")
    made = begun()
    made.push(later)
    made.push(later[-1:])
    assert (made.counts.n_samples, made.counts.n_duplicates) == (1_000, 1)


def test_samples_that_are_not_what_a_stream_takes_are_refused():
    later = rows(5_000).select(COLUMNS)[900:]
    refused(begun(), later.drop("enmo"), "stream 'wrist': column 'enmo' is missing")
    mg = later.with_columns(pl.col("enmo") * 1000 + 20)
    refused(begun(), mg, "of enmo are outside 0 to 13 g.*divide enmo by 1000")
    refused(begun(), later.with_columns(timestamp=pl.lit("noon")), "row 0: timestamp 'noon' cannot")
    late = rows(10, start=START + timedelta(days=40)).select(COLUMNS)
    refused(begun(), late, "nothing in the 40 days before .*Start another stream there")
    for seconds, pace in ((1.0, "faster"), (60.0, "slower")):
        made = Stream(MODELS["offline"])
        with pytest.raises(InputError, match=f"a sample every {seconds:g} s, {pace} than a stream"):
            made.push(rows(3_000, seconds=seconds).select(COLUMNS))
    radians = rows(20_000).with_columns(pl.col("anglez") / 57.3).select(COLUMNS)
    made = Stream(MODELS["repeat"], latency=None)
    with pytest.raises(InputError, match="degrees vs radians"):
        for part in in_parts(radians, 0, smallest=3_000):
            made.push(part)
    nothing = pl.DataFrame(dict.fromkeys(COLUMNS, []))  # columns without a type
    for made in (begun(), Stream(MODELS["offline"])):
        assert made.push(later[:0]).live.is_empty() and made.push(nothing).live.is_empty()


def test_a_model_or_a_latency_that_a_stream_cannot_have():
    whole = predictor(member(960, 480, 60, features=("enmo", "turn_5min")))
    with pytest.raises(InputError, match="feature 'turn_5min': it may look at the whole recording"):
        Stream(whole)
    with pytest.raises(InputError, match="latency=4 minutes must lie between 5 and 80"):
        Stream(MODELS["offline"], latency=4)
    unusable: list[tuple[Any, str]] = [
        ({"latency": "5"}, "latency='5' minutes must lie between 5 and 80"),
        ({"tz": "Mars/Base"}, "time zone 'Mars/Base' is unknown"),
        ({"tz": 5}, "time zone 5 is unknown"),
        ({"series_id": ""}, "series_id='' must be text: the name of the recording"),
        ({"series_id": None}, "series_id=None must be text"),
    ]
    for wrong, message in unusable:
        with pytest.raises(InputError, match=message):
            Stream(MODELS["offline"], **wrong)
    with pytest.raises(InputError, match="post.pair chooses among the events of the whole"):
        Stream(predictor(member(960, 480, 60), pair=True))


def test_bytes_that_are_no_stream_of_this_model_are_refused():
    data = begun().to_bytes()
    restore = lambda data, name="offline": Stream.restore(data, MODELS[name])
    assert restore(data).to_bytes() == data
    with pytest.raises(InputError, match=r"not a saved stream of sleepjax \(it begins with b'PK"):
        restore(b"PK" + data)
    with pytest.raises(InputError, match="has format 2 and this version of sleepjax reads 1"):
        restore(data.replace(b'"format": 1', b'"format": 2', 1))
    for damaged in (data[:-1], data[:200], data[:-9] + b"x" + data[-8:]):
        with pytest.raises(InputError, match="is damaged .*use another copy"):
            restore(damaged)
    with pytest.raises(InputError, match="damaged in its first line"):
        restore(data[:30])
    with pytest.raises(InputError, match="belongs to another model"):
        restore(data, "worn")
    fresh = Stream(MODELS["offline"], "new", tz="Europe/Paris", latency=None)
    again = restore(fresh.to_bytes())
    assert (again.series_id, again.tz, again.latency, again.state) == (
        "new", "Europe/Paris", None, None
    )  # fmt: skip
