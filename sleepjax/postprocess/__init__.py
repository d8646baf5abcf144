"""Steps from windows of probabilities to events: stitching, peaks, decoding, submissions."""

from sleepjax.postprocess.decode import decode_series, read_settings, with_timestamps
from sleepjax.postprocess.peaks import find_peaks
from sleepjax.postprocess.sleep_windows import find_windows
from sleepjax.postprocess.stitch import stitch
from sleepjax.postprocess.submission import submission, write_submission

__all__ = [
    "decode_series",
    "find_peaks",
    "find_windows",
    "read_settings",
    "stitch",
    "submission",
    "with_timestamps",
    "write_submission",
]
