"""Events beside unmeasured time, row by row."""


def judge(event, row, asleep, valid, *, edge, noticed, seen, from_probability):
    """(whether the event is beside unmeasured time, whether it is believed) of one candidate."""
    rows = range(len(valid))
    missing = sum(1 for i in rows if abs(i - row) <= edge and not valid[i])
    side = range(row, row + edge) if event == "onset" else range(row - edge, row)
    sleep = sum(1 for i in side if i in rows and valid[i] and asleep[i] >= from_probability)
    return missing >= noticed, missing < noticed or sleep >= seen
