"""Agreement of windows: a worked example by hand, matching, what is missed or left out, stages."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import t as student

from sleepjax.metrics import agreement
from sleepjax.types import InputError
from tests.support.agreement import FOUND, TRUTH, windows


def test_worked_example():
    result = agreement(TRUTH, FOUND)
    assert (result.n_truth, result.missed, result.extra) == (4, 1, 1)
    assert result.nights["onset_error"].to_list() == [5, -10, 20, None]
    assert result.nights["wakeup_error"].to_list() == [0, 10, -30, None]
    assert result.nights["duration_error"].to_list() == [-5, 20, -50, None]
    assert result.nights["midpoint_error"].to_list() == [2.5, 0, -5, None]
    onset = result.differences["onset"]
    assert (onset.n, onset.mean, onset.median) == (3, 5, 5)
    assert onset.mean_absolute == pytest.approx(35 / 3)
    assert (onset.median_absolute, onset.q90_absolute) == (10, 18)
    assert onset.sd == 15  # sqrt((0 + 225 + 225) / 2)
    assert onset.limits == pytest.approx((5 - 29.4, 5 + 29.4))
    t = student.ppf(0.975, 2)  # 4.3027
    assert onset.mean_interval == pytest.approx(
        (5 - t * 15 / math.sqrt(3), 5 + t * 15 / math.sqrt(3))
    )
    of_limit = t * 15 * math.sqrt(1 / 3 + 1.96**2 / 4)
    assert onset.high_interval == pytest.approx((34.4 - of_limit, 34.4 + of_limit))
    assert onset.low_interval == pytest.approx((-24.4 - of_limit, -24.4 + of_limit))
    assert onset.within == {5: 0.25, 15: 0.5, 30: 0.75}  # of four: the missed night is not within
    # Draws of two people: a, a gives 7.5; a, b 10; b, b 20.
    assert onset.median_absolute_interval == (7.5, 20)
    a, b = result.persons.rows(named=True)
    assert (a["nights"], a["missed"], a["extra"]) == (2, 0, 0)
    assert (b["nights"], b["missed"], b["extra"]) == (2, 1, 1)
    assert a["onset_mean"] == -2.5 and a["onset_median_absolute"] == 7.5


def test_the_1999_example_of_bland_and_altman():
    """n = 17, mean difference -2.1, SD 38.8 l/min: 95 % of the limits as they are published."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=17)
    error = -2.1 + 38.8 * (z - z.mean()) / z.std(ddof=1)
    n = np.arange(17)
    truth = windows([(f"s{i}", 100_000, 200_000) for i in n])
    found = windows([(f"s{i}", 100_000 + 12 * e, 200_000.0) for i, e in zip(n, error, strict=True)])
    onset = agreement(truth, found).differences["onset"]
    assert onset.limits == pytest.approx((-78.1, 73.9), abs=0.1)
    assert onset.low_interval == pytest.approx((-113.3, -43.0), abs=2)


def test_the_largest_overlap_decides():
    truth = windows([("a", 0, 1000), ("a", 1000, 2000)])
    found = windows([("a", 100, 1900), ("a", 1950, 2500), ("a", 50, 90)])
    result = agreement(truth, found)
    # The long one overlaps both by 900: the earlier true window takes it, the next has its own.
    assert result.nights["found_onset"].to_list() == [100, 1950]
    assert (result.missed, result.extra) == (0, 1)
    assert agreement(truth, windows([("a", 2000, 2100)])).missed == 2  # touching is no overlap


def test_events_of_the_competition_and_named_columns():
    events = pl.DataFrame(
        {
            "series_id": ["a"] * 6,
            "night": [1, 1, 2, 2, 3, 3],
            "event": ["onset", "wakeup"] * 3,
            "step": [1200, 6000, None, None, 18_480, 23_280],
        }
    )
    result = agreement(events, FOUND)
    assert result.nights["onset_error"].to_list() == [5, -10]
    assert result.left_out == {
        "true windows without both ends": 1,
        "found windows of series without truth": 2,
    }
    renamed = TRUTH.rename({"onset_step": "persistent_onset", "wakeup_step": "end"})
    again = agreement(renamed, FOUND, onset="persistent_onset", wakeup="end")
    assert again.nights.equals(agreement(TRUTH, FOUND).nights)


def test_series_of_one_person_are_drawn_together():
    truth = TRUTH.with_columns(person=pl.lit("same"))
    onset = agreement(truth, FOUND).differences["onset"]
    assert onset.median_absolute_interval == (10, 10)


def test_nothing_found_and_one_night():
    nothing = agreement(TRUTH, FOUND.clear())
    assert nothing.missed == 4 and nothing.differences["onset"].within[30] == 0
    assert math.isnan(nothing.differences["onset"].median_absolute)
    one = agreement(TRUTH.head(1), FOUND)
    assert one.differences["onset"].median_absolute == 5
    assert math.isnan(one.differences["onset"].sd)


def test_naps_of_the_table_of_nights_are_not_judged():
    kind = pl.Series("kind", ["nap", "main", None, *["none"] * (len(FOUND) - 3)], dtype=pl.String)
    assert agreement(TRUTH, FOUND.with_columns(kind)).left_out["found naps"] == 1
    assert "found naps" not in agreement(TRUTH, FOUND.with_columns(kind), naps=True).left_out


@pytest.mark.parametrize("spelled", [["true", "false"], ["TRUE", "FALSE"], [1, 0]])
def test_spellings_of_main(spelled):
    """As other programs write them; a csv without rows has text in every column."""
    main = pl.Series("main", [spelled[i > 0] for i in range(len(FOUND))])
    found = FOUND.with_columns(main)
    assert agreement(TRUTH, found).left_out["found naps"] == len(FOUND) - 1
    empty = found.clear().cast(pl.String)
    assert agreement(TRUTH, empty).missed == len(TRUTH)
    with pytest.raises(InputError, match="found column 'main' is 'x'; it must be true or false"):
        agreement(TRUTH, found.with_columns(main=pl.lit("x")))


def test_epochs():
    """Ten steps: asleep 3 inside and 1 outside, awake 2 inside and 3 outside, one not scored."""
    truth = windows([("a", 0, 5)])
    stages = pl.DataFrame(
        {
            "series_id": ["a"] * 10 + ["elsewhere"],
            "step": [*range(10), 0],
            "asleep": [True, True, True, False, False, True, False, False, False, None, True],
        }
    )
    epochs = agreement(truth, windows([("a", 0, 5)]), stages).epochs
    assert epochs and (epochs.n, epochs.n_unscored) == (9, 1)
    assert epochs.sensitivity == 0.75 and epochs.specificity == 0.6
    chance = (5 / 9) * (4 / 9) + (4 / 9) * (5 / 9)
    assert epochs.kappa == pytest.approx((6 / 9 - chance) / (1 - chance))
    assert epochs.intervals["sensitivity"] == (0.75, 0.75)
    with pytest.raises(InputError, match="no scored step of a series of truth"):
        agreement(truth, FOUND, stages.tail(1))


@pytest.mark.parametrize(
    "truth, text",
    [
        (TRUTH.rename({"wakeup_step": "wakeup"}), "truth: column 'wakeup_step' is missing"),
        (TRUTH.with_columns(wakeup_step=pl.lit(5)), "wakeup_step 5 is not after onset_step 1200"),
        (TRUTH.with_columns(pl.col("onset_step").cast(pl.String)), "must hold steps; it is String"),
        (TRUTH.clear(), "no window with both ends"),
    ],
)
def test_unusable_truth(truth, text):
    with pytest.raises(InputError, match=text):
        agreement(truth, FOUND)
