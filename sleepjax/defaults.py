"""Defaults of the settings that configs share, and what ``:demo`` and ``:tiny`` change in them.

A file in ``configs/`` starts from these and shows what differs: its model, and what of the rest is
its own. ``scripts/train.py --config configs/NAME.py --print_config`` prints all settings.
"""

from types import SimpleNamespace
from typing import Any

from ml_collections import ConfigDict


def default_config(arg: SimpleNamespace) -> Any:
    """An unlocked ConfigDict without a ``model``; ``arg`` has ``fold``, ``demo`` and ``tiny``."""
    c: Any = ConfigDict()
    c.seed = 0
    c.init = ""  # run directory, model.safetensors, "release" or "small": the weights to start from
    c.total_steps = 7_500  # updates: 50 epochs of one window per labelled night of the competition
    c.batch_size = 32  # windows, over all devices
    c.accumulate = 1  # parts into which a batch is split to save memory
    c.ema = 0.0  # decay of the averaged parameters that are evaluated; 0: the parameters themselves
    c.log_every, c.ckpt_every = 50, 500  # updates
    c.data = _data(arg.fold)
    c.loss = dict(
        name="segmentation",
        target="gaussian",  # or "tolerance"
        sigma=20.0,  # width of a gaussian target, steps
        decay=0,  # updates over which tolerance targets become narrow; 0: never
        weights=(1.0, 1.0, 1.0),  # of asleep, onset, wakeup
        worn=0.0,  # weight of a fourth output, whether the watch is worn; 0: no such output
    )
    c.augment = dict(
        reverse=0.0,  # fraction of windows each of the first three changes
        cutmix=0.0,
        mixup=0.0,
        hide=0.3,  # fraction of windows in which a column of data.covariates is unknown
        more=(),  # user-defined ones, path/to/my_parts.py:name
    )
    c.optim = dict(
        name="adamw",  # or lion, muon, adafactor, schedule_free
        schedule="cosine",  # or constant
        lr=5e-4,
        warmup=250,
        weight_decay=1e-2,
        clip=1.0,
        freeze=(),  # patterns of parameters that stay as they are, extractor/*
        lr_factors=(),  # factor on the learning rate of parameters, extractor/*=0.1
    )
    # Skip updates whose loss is ``spike`` times the usual; give up after ``patience`` in a row.
    c.guard = dict(spike=10.0, patience=20)
    # Windows of validation and prediction: steps from one to the next, steps cut off at each end.
    # With a latency windows end that many steps after what they predict, trim is not used.
    c.eval = dict(every=500, batch_size=32, stride=2_880, trim=360, latency=0)
    # ``more`` are user-defined steps, path/to/my_parts.py:name.
    c.post = dict(height=0.001, distance=100, snap=True, daily=0.4, prune=True, more=())
    c.evaluators = ()  # user-defined functions of a validation, path/to/my_parts.py:name
    c.early_stop = dict(metric="valid/event_ap", patience=0)  # validations; 0: never stop early
    c.simulate = dict(  # stands in where root holds no recordings
        population="competition", series=80, days=14, seed=0, truth="annotated", devices=()
    )
    _shrink(c, arg)
    return c


def _data(fold: int) -> dict[str, Any]:
    """What is read, and how it is cut into windows."""
    return dict(
        root="data/child-mind",  # folder of the recordings and their events
        store="",  # folder of the prepared recordings; empty: below root
        tz="",  # zone of timestamps without UTC offset, like Europe/London
        drop_bad=False,  # leave out what cannot be used instead of stopping
        features=("anglez", "enmo", "hour_sin", "hour_cos", "repeat"),
        subjects="",  # table of what is known of people: series_id, age, sex, ...
        covariates=(),  # its columns that the model sees: ("age=18..90", "sex=female|male")
        duration=5_760,  # steps of 5 s in a window
        downsample=2,  # steps in a frame
        background=0.5,  # fraction of windows drawn anywhere, not around an event
        tail=0,  # steps at the end of a window that are learned; 0: all (configs/causal.py)
        teacher="",  # folder of scripts/distill.py: probabilities that are learned, not the labels
        folds=5,
        fold=fold,  # the fold that is validated on
        split_seed=0,
    )


def _shrink(c: Any, arg: SimpleNamespace) -> None:
    """Change what ``:demo`` and ``:tiny`` change."""
    if arg.demo:  # minutes on two CPU cores
        c.update(total_steps=1_000, batch_size=4, ema=0.99, ckpt_every=250)
        c.update(data=dict(duration=17_280, downsample=12), optim=dict(lr=4e-3, warmup=50))
        c.update(loss=dict(sigma=60.0, weights=(1.0, 5.0, 5.0)))
        c.update(eval=dict(batch_size=8, stride=8_640))
    if arg.tiny:  # seconds, for tests
        c.update(total_steps=4, batch_size=4, log_every=2, ckpt_every=2)
        c.update(data=dict(duration=960, downsample=12, folds=3), optim=dict(warmup=1))
        c.update(eval=dict(every=2, batch_size=4, stride=720, trim=60))
        c.update(simulate=dict(series=6, days=3))
