"""Event-detection average precision: exact, fast, and usable without any model.

>>> from sleepjax.metrics import event_detection_ap, evaluate
"""

from sleepjax.metrics.ap import APResult, Curve, Errors, evaluate, event_detection_ap

__all__ = ["APResult", "Curve", "Errors", "evaluate", "event_detection_ap"]
