"""Device files and tables: from the watch's own file to recordings on the 5-second grid."""

from sleepjax.devices.converted import Converted
from sleepjax.devices.kinds import SUFFIXES
from sleepjax.devices.reading import recordings

__all__ = ["SUFFIXES", "Converted", "recordings"]
