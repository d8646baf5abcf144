"""Event-detection AP by the book: loops over detections, in the order of the definition."""

from collections import defaultdict


def event_detection_ap(truth, detections, tolerances):
    """AP of rows (series, event, step) and (series, event, step, score); tolerances per event."""
    scored_series = {series for series, _, _ in truth}
    per_event = []
    for event in sorted({event for _, event, _ in truth}):
        steps, scored = defaultdict(list), defaultdict(list)
        for series, of, step in truth:
            if of == event:
                steps[series].append(step)
        for series, of, step, score in detections:
            if of == event:
                scored[series].append((step, score))
        pairs = [(steps[series], scored[series]) for series in scored_series]
        values = [average_precision(pairs, tolerance) for tolerance in tolerances[event]]
        per_event.append(sum(values) / len(values))
    return sum(per_event) / len(per_event)


def average_precision(pairs, tolerance):
    """AP of one class at one tolerance, from (truth, detections) of each scored series."""
    results = []
    for truth, detections in pairs:
        matches = match_series(truth, detections, tolerance)
        results += [(score, hit is not None) for _, score, hit in matches]
    n_truth = sum(len(truth) for truth, _ in pairs)
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
