"""Event-detection average precision: exact, fast, and usable without any model."""

from sleepjax.metrics.ap import (
    APResult,
    Curve,
    Errors,
    evaluate,
    event_detection_ap,
)
from sleepjax.metrics.bootstrap import (
    Bootstrap,
    PairedBootstrap,
    bootstrap,
    paired_bootstrap,
)

__all__ = [
    "APResult",
    "Bootstrap",
    "Curve",
    "Errors",
    "PairedBootstrap",
    "bootstrap",
    "evaluate",
    "event_detection_ap",
    "paired_bootstrap",
]
