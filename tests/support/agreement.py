"""Windows of two people, true and found: the worked example of agreement."""

import polars as pl

COLUMNS = ["series_id", "onset_step", "wakeup_step"]


def windows(rows):
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


# Four true nights of two people. Errors of onset: +5, -10, +20 min; of wakeup: 0, +10, -30 min;
# the fourth night is missed, and b's nap is extra.
TRUTH = windows(
    [("a", 1200, 6000), ("a", 18_480, 23_280), ("b", 1000, 6000), ("b", 20_000, 25_000)]
)
FOUND = windows(
    [("a", 1260, 6000), ("a", 18_360, 23_400), ("b", 1240, 5640), ("b", 10_000, 11_000)]
)
