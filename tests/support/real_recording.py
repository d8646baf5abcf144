"""What is known of the real recording that is not part of the project."""

from datetime import datetime

# Estimates by the published HDCZA heuristic (van Hees 2018), not truth. The watch came off on the
# morning of 21 November 2013, so the last night has no end.
ONSETS = ("14 22:35", "15 22:58", "16 23:25", "17 22:16", "18 22:20", "19 21:26", "20 22:27")
WAKEUPS = ("15 07:51", "16 08:39", "17 07:57", "18 08:09", "19 08:00", "20 08:13")
WATCH_OFF = datetime(2013, 11, 21, 8, 30)
