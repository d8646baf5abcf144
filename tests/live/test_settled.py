"""What is final of a part of a recording depends on what came before it, and on nothing after."""

import numpy as np
import pytest

from sleepjax.data.raw import recordings_from_frame
from sleepjax.live.settled import Given, events
from tests.reference.series import rows
from tests.support.live import POST


@pytest.mark.parametrize("onset_seen", [True, False])
def test_a_wakeup_without_an_onset_needs_one_before_the_part(onset_seen):
    recording = recordings_from_frame(rows(30_000))[0]
    probs = np.full((30_000, 3), 1e-6, np.float32)
    probs[4_000, 2] = probs[9_000, 1] = 0.9  # a wakeup, and an onset that nothing follows
    given, found = events(Given(onset_seen=onset_seen), recording, probs, POST)
    kept = [("wakeup", 4_001)] * onset_seen + [("onset", 9_001)]
    near = [(event, round(step, -3)) for event, step in found.select("event", "step").iter_rows()]
    assert near == [(event, round(step, -3)) for event, step in kept]
    assert given.onset_seen and 9_000 < given.events_to < 30_000
    again, nothing = events(given, recording, probs, POST)
    assert again == given and nothing.is_empty()
