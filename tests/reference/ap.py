"""Event-detection AP by the book: loops over detections, in the order of the definition."""

from collections import defaultdict


def event_detection_ap(truth, detections, tolerances):
    """AP of rows (series, event, step) and (series, event, step, score); tolerances per event."""
    scored_series = {series for series, _, _ in truth}
    per_event = []
    for event in sorted({event for _, event, _ in truth}):
        values = []
        for tolerance in tolerances[event]:
            values.append(average_precision(truth, detections, scored_series, event, tolerance))
        per_event.append(sum(values) / len(values))
    return sum(per_event) / len(per_event)


def average_precision(truth, detections, scored_series, event, tolerance):
    results = []
    for series in scored_series:
        matches = match_series(
            [t for s, e, t in truth if s == series and e == event],
            [(t, score) for s, e, t, score in detections if s == series and e == event],
            tolerance,
        )
        results += [(score, hit is not None) for _, score, hit in matches]
    n_truth = sum(e == event for _, e, _ in truth)
    thresholds = defaultdict(lambda: [0, 0])
    for score, hit in results:
        thresholds[score][0] += hit
        thresholds[score][1] += 1
    area = tp = n = 0
    for score in sorted(thresholds, reverse=True):
        hits, count = thresholds[score]
        tp, n = tp + hits, n + count
        area += hits / n_truth * (tp / n)
    return area


def match_series(truth, detections, tolerance):
    """[(step, score, matched ground-truth step or None)] in order of turn."""
    free = set(truth)  # a duplicated row is taken together with its twin
    results = []
    for step, score in sorted(detections, key=lambda d: (-d[1], d[0])):
        best = None
        for candidate in sorted(free):
            error = abs(candidate - step)
            if error < tolerance and (best is None or error < abs(best - step)):
                best = candidate
        free.discard(best)
        results.append((step, score, best))
    return results
