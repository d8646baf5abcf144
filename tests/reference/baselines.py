"""Slow, obvious HDCZA, van Hees 2015 and window means: one step at a time."""

import statistics
from datetime import UTC, datetime, timedelta


def median_of_changes(anglez):
    """Median of the 59 changes between the steps i - 29 to i + 30; 0 where one does not exist."""
    result = []
    for i in range(len(anglez)):
        steps = range(i - 29, i + 31)
        if steps[0] < 0 or steps[-1] >= len(anglez):
            result.append(0.0)
        else:
            result.append(statistics.median(abs(anglez[k] - anglez[k - 1]) for k in steps[1:]))
    return result


def percentile_10(values):
    """The value a tenth of the way through the sorted values, between two of them by a line."""
    values = sorted(values)
    place = 0.1 * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


def runs(flags):
    """(first, one past the last, flag) of each run of equal flags."""
    found, start = [], 0
    for i in range(1, len(flags) + 1):
        if i == len(flags) or flags[i] != flags[start]:
            found.append((start, i, flags[start]))
            start = i
    return found


def held(anglez):
    """NaN becomes the last angle before it, or else the first one after it."""
    result, last = [], next(a for a in anglez if a == a)
    for a in anglez:
        last = a if a == a else last
        result.append(last)
    return result


def longest_rest(anglez):
    """NaN: nothing was measured, which is no rest."""
    if all(a != a for a in anglez):
        return None
    median = median_of_changes(held(anglez))
    measured = [m for m, a in zip(median, anglez, strict=True) if a == a]
    threshold = min(max(15 * percentile_10(measured), 0.13), 0.50)
    rest = [m < threshold and a == a for m, a in zip(median, anglez, strict=True)]
    for first, last, resting in runs(rest):
        if resting and last - first <= 30 * 12:
            rest[first:last] = [False] * (last - first)
    for first, last, resting in runs(rest):
        inside = first > 0 and last < len(rest)
        if not resting and inside and last - first < 60 * 12:
            rest[first:last] = [True] * (last - first)
    blocks = [(first, last) for first, last, resting in runs(rest) if resting]
    return max(blocks, key=lambda b: b[1] - b[0], default=None)


def days(meta, hour):
    """Calendar date of the last ``hour`` o'clock of the local clock -> its rows, in order."""
    found = {}
    for row in range(meta.n_steps):
        offset = [o for first, o in meta.offsets if first <= row][-1]
        utc = datetime.fromtimestamp(meta.start + 5 * row, UTC)
        date = (utc + timedelta(seconds=offset) - timedelta(hours=hour)).date()
        found.setdefault(date, []).append(row)
    return found


def hdcza(anglez, meta):
    periods, evenings = [], days(meta, 18)
    for date, rows in days(meta, 12).items():
        if len(rows) < 60:
            continue
        first, noon = rows[0], rows[-1] + 1
        found = longest_rest([anglez[r] for r in rows])
        if found is None or found == all_measured(anglez, rows):
            continue
        found = (first + found[0], first + found[1])
        if found[1] >= noon - 720:
            late = evenings.get(date, [])
            if len(late) > 23 * 720 and late[-1] + 1 < meta.n_steps:
                again = longest_rest([anglez[r] for r in late])
                if again not in (None, all_measured(anglez, late)) and late[0] + again[1] >= noon:
                    found = (late[0] + again[0], late[0] + again[1])
        if not (periods and found[0] < periods[-1][1]):
            periods.append(found)
    return periods


def all_measured(anglez, rows):
    """(first, one past the last) place among the rows that is not NaN."""
    places = [i for i, r in enumerate(rows) if anglez[r] == anglez[r]]
    return (places[0], places[-1] + 1) if places else None


def sustained_inactivity(anglez):
    """Stretches of over 60 steps between two changes of over 5 degrees, or gaps of over 60."""
    stretches, last = [], None
    for t in range(len(anglez)):
        if anglez[t] != anglez[t]:
            continue
        if last is None or abs(anglez[t] - anglez[last]) > 5 or t - last - 1 > 60:
            stretches.append([t, t + 1])
        stretches[-1][1] = t + 1
        last = t
    return [(a, b) for a, b in stretches[1:-1] if b - a > 60]


def van_hees_2015(anglez, meta):
    result = []
    for onset, wakeup in hdcza(anglez, meta):
        touching = [
            (a, b)
            for a, b in sustained_inactivity(anglez)
            if any(onset <= t < wakeup for t in range(a, b))
        ]
        if touching and not (result and touching[0][0] < result[-1][1]):
            result.append((touching[0][0], touching[-1][1]))
    return result


def window_mean(x, first, last):
    result = []
    for i in range(len(x)):
        seen = [x[k] for k in range(i + first, i + last + 1) if 0 <= k < len(x)]
        result.append(sum(seen) / len(seen) if seen else x[i])
    return result
