"""Solutions and submissions for the metric, a row per tuple, and their score."""

import polars as pl

from sleepjax.metrics import event_detection_ap

BASE = [("a", "onset", 1200), ("a", "wakeup", 7200)]


def solution(rows):
    return pl.DataFrame(rows, schema=["series_id", "event", "step"], orient="row")


def submission(rows):
    frame = pl.DataFrame(rows, schema=["series_id", "event", "step", "score"], orient="row")
    return frame.select("series_id", "step", "event", "score")


def onset(step, score=1.0, series="a"):
    return (series, "onset", step, score)


def score(detections, truth=BASE, **kwargs):
    return event_detection_ap(solution(truth), submission(detections), **kwargs)
