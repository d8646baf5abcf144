"""Reliability by counting, one case after the other."""

import math


def reliability(pairs, bins):
    """(predicted, observed, count, brier, ece) of (probability, outcome) pairs."""
    members = [[] for _ in range(bins)]
    for probability, outcome in pairs:
        members[min(int(probability * bins), bins - 1)].append((probability, outcome))
    mean = lambda values: sum(values) / len(values) if values else math.nan
    predicted = [mean([p for p, _ in of]) for of in members]
    observed = [mean([o for _, o in of]) for of in members]
    brier = mean([(p - o) ** 2 for p, o in pairs])
    gaps = [
        len(of) * abs(p - o) for of, p, o in zip(members, predicted, observed, strict=True) if of
    ]
    ece = sum(gaps) / len(pairs) if pairs else math.nan
    return predicted, observed, [len(of) for of in members], brier, ece
