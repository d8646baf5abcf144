"""Event-detection average precision and agreement of sleep windows, usable without any model."""

from sleepjax.metrics.agreement import Agreement, agreement
from sleepjax.metrics.ap import APResult, Curve, Errors, evaluate, event_detection_ap
from sleepjax.metrics.bootstrap import (
    Bootstrap,
    PairedBootstrap,
    bootstrap,
    paired_bootstrap,
    resample,
)

__all__ = [
    "APResult",
    "Agreement",
    "Bootstrap",
    "Curve",
    "Errors",
    "PairedBootstrap",
    "agreement",
    "bootstrap",
    "evaluate",
    "event_detection_ap",
    "paired_bootstrap",
    "resample",
]
