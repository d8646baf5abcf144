"""A window of a recording, one frame at a time."""

import numpy as np


def gather(one, start, duration, downsample):
    """x [T,F], asleep [T'], distance [T',2] and mask [T'] as plain loops."""
    n = one.meta.n_steps
    inside = lambda step: start + step < n
    x = np.zeros((duration, len(one.features)), np.float32)
    for step in filter(inside, range(duration)):
        x[step] = [array[start + step] for array in one.features]
    asleep, distance, mask = [], [], []
    for first in range(0, duration, downsample):
        # The last frame is filled up with its last step.
        steps = [min(first + i, duration - 1) for i in range(downsample)]
        labels = one.labels
        asleep.append(sum(inside(s) and labels.asleep[start + s] for s in steps) / downsample)
        at = labels.distance[start + first] if inside(first) else np.full(2, 1e6)  # no event
        distance.append(at + (downsample - 1) / 2)
        usable = [inside(s) and one.valid[start + s] and labels.known[start + s] for s in steps]
        mask.append(all(usable))
    arrays = {"asleep": asleep, "distance": distance, "mask": mask}
    return {"x": x} | {name: np.array(value, np.float32) for name, value in arrays.items()}
