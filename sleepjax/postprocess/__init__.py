"""From windows of probabilities to events: stitching, peaks, decoding, submissions."""

from sleepjax.postprocess.decode import decode, decode_series, with_timestamps
from sleepjax.postprocess.peaks import find_peaks, find_peaks_each
from sleepjax.postprocess.settings import read_settings
from sleepjax.postprocess.stitch import stitch
from sleepjax.postprocess.submission import submission, write_submission
from sleepjax.postprocess.windows import find_windows

__all__ = [
    "decode",
    "decode_series",
    "find_peaks",
    "find_peaks_each",
    "find_windows",
    "read_settings",
    "stitch",
    "submission",
    "with_timestamps",
    "write_submission",
]
