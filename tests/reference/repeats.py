"""Slow, obvious share of repeated samples."""

DAY = 17_280


def repeat_share(anglez, enmo, valid, days=7, window=720):
    n = len(anglez)
    copied = [
        any(
            t >= k * DAY and anglez[t] == anglez[t - k * DAY] and enmo[t] == enmo[t - k * DAY]
            for k in range(1, days + 1)
        )
        and valid[t]
        for t in range(n)
    ]
    shares = []
    for t in range(n):
        # A centred window of even length reaches one step further back than forward.
        near = copied[max(t - window // 2, 0) : min(t + window // 2, n)]
        shares.append(sum(near) / len(near))
    return shares
