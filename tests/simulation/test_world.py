"""The population world: devices, people, wear, recordings, and the truth that is written down."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleepjax.data import windows
from sleepjax.data.compact import true_runs
from sleepjax.data.source import open_training_data
from sleepjax.simulation import Cohort, simulate, simulate_cohort, simulate_series
from sleepjax.simulation.annotation import HALF_HOUR
from sleepjax.simulation.behaviour import HOUR, MINUTE
from sleepjax.simulation.movement import Motion
from sleepjax.simulation.people import PEOPLE
from sleepjax.simulation.truth import StepTruth, persistent_sleep, times_in_bed
from sleepjax.simulation.watches import DEVICES
from sleepjax.simulation.wear import Unworn, lay_down
from sleepjax.simulation.world import RECORDINGS
from sleepjax.types import STEPS_PER_DAY, InputError
from tests.reference import simulate as oracle

PEOPLE_SEEN = 80


@pytest.fixture(scope="module")
def world():
    """Participants who wear a watch for two days at home, for a night, or for some hours."""
    return [simulate_series(1, index, 2, "world") for index in range(PEOPLE_SEEN)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("world") / "cohort"
    simulate_cohort(root, series=10, days=2, seed=3, population="world", truth="psg")
    return root


def test_signals_and_truth_fit_together(world):
    for one in world:
        arrays = (one.anglez, one.enmo, one.steps.asleep, one.steps.in_bed, one.steps.worn)
        assert {len(values) for values in arrays} == {one.clock.n_steps}
        assert one.anglez.dtype == one.enmo.dtype == np.float32
        assert np.nanmax(np.abs(one.anglez)) <= 90
        assert np.nanmin(one.enmo) >= 0 and np.nanmax(one.enmo) <= 7
        assert not (one.steps.asleep & ~one.steps.in_bed).any()
        assert np.isnan(one.enmo).mean() < 0.05


def test_all_kinds_occur(world):
    seen = Counter(fact for one in world for fact in one.facts.values())
    assert set(DEVICES) | set(PEOPLE) | set(RECORDINGS) <= set(seen)
    lengths = np.array([one.clock.n_steps for one in world])
    assert (lengths < 12 * HOUR).mean() > 0.4 and (lengths == 2 * STEPS_PER_DAY).mean() > 0.25


def test_same_key_same_participant(world):
    again = simulate_series(1, 5, 2, "world")
    assert again.facts == world[5].facts and again.labels == world[5].labels
    assert np.array_equal(again.anglez, world[5].anglez, equal_nan=True)
    assert np.array_equal(again.enmo, world[5].enmo, equal_nan=True)


@pytest.mark.parametrize("truth", ["annotated", "psg"])
def test_labels_are_in_order_and_inside(world, truth):
    for one in world:
        labels = one.labels if truth == "annotated" else one.psg_labels()
        assert [label.night for label in labels] == list(range(1, len(labels) + 1))
        pairs = [(label.onset, label.wakeup) for label in labels]
        whole = np.array([pair for pair in pairs if None not in pair], np.int64).reshape(-1, 2)
        assert (whole[:, 1] - whole[:, 0] >= HALF_HOUR).all()
        assert (np.diff(whole.ravel(), prepend=0, append=one.clock.n_steps - 1) >= 0).all()


def test_psg_labels_are_worn_persistent_sleep(world):
    found = 0
    for one in world:
        for label in one.psg_labels():
            if label.onset is None:
                continue
            found += 1
            assert one.steps.worn[label.onset : label.wakeup].all()
            first = one.steps.asleep[label.onset : label.onset + 10 * MINUTE]
            last = one.steps.asleep[label.wakeup - 10 * MINUTE : label.wakeup]
            assert first[0] and last[-1] and first.mean() > 0.9 and last.mean() > 0.9
    assert found > PEOPLE_SEEN


def test_a_laboratory_night_of_somebody_who_hardly_slept_is_a_night_too():
    """Of series 56 no night inside the recording lasts more than two hours."""
    one = simulate_series(9102, 56, 6, "calm_world")
    assert one.facts["recording"] == "laboratory" and one.clock.n_steps > 2 * HOUR
    assert one.steps.asleep.any()


def test_both_worlds_have_one_half_of_each():
    for index, name in ((0, "world"), (1, "calm_world")):
        both, one = (simulate_series(3, index, 3, which) for which in ("both_worlds", name))
        assert both.frame().equals(one.frame()) and both.facts == one.facts


def test_some_lie_still_and_awake_before_they_sleep(world):
    """A window of stillness begins long before persistent sleep in some, at it in others."""
    early = []
    for one in world:
        for bed in times_in_bed(one.steps):
            if bed.whole and bed.persistent:
                early.append((bed.persistent[0] - bed.bed) / MINUTE)
    assert np.quantile(early, 0.2) < 12 and np.quantile(early, 0.9) > 40


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 200)), min_size=1, max_size=12),
)
def test_persistent_sleep_equals_the_slow_reading(runs):
    asleep = np.repeat([kind for kind, _ in runs], [length for _, length in runs])
    assert persistent_sleep(asleep) == oracle.persistent_sleep(asleep.tolist(), 120, 0.95)


def test_persistent_sleep_of_real_nights(project):
    """The definition gives the very steps that came with 21 nights of polysomnography."""
    folder = project.parent / "shared" / "data" / "psg_nights"
    if not folder.is_dir():
        pytest.skip("no nights with polysomnography beside the project")
    stages = pl.read_parquet(folder / "psg_nights_sleep.parquet")
    for night in pl.read_csv(folder / "psg_nights_truth.csv").iter_rows(named=True):
        of_night = stages.filter(pl.col("series_id") == night["series_id"])["asleep"]
        found = persistent_sleep(of_night.fill_null(False).to_numpy())
        assert found == (night["persistent_onset_step"], night["persistent_wakeup_step"])


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 5)), min_size=1, max_size=20))
def test_runs_hold_every_step(parts):
    code = np.repeat([kind for kind, _ in parts], [length for _, length in parts])
    truth = StepTruth(code % 2 == 1, code // 2 % 2 == 1, code // 4 == 1)
    runs = truth.runs()
    lengths = runs["end_step"] - runs["start_step"]
    for name in ("asleep", "in_bed", "worn"):
        assert np.array_equal(np.repeat(runs[name], lengths), getattr(truth, name))
    steps = [row for start, end in true_runs(~truth.worn) for row in range(start, end)]
    assert steps == np.flatnonzero(~truth.worn).tolist()


def test_time_in_bed_up_to_an_hour_apart_is_one():
    asleep, in_bed = np.zeros((2, 10 * HOUR), bool)
    for start, end in ((1, 3), (3.8, 5), (7, 8)):
        in_bed[int(start * HOUR) : int(end * HOUR)] = True
        asleep[int((start + 0.2) * HOUR) : int(end * HOUR)] = True
    beds = times_in_bed(StepTruth(asleep, in_bed, np.ones_like(asleep)))
    assert [(bed.bed, bed.rise) for bed in beds] == [(720, 3600), (5040, 5760)]
    assert beds[0].persistent == (beds[0].first_sleep, beds[0].last_sleep) == (864, 3600)


def test_a_watch_on_a_table_is_still_but_for_jolts():
    n = 3 * STEPS_PER_DAY
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 30, n).astype(np.float32)
    motion = Motion(noise, np.zeros(n, np.float32), np.abs(noise) / 100, np.ones(n, bool))
    before = motion.angle.copy()
    lay_down(rng, motion, [Unworn(HOUR, n - HOUR, "table")])
    inside = slice(HOUR, n - HOUR)
    assert motion.moving[inside].mean() < 0.01 and len(true_runs(motion.moving[inside])) > 4
    assert np.median(motion.enmo[inside]) == 0
    assert np.array_equal(motion.angle[:HOUR], before[:HOUR])


def test_files_of_the_world(root):
    series = pl.read_parquet(root / "train_series.parquet")
    ids = series["series_id"].unique(maintain_order=True).to_list()
    lengths = dict(series.group_by("series_id").len().iter_rows())
    nonwear = pl.read_csv(root / "train_nonwear.csv")
    assert nonwear.columns == ["series_id", "start_step", "end_step"]
    assert nonwear["series_id"].unique(maintain_order=True).to_list() == ids
    steps = pl.read_parquet(root / "truth_steps.parquet")
    for series_id in ids:
        runs = steps.filter(pl.col("series_id") == series_id)
        assert runs["start_step"][0] == 0 and runs["end_step"][-1] == lengths[series_id]
        rows = nonwear.filter(pl.col("series_id") == series_id)
        unworn = runs.filter(~pl.col("worn"))
        total = (rows["end_step"] - rows["start_step"]).sum()
        assert total == (unworn["end_step"].cast(pl.Int64) - unworn["start_step"]).sum()
        assert rows["start_step"].is_null().any() == (total == 0)
    awake = pl.read_csv(root / "train_awake.csv").drop_nulls().rows()
    assert awake
    for series_id, start, end in awake:
        runs = steps.filter(series_id=series_id)
        asleep = runs.filter(pl.col("start_step") < end, pl.col("end_step") > start, "asleep")
        assert asleep.is_empty()
    people = pl.read_csv(root / "participants.csv")
    assert people["series_id"][:10].to_list() == ids and len(people) == 13
    assert set(people["device"]) <= set(DEVICES)
    beds = pl.read_csv(root / "truth_beds.csv").filter(pl.col("series_id").is_in(ids))
    events = pl.read_csv(root / "train_events.csv")
    onsets = events.filter(pl.col("event") == "onset").drop_nulls("step")
    assert set(onsets["step"]) <= set(beds.filter("whole")["persistent_onset"])


def test_short_recordings_are_trained_on(root, tiny_config, tmp_path):
    settings = {"data.root": str(root), "data.store": str(tmp_path / "store")}
    config = tiny_config(settings | {"data.duration": STEPS_PER_DAY})
    data = open_training_data(config.data, config.simulate)
    short = [s for s in data.train if s.meta.n_steps < 0.7 * STEPS_PER_DAY]
    short = [s for s in short if s.labels is not None and len(s.labels.nights)]
    assert short
    batch = windows.gather(short[0], 0, STEPS_PER_DAY, 12)
    frames = short[0].meta.n_steps // 12
    assert batch["mask"][:frames].mean() > 0.5 and not batch["mask"][frames + 1 :].any()


def test_only_the_wanted_devices_occur():
    wanted = ("coarse", "axivity")
    seen = {simulate_series(2, index, 1, "world", wanted).facts["device"] for index in range(12)}
    assert seen == set(wanted)


def test_frames_in_memory_take_population_devices_and_truth():
    recordings, events = simulate(
        series=2, days=1, population="world", devices=["geneactiv"], truth="psg"
    )
    one = simulate_series(0, 1, 1, "world", ("geneactiv",))
    mine = recordings.filter(pl.col("series_id") == one.series_id)
    assert mine.equals(one.frame())
    assert events.filter(pl.col("series_id") == one.series_id).height == 2 * len(one.psg_labels())


@pytest.mark.parametrize(
    "bad, text",
    [
        ({"population": "wrold"}, "population='wrold' is unknown, did you mean 'world'"),
        ({"truth": "diary"}, "truth='diary' is unknown.*annotated, psg"),
        ({"population": "world", "devices": ("actigrph",)}, "did you mean 'actigraph'"),
        ({"devices": ("coarse",)}, "devices=coarse needs population='world'"),
    ],
)
def test_unknown_names_are_refused(bad, text):
    with pytest.raises(InputError, match=text):
        Cohort(**bad)


def test_every_cohort_has_its_own_folder():
    cohorts = [
        Cohort(80, 14),
        Cohort(80, 14, population="world"),
        Cohort(80, 14, population="world", truth="psg"),
        Cohort(80, 14, population="world", devices=("coarse",)),
        Cohort(80, None),
    ]
    assert cohorts[0].folder_name == "competition-series80-days14-seed0"
    assert len({cohort.folder_name for cohort in cohorts}) == len(cohorts)
