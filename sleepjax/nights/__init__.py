"""From sleep windows to tables and reports: nights, recordings, people."""

from sleepjax.nights.nights import clean, nights_table
from sleepjax.nights.people import people_table
from sleepjax.nights.recordings import recordings_table

__all__ = ["clean", "nights_table", "people_table", "recordings_table"]
