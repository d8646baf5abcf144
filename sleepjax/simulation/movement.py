"""Movement of the wrist, from behaviour: arm angle and acceleration."""

import math
from dataclasses import dataclass

import numpy as np

from sleepjax.simulation.behaviour import ASLEEP, IN_BED, QUIET, TABLE, Behaviour
from sleepjax.simulation.participant import Participant
from sleepjax.types import STEPS_PER_MINUTE

# One value per mode: ASLEEP, IN_BED, STILL, SITTING, LIGHT, ACTIVE, TABLE, QUIET.


def _table(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


BURST_RATE = _table(1 / 84, 1 / 10, 1 / 28, 1 / 5.5, 0.35, 0.60, 0.0, 1 / 36)
"""Chance per step that a movement begins."""
BURST_STEPS = _table(2.5, 2.5, 2.5, 4.0, 6.0, 12.0, 1.0, 2.0)
"""Mean length of a movement in steps."""
RATE_SWING = _table(0.7, 0.5, 0.5, 0.6, 0.5, 0.3, 0.0, 0.6)
"""How strongly the slow course of activity changes the rate."""
LYING = _table(1, 1, 0, 0, 0, 0, 0, 1)
SLOW_VARIANCE = 3 * 0.8**2
"""Of the slow course of activity."""
LEVEL = np.log(_table(0.014, 0.018, 0.014, 0.028, 0.047, 0.090, 1e-6, 0.012))
"""Log of the median enmo in g while moving."""
LEVEL_SWING = _table(0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.0, 0.4)
MICRO = _table(0.0, 0.0010, 0.0015, 0.014, 0.020, 0.025, 0.0, 0.0002)
"""Median enmo in g of an arm that is worn and not moving."""
TURN = _table(0.11, 0.12, 0.10, 0.05, 0.06, 0.06, 0.0, 0.08)
"""Chance per moving step of a new posture."""
SHIFT = np.float32(9.0)
"""Standard deviation in degrees of a small turn."""
SWAY = _table(2.5, 4.0, 4.0, 9.0, 18.0, 22.0, 0.0, 2.5)
"""Standard deviation in degrees of the arm around its posture while moving."""


@dataclass(frozen=True)
class Motion:
    """What the wrist does at each of T steps."""

    angle: np.ndarray
    """float32 [T], degrees."""
    roll: np.ndarray
    """float32 [T], radians around the arm."""
    enmo: np.ndarray
    """float32 [T], g."""
    moving: np.ndarray
    """bool [T]."""


def draw_motion(rng: np.random.Generator, person: Participant, behaviour: Behaviour) -> Motion:
    """The movements of a participant, measured by the watch that ``person`` describes."""
    mode = behaviour.mode
    n = len(mode)
    slow = np.zeros(n, dtype=np.float32)
    for minutes in (1.2, 5.0, 40.0):
        slow += 0.8 * _autoregression(rng, n, minutes)
    moving, burst = _movements(rng, person, behaviour, slow)
    angle, roll = _angle(rng, person, mode, moving)
    enmo = _enmo(rng, person, mode, moving, burst, slow, angle, roll)
    return Motion(angle, roll, enmo, moving)


def _normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_normal(n, dtype=np.float32)


def _filtered(noise: np.ndarray, rho: float) -> np.ndarray:
    """First-order autoregression of unit variance along the array."""
    from scipy.signal import lfilter  # takes half a second to import, and predictions need none

    gain = np.float32(np.sqrt(1 - rho**2))
    coefficients = np.array([1, -rho], dtype=np.float32)
    return np.asarray(lfilter(np.array([gain]), coefficients, noise), dtype=np.float32)


def _autoregression(rng: np.random.Generator, n: int, minutes: float) -> np.ndarray:
    """A slow course of unit variance [T], drawn per minute and joined by straight lines."""
    knots = n // STEPS_PER_MINUTE + 2
    values = _filtered(_normal(rng, knots), math.exp(-1 / minutes))
    fraction = np.arange(STEPS_PER_MINUTE, dtype=np.float32) / STEPS_PER_MINUTE
    return (values[:-1, None] + np.diff(values)[:, None] * fraction).ravel()[:n]


def _movements(rng, person: Participant, behaviour: Behaviour, slow: np.ndarray):
    """Whether the arm moves at each step, bool [T], and the number of the movement, int32 [T]."""
    mode = behaviour.mode
    scale = np.ones(8, dtype=np.float32)
    scale[0], scale[1:3], scale[3:6] = person.restlessness, person.stillness, person.fidgeting
    scale[QUIET] = person.stillness
    if person.wakeful is not None:
        relative = BURST_RATE[ASLEEP] / BURST_RATE[QUIET]
        scale[QUIET] = person.restlessness * person.wakeful * relative
    swing = RATE_SWING + np.float32(person.clusters) * LYING
    if person.clusters:  # as many movements on average as without
        scale *= np.exp(0.5 * SLOW_VARIANCE * (RATE_SWING**2 - swing**2))
    rate = (BURST_RATE * scale)[mode] * np.exp(swing[mode] * slow)
    for night in behaviour.nights:  # the first sleep of a night is the quietest
        rate[max(night.onset, 0) : max(night.onset + 20 * STEPS_PER_MINUTE, 0)] *= 0.35
    begins = rng.random(len(mode), dtype=np.float32) < rate
    begins[behaviour.stirs] = True
    starts = np.flatnonzero(begins)
    mean = (BURST_STEPS - 1) * (1 + np.float32(person.tossing - 1) * LYING)
    lengths = 1 + rng.exponential(1.0, len(starts)) * mean[mode[starts]]
    ends = np.minimum(starts + lengths.astype(np.int64) + (lengths % 1 > 0.5), len(mode))
    change = np.bincount(starts, minlength=len(mode) + 1).astype(np.int32)
    change -= np.bincount(ends, minlength=len(mode) + 1).astype(np.int32)
    moving = (np.cumsum(change[:-1]) > 0) & (mode != TABLE)
    return moving, np.cumsum(begins, dtype=np.int32)


def _angle(rng, person: Participant, mode: np.ndarray, moving: np.ndarray):
    """Angle [T] in degrees within +-90 and roll [T] in radians: postures, sway and tiny noise."""
    n = len(mode)
    turns = moving & (rng.random(n, dtype=np.float32) < TURN[mode] * np.float32(1 + person.shifts))
    rows = np.concatenate([[0], np.flatnonzero(turns)])
    lying = (mode[rows] <= IN_BED) | (mode[rows] == QUIET)
    spread = np.where(lying, person.asleep_spread, 21).astype(np.float32)
    task = person.awake_angle + 13 * _autoregression(rng, n, minutes=25)[rows]
    centre = np.where(lying, 0.3 * person.awake_angle, task)
    posture = (centre + spread * _normal(rng, len(rows))).astype(np.float32)
    posture_roll = rng.uniform(0, 2 * np.pi, len(rows)).astype(np.float32)
    if person.shifts:
        small = rng.random(len(rows)) < person.shifts
        posture = _shifted(posture, small, SHIFT * _normal(rng, len(rows)))
        posture_roll -= np.float32(person.palm) * np.sin(2 * posture_roll)  # densest at 0 and pi
        posture_roll = _shifted(posture_roll, small, np.deg2rad(SHIFT) * _normal(rng, len(rows)))
    held = np.cumsum(turns, dtype=np.int32)
    # A still arm keeps its last sway: the index only advances while the arm moves.
    step = np.cumsum(moving, dtype=np.int32)
    sway = _filtered(_normal(rng, int(step[-1]) + 1), 0.6)
    angle = posture[held]
    sway_mode = np.concatenate([[0], mode[moving]])
    width = SWAY * (1 + np.float32(person.tossing - 1) * LYING)
    angle += (sway * width[sway_mode])[step]
    drift = _autoregression(rng, n, minutes=30)
    angle += np.float32(person.angle_noise) * _normal(rng, n) + drift
    angle = 90 - np.abs((angle + 90) % 360 - 180)  # an arm past the vertical comes down again
    return angle, posture_roll[held]


def _shifted(posture: np.ndarray, small: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Postures [N] of which the small ones differ from the one before by ``shift`` [N]."""
    last = np.maximum.accumulate(np.where(small, 0, np.arange(len(posture))))
    path = np.cumsum(np.where(small, shift, 0), dtype=np.float32)
    return posture[last] + path - path[last]


def _enmo(rng, person: Participant, mode, moving, burst, slow, angle, roll) -> np.ndarray:
    """Acceleration beyond gravity: the device's offset in this posture, tremor, movement."""
    n = len(mode)
    constant, along, across = np.array(person.device_offset, dtype=np.float32)
    radians = np.deg2rad(angle)
    enmo = constant + along * np.sin(radians) + across * np.cos(radians) * np.cos(roll)
    fast = _normal(rng, n)
    enmo += np.float32(person.device_noise) * fast
    of_burst = _normal(rng, int(burst[-1]) + 1)
    log_level = LEVEL[mode] + LEVEL_SWING[mode] * slow + np.float32(person.activity)
    log_level += 0.5 * of_burst[burst] + 0.7 * _normal(rng, n)
    tremor = MICRO[mode] * np.exp(0.4 * fast + 0.4 * of_burst[burst] + 0.4 * slow)
    enmo += np.where(moving, np.exp(log_level), tremor)
    return np.clip(enmo, 0, 12, out=enmo)
