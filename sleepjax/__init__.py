"""sleepjax finds when people fall asleep and wake up in wrist-accelerometer recordings.

Five verbs do the work; each has its own help, such as ``help(sleepjax.plot)``:

    load_config  a config file with its variant and overrides
    train        a run directory from a config; the same call resumes it
    load         a trained run or, without one, the released weights: ``predict`` finds events
    simulate     recordings and labels of simulated people, to try everything without data
    plot         a recording as an actogram, or one night of it in detail

Frames are polars; where one goes in, a pandas frame may go in too. Steps are 5 seconds. Everything
a caller gave that cannot be used raises `sleepjax.InputError` with a remedy in its text.

    >>> import sleepjax
    >>> config = sleepjax.load_config("configs/spec1d.py:tiny", {"optim.lr": 1e-3})
    >>> result = sleepjax.train(config, "runs/example")  # without data: on simulated recordings
    >>> 0 <= result.metrics["event_ap"] <= 1
    True
    >>> recordings, labels = sleepjax.simulate(series=1, days=3, seed=5)
    >>> events = sleepjax.load("runs/example").predict(recordings)
    >>> events.columns
    ['series_id', 'step', 'event', 'score', 'beside_unmeasured', 'timestamp']
    >>> score = sleepjax.metrics.event_detection_ap(labels, events)
    >>> figure = sleepjax.plot(recordings, events, truth=labels)
    >>> figure.savefig("nights.png")

A recording has one row per 5 s (finer ones are averaged) and the columns ``series_id, step,
timestamp`` (local time with its UTC offset), ``anglez`` (degrees) and ``enmo`` (g).

``sleepjax.metrics`` and ``sleepjax.postprocess`` stand on their own and need no JAX.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sleepjax import metrics, postprocess
    from sleepjax.config import load_config
    from sleepjax.figures.actogram import plot
    from sleepjax.live.stream import Stream
    from sleepjax.predict import load
    from sleepjax.simulation import simulate
    from sleepjax.training.loop import run as train
    from sleepjax.types import InputError

__version__ = "0.1.0"
__all__ = [
    "InputError",
    "Stream",
    "load",
    "load_config",
    "metrics",
    "plot",
    "postprocess",
    "simulate",
    "train",
]

_HOMES = {
    "InputError": ("sleepjax.types", "InputError"),
    "Stream": ("sleepjax.live.stream", "Stream"),
    "load": ("sleepjax.predict", "load"),
    "load_config": ("sleepjax.config", "load_config"),
    "plot": ("sleepjax.figures.actogram", "plot"),
    "simulate": ("sleepjax.simulation", "simulate"),
    "train": ("sleepjax.training.loop", "run"),
}


def __dir__() -> list[str]:
    """What is public, for help() and completion."""
    return sorted({*__all__, *globals()})


def __getattr__(name: str) -> Any:
    """Import the verbs on first use, so that the metric does not wait for JAX."""
    import importlib

    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(importlib.import_module(module), attribute)
    if name in ("metrics", "postprocess"):
        return importlib.import_module(f"sleepjax.{name}")
    raise AttributeError(f"module 'sleepjax' has no attribute {name!r}")
