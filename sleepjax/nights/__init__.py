"""Tables and reports of sleep windows: nights, recordings, people, diary."""

from sleepjax.nights.comparison import DiaryComparison, compare_diary
from sleepjax.nights.diary import read_diary
from sleepjax.nights.nights import clean, nights_table
from sleepjax.nights.people import people_table, recordings_table
from sleepjax.nights.people_file import read_people
from sleepjax.nights.person_report import write_person_report
from sleepjax.nights.scoring import scored
from sleepjax.nights.study_report import write_study_report

__all__ = [
    "DiaryComparison",
    "clean",
    "compare_diary",
    "nights_table",
    "people_table",
    "read_diary",
    "read_people",
    "recordings_table",
    "scored",
    "write_person_report",
    "write_study_report",
]
