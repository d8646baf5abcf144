"""CenterNet: events as keypoints, each with an offset and the size of its interval."""

from __future__ import annotations

from sleepjax.models.head import CLASS_BIAS
from sleepjax.models.spec import Spec1D

KEYPOINT_BIAS = (*CLASS_BIAS, 0.0, 0.0, 0.0, 0.0)
"""Of the outputs at first: the classes, then offsets and sizes of onset and wakeup."""


class CenterNet(Spec1D):
    """`Spec1D` with the outputs of `sleepjax.objectives.keypoints`: [B,T,F] -> [B,T',7].

    Logits of asleep, onset and wakeup, then offsets and sizes of both events.
    """
