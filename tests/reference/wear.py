"""What is known of a watch, one step at a time."""


def wear(asleep, known, copied, stretches):
    """(asleep, known, worn) lists of T from lists of T and [first, end) pairs, or None."""
    found = []
    for t in range(len(asleep)):
        off = any(a <= t < b for a, b in stretches or ())
        is_asleep = asleep[t] and not off
        if off or (stretches is None and copied[t] and not asleep[t]):
            found.append((is_asleep, True, 0))
        else:
            found.append((is_asleep, known[t], -1 if stretches is None else 1))
    return tuple(map(list, zip(*found, strict=True)))
