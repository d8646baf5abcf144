"""sleepjax finds when people fall asleep and wake up in wrist-accelerometer recordings."""

__version__ = "0.1.0"
