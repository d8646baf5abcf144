"""Windows in a short sequence, by listing every set of them."""

import math


def sets_of_windows(n, shortest, first=0):
    """All sets of windows among n frames: lists of (begin, end)."""
    yield []
    for begin in range(first, n + 1):
        for end in range(begin + shortest, n + 1):
            for rest in sets_of_windows(n, shortest, end + shortest):
                yield [(begin, end), *rest]


def score(windows, begins, ends, inside):
    return sum(begins[b] + ends[e] + sum(inside[b:e]) for b, e in windows)


def best(begins, ends, inside, shortest):
    """Highest score of any set."""
    n = len(inside)
    return max(score(w, begins, ends, inside) for w in sets_of_windows(n, shortest))


def probabilities(begins, ends, inside, shortest):
    """([N+1] that a window begins, [N+1] that one ends) at each boundary."""
    n = len(inside)
    begin, end, total = [0.0] * (n + 1), [0.0] * (n + 1), 0.0
    for windows in sets_of_windows(n, shortest):
        weight = math.exp(score(windows, begins, ends, inside))
        total += weight
        for b, e in windows:
            begin[b] += weight
            end[e] += weight
    return [x / total for x in begin], [x / total for x in end]


def evidence(probs, valid, *, correlation, spread, awake):
    """(begins, ends, inside) as `postprocess.sleep_windows` has them, from probabilities [T][4].

    The four are asleep, onset, wakeup and worn.
    """
    steps = len(probs)
    n = math.ceil(steps / 12)
    at = lambda k, step: probs[step][k] * probs[step][3] * valid[step]
    asleep = []
    for minute in range(n):
        inside = range(12 * minute, min(12 * minute + 12, steps))
        asleep.append(sum(at(0, step) for step in inside) / len(inside))
    gain = []
    for minute, p in enumerate(asleep):
        around = range(minute - awake // 2, minute + awake // 2 + 1)
        clipped = [min(max(asleep[m], 0.001), 0.999) if 0 <= m < n else 1.0 for m in around]
        long_awake = sum(clipped) / len(clipped) < 0.2
        p = min(max(p, 0.001), 0.999)
        if long_awake:
            gain.append(math.log(p / (1 - p)))
        else:  # 87 % of a window are asleep, 3 % of the time outside, a third of the day
            inside = 0.87 * p / (1 / 3) + 0.13 * (1 - p) / (2 / 3)
            outside = 0.03 * p / (1 / 3) + 0.97 * (1 - p) / (2 / 3)
            gain.append(math.log(inside / outside) / correlation)
    events = []
    for k in (1, 2):
        around = [range(12 * b - 6, 12 * b + 6) for b in range(n + 1)]
        highest = [
            max([at(k, s) for s in steps_ if 0 <= s < steps], default=0) for steps_ in around
        ]
        events.append([math.log(p / spread + 1 / 1440) for p in highest])
    begins, ends = events
    return begins, ends, gain
