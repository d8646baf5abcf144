"""sleepjax finds when people fall asleep and wake up in wrist-accelerometer recordings.

    config = sleepjax.load_config("configs/spec2d.py:demo", {"optim.lr": 1e-3})
    result = sleepjax.train(config, workdir)
    events = sleepjax.load(workdir).predict(series)

``sleepjax.metrics`` and ``sleepjax.postprocess`` stand on their own and need no JAX.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sleepjax.config import load_config
    from sleepjax.evaluators.actogram import plot
    from sleepjax.predict import load
    from sleepjax.training.loop import run as train

__version__ = "0.1.0"
__all__ = ["load", "load_config", "plot", "train"]

_HOMES = {
    "load": ("sleepjax.predict", "load"),
    "load_config": ("sleepjax.config", "load_config"),
    "plot": ("sleepjax.evaluators.actogram", "plot"),
    "train": ("sleepjax.training.loop", "run"),
}


def __getattr__(name: str) -> Any:
    """Import the three verbs on first use, so that the metric does not wait for JAX."""
    import importlib

    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(importlib.import_module(module), attribute)
    if name in ("metrics", "postprocess"):
        return importlib.import_module(f"sleepjax.{name}")
    raise AttributeError(f"module 'sleepjax' has no attribute {name!r}")
