"""The population ``competition``: people, device and annotators as in the Child Mind data."""

from collections.abc import Sequence

import numpy as np

from sleepjax.data.compact import in_runs
from sleepjax.simulation.annotation import annotate, sleep_windows, true_windows
from sleepjax.simulation.behaviour import ASLEEP, IN_BED, TABLE, draw_behaviour
from sleepjax.simulation.movement import draw_motion
from sleepjax.simulation.nonwear import draw_nonwear, fill_with_copies
from sleepjax.simulation.participant import draw_days, draw_participant
from sleepjax.simulation.recording_clock import draw_clock
from sleepjax.simulation.series import SimulatedSeries, series_id, stream
from sleepjax.simulation.truth import StepTruth


def simulate_competition(
    seed: int, index: int, days: float | None, devices: Sequence[str]
) -> SimulatedSeries:
    """Simulate participant ``index``; ``days=None`` draws the length as in the competition.

    There is one kind of watch, so ``devices`` says nothing here.
    """
    traits = stream(seed, index, 0)
    drawn_days = draw_days(traits)
    person = draw_participant(traits, drawn_days)
    clock = draw_clock(traits, drawn_days if days is None else days)
    behaviour = draw_behaviour(stream(seed, index, 1), person, clock)
    motion = draw_motion(stream(seed, index, 2), person, behaviour)
    anglez, enmo = np.round(motion.angle, 4), np.round(motion.enmo, 4)
    wear = stream(seed, index, 3)
    spans = draw_nonwear(wear, person, clock, behaviour.nights)
    fill_with_copies(wear, (anglez, enmo), spans)
    worn = ~in_runs(spans, clock.n_steps)
    asleep = behaviour.mode == ASLEEP
    windows = sleep_windows(asleep, clock)
    truth = true_windows(windows, worn)
    labels = annotate(stream(seed, index, 4), behaviour, windows, truth, clock)
    return SimulatedSeries(
        series_id=series_id(seed, index),
        participant=person,
        clock=clock,
        anglez=anglez,
        enmo=enmo,
        labels=tuple(labels),
        truth=tuple(truth),
        behaviour=behaviour,
        nonwear=tuple(spans),
        steps=StepTruth(
            asleep, asleep | (behaviour.mode == IN_BED), worn & (behaviour.mode != TABLE)
        ),
        facts=dict(
            device="competition",
            person="competition",
            schedule="regular",
            recording="weeks",
            wear="copies",
        ),
    )
