"""A window of a recording, one frame at a time."""

import numpy as np

from tests.reference.labels import dense


def gather(one, start, duration, downsample):
    """x [T,F], asleep [T'], distance [T',2], mask [T'], worn and worn_mask [T'] as plain loops."""
    n, labels = one.meta.n_steps, dense(one.labels)
    inside = lambda step: start + step < n
    x = np.zeros((duration, len(one.features)), np.float32)
    for step in filter(inside, range(duration)):
        x[step] = [array[start + step] for array in one.features.values()]
    asleep, distance, mask, worn, worn_mask = [], [], [], [], []
    for first in range(0, duration, downsample):
        # The last frame is filled up with its last step.
        steps = [min(first + i, duration - 1) for i in range(downsample)]
        asleep.append(sum(inside(s) and labels.asleep[start + s] for s in steps) / downsample)
        at = labels.distance[start + first] if inside(first) else np.full(2, 1e6)  # no event
        distance.append(at + (downsample - 1) / 2)
        usable = [inside(s) and one.valid[start + s] and labels.known[start + s] for s in steps]
        mask.append(all(usable))
        if labels.worn is not None:
            wear = [
                labels.worn[start + s] if inside(s) and one.valid[start + s] else -1 for s in steps
            ]
            worn.append(wear.count(1) / downsample)
            worn_mask.append(-1 not in wear)
    arrays = {"asleep": asleep, "distance": distance, "mask": mask}
    if worn:
        arrays |= {"worn": worn, "worn_mask": worn_mask}
    return {"x": x} | {name: np.array(value, np.float32) for name, value in arrays.items()}
