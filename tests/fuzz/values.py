"""Values that strangers give: cells, time stamps, names, settings."""

from __future__ import annotations

CELLS = (
    *(
        "",
        " ",
        ".",
        "NA",
        "NaN",
        "nan",
        "None",
        "null",
        "inf",
        "-inf",
        "-1",
        "0",
        "0.0",
        " 0",
        "1e9",
    ),
    *("1e400", "12.5", "9" * 30, "x", "é", "\u2028", '"', ",", "\x00", "2018-08-14", "true", "-0"),
)
STAMPS = (
    *("2018-08-14T15:30:00", "2018-08-14T15:30:00Z", "2018-08-14 15:30:00+05:30", "1534260600"),
    *("2018-08-14T24:00:00-0400", "2018-02-30T10:00:00-0400", "0001-01-01T00:00:00+0000", ""),
    *("2017-11-05T01:30:00", "9999-12-31T23:59:59-1200", "2018-08-14T15:30:00+9900", "soon"),
)
NAMES = (
    "a[1]", "*", "?", "a b", " ", "ü", "名", "a\udce9b", "-x", "a=b", "a,b", "a'b", "{x}", "a%20b",
    "$HOME", "~", "a\nb", "a;b", "#", "x" * 120, ".hidden", "NUL", "a.csv", "train_series",
)  # fmt: skip
VALUES = (
    *(
        "",
        "x",
        "-1",
        "0",
        "1",
        "2",
        "nan",
        "inf",
        "1e400",
        "0.5",
        "None",
        "true",
        "[]",
        "(1,)",
        "()",
    ),
    *(
        "{}",
        "é",
        "\udce9",
        "../..",
        "/dev/null",
        "/nowhere/x",
        "run",
        "rec.csv",
        "rec.parquet",
        ".",
    ),
)
ZONES = (
    "America/New_York",
    "UTC",
    "Europe/London",
    "localtime",
    "Mars/Base",
    "",
    "+05:30",
    "Factory",
)
SETTINGS = (
    *("seed", "total_steps", "batch_size", "accumulate", "ema", "log_every", "ckpt_every", "init"),
    *("data.root", "data.store", "data.tz", "data.drop_bad", "data.features", "data.duration"),
    *("data.downsample", "data.background", "data.folds", "data.fold", "data.split_seed"),
    *("loss.name", "loss.target", "loss.sigma", "loss.decay", "loss.weights", "loss.worn"),
    *("augment.reverse", "augment.cutmix", "augment.mixup", "optim.lr", "optim.warmup"),
    *("optim.weight_decay", "optim.clip", "guard.spike", "guard.patience", "eval.every"),
    *("eval.batch_size", "eval.stride", "eval.trim", "post.height", "post.distance", "post.snap"),
    *("post.daily", "post.prune", "early_stop.metric", "early_stop.patience", "model.name"),
    *("model.dtype", "model.dropout", "simulate.population", "nothing", "data", "data.", "."),
)
