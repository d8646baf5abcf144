"""Slow, obvious labels: one step at a time."""

from sleepjax.data.labels import FAR


def distance_by_step(events, n_steps):
    """Step minus its nearest event; the earlier event at equal distance."""
    result = []
    for step in range(n_steps):
        best = FAR
        for event in sorted(events):
            if abs(step - event) < abs(best):
                best = step - event
        result.append(best)
    return result


def asleep_by_step(nights, n_steps):
    return [any(onset <= t < wakeup for onset, wakeup in nights) for t in range(n_steps)]
