"""Kinds of watch of the population ``world``, and what a watch of each kind reports of a movement.

A watch at rest reports the mean over its samples of the positive part of (error of gravity in this
posture + noise). That is its floor: half a milligravity for a quiet, well calibrated watch, ten for
a bad one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from sleepjax.simulation.movement import Motion
from sleepjax.simulation.sleepers import Range, Sleepers
from sleepjax.types import STEPS_PER_DAY, STEPS_PER_MINUTE

MG = 1e-3


@dataclass(frozen=True)
class DeviceKind:
    """From what each watch of a kind is drawn. Pairs are ends of a uniform distribution."""

    share: float
    """Fraction of participants who wear one."""
    offset: float
    """SD of the error of gravity's length in mg, the same in all postures."""
    tilt: float
    """SD of that error in mg along each axis: what differs between postures."""
    sample_noise: Range
    """SD of one sample in mg."""
    epoch_noise: float
    """Median SD of enmo in mg between steps at rest; that of coarse sensors is the sleepers'."""
    angle_noise: float
    """Median SD in degrees of the angle at rest."""
    gain: float = 0.3
    """SD of the log of the reported share of a movement: filters, place and fit of the strap."""
    limit: Range = (8.0, 8.0)
    """Largest acceleration in g."""
    count: Range = (0.0, 0.0)
    """Size in g of the smallest step of an axis that is still visible in a 5-s mean."""
    median: float = 0.0
    """Chance that the angle comes from medians of whole counts, and thus repeats exactly."""
    idle: float = 0.0
    """Chance that the watch sleeps while it does not move, and reports held values or zeros."""
    missing: float = 0.0
    """Chance that samples are lost now and then."""


DEVICES = {
    "competition": DeviceKind(0.25, 1.0, 3.0, (0.0, 0.2), 0.6, 0.035, gain=0.0),
    "geneactiv": DeviceKind(0.20, 3.0, 2.5, (1.0, 9.0), 0.4, 0.03, median=0.5),
    "actigraph": DeviceKind(
        0.15, 3.0, 3.0, (2.0, 8.0), 0.6, 0.06, limit=(6.0, 8.0), median=0.3, idle=0.3, missing=0.1
    ),
    "axivity": DeviceKind(0.15, 2.0, 2.0, (3.0, 8.0), 0.5, 0.04, median=0.3, missing=0.2),
    "coarse": DeviceKind(
        0.15, 4.0, 2.0, (0.0, 6.0), 0.0, 0.1, limit=(2.0, 4.0), count=(1 / 64, 1 / 24), missing=0.1
    ),
    "consumer": DeviceKind(
        0.10, 5.0, 4.0, (0.0, 25.0), 1.0, 0.15, gain=0.45, limit=(4.0, 8.0), missing=0.5
    ),
}


@dataclass(frozen=True)
class Device:
    """One watch; accelerations in g, angles in degrees."""

    kind: str
    offset: tuple[float, float, float]
    """Error of gravity: constant, along the arm's z axis, across it."""
    sample_noise: float
    epoch_noise: float
    angle_noise: float
    gain: float
    limit: float
    count: float
    """0 where the resolution is finer than the noise."""
    hysteresis: float
    """How far, as a share of a count, a value passes the edge of its step before it changes."""
    angle_count: float
    """Steps in degrees in which the angle is reported."""
    mount: float
    """Angle in radians between the watch's z axis and the one that most watches have."""
    enmo_count: float
    """Steps in which enmo is reported."""
    idle: str
    """"no", "held" or "zeros"."""
    missing: float
    """Mean number of gaps per day."""
    sign: float
    """-1 where the watch is worn the other way round."""


def draw_device(
    rng: np.random.Generator, sleepers: Sleepers, allowed: Sequence[str] = ()
) -> Device:
    """A watch of one of the allowed kinds, all by default."""
    names = [name for name in DEVICES if not allowed or name in allowed]
    shares = np.array([DEVICES[name].share for name in names])
    name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
    kind = DEVICES[name]
    count = rng.uniform(*kind.count)
    error = rng.normal(0, 1, 3) * (kind.offset, kind.tilt, kind.tilt) * MG
    sample_noise = rng.uniform(*kind.sample_noise) * MG
    noise = sleepers.flicker if count else kind.epoch_noise
    epoch_noise, angle_noise = rng.lognormal(0, 0.5, 2) * (noise * MG, kind.angle_noise)
    gain = float(np.exp(rng.normal(-0.6 * kind.gain, kind.gain)))
    hysteresis, idle, missing, turned, median, odd = rng.random(6)
    mount = rng.uniform(0, 0.5 * np.pi) if odd < sleepers.turned_watches else rng.normal(0, 0.2)
    return Device(
        kind=name,
        offset=(float(error[0]), float(error[1]), float(error[2])),
        sample_noise=sample_noise,
        epoch_noise=float(epoch_noise),
        angle_noise=float(angle_noise),
        gain=gain,
        limit=rng.uniform(*kind.limit),
        count=count,
        hysteresis=0.5 * hysteresis,
        angle_count=rng.uniform(0.05, 0.3) if median < kind.median else 1e-4,
        mount=0.0 if name == "competition" else float(mount),
        enmo_count=count * rng.uniform(*sleepers.coarse_enmo) if count else 1e-4,
        idle="no" if idle >= kind.idle else ("held" if idle < kind.idle / 2 else "zeros"),
        missing=rng.uniform(0.1, 2.0) if missing < kind.missing else 0.0,
        sign=-1.0 if name != "competition" and turned < 0.3 else 1.0,
    )


def report(rng: np.random.Generator, device: Device, motion: Motion):
    """What the watch reports of a movement: anglez [T] in degrees and enmo [T] in g, float32."""
    n = len(motion.angle)
    noise = rng.standard_normal((2, n), dtype=np.float32)
    radians = np.deg2rad(motion.angle)
    if device.mount:
        sine, cosine = np.sin(device.mount), np.cos(device.mount)
        along = cosine * np.sin(radians) + sine * np.cos(radians) * np.cos(motion.roll)
        radians = np.arcsin(np.clip(along, -1, 1))
    angle = device.sign * np.rad2deg(radians) + np.float32(device.angle_noise) * noise[0]
    angle = np.clip(angle, -90, 90)
    constant, along, across = device.offset
    radians = np.deg2rad(angle)
    error = constant + along * np.sin(radians) + across * np.cos(radians) * np.cos(motion.roll)
    moved = device.gain * motion.enmo
    if device.count:
        angle, length = _counted(rng, device, radians, motion.roll)
        error = error + length - 1
        moved = np.maximum(moved - 0.15 * device.count, 0)  # what does not reach the next count
    enmo = rectified(error + moved, device.sample_noise) + device.epoch_noise * noise[1]
    enmo = np.clip(enmo, 0, device.limit - 1)
    enmo = np.round(enmo / device.enmo_count) * device.enmo_count
    angle = np.clip(np.round(angle / device.angle_count) * device.angle_count, -90, 90)
    signals = angle.astype(np.float32), enmo.astype(np.float32)
    if device.idle != "no":
        _idle(signals, motion.moving, device.idle)
    _lose(rng, signals, device.missing)
    return np.round(signals[0], 4), np.round(signals[1], 4)


def rectified(mean: np.ndarray, sd: float) -> np.ndarray:
    """Expected positive part of a normal variable: what ENMO makes of an error and of noise."""
    if sd < 1e-6:
        return np.maximum(mean, 0)
    z = mean / sd
    return sd * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) + mean * ndtr(z)


def _counted(rng, device: Device, angle: np.ndarray, roll: np.ndarray):
    """Angle in degrees and length of gravity as three axes of few bits see them."""
    axes = np.cos(angle) * np.cos(roll), np.cos(angle) * np.sin(roll), np.sin(angle)
    counts = [
        schmitt(
            axis / device.count + 0.15 * rng.standard_normal(len(axis), dtype=np.float32),
            device.hysteresis,
        )
        for axis in axes
    ]
    x, y, z = (device.count * values for values in counts)
    return np.rad2deg(np.arctan2(z, np.hypot(x, y))), np.sqrt(x * x + y * y + z * z)


def schmitt(values: np.ndarray, hysteresis: float) -> np.ndarray:
    """Round [T] to whole numbers, keeping the last one up to ``hysteresis`` beyond its edge."""
    reach = 0.5 + hysteresis
    kept, result = float(np.rint(values[0])), []
    for value in values.tolist():
        if not -reach <= value - kept <= reach:
            kept = float(round(value))
        result.append(kept)
    return np.array(result, dtype=np.float32)


def _idle(signals: tuple[np.ndarray, np.ndarray], moving: np.ndarray, how: str) -> None:
    """Ten seconds after a movement the watch sleeps until the next one, in place."""
    rows = np.arange(len(moving))
    last = np.maximum.accumulate(np.where(moving, rows, -1)) + 2
    asleep = rows > last
    for values in signals:
        values[asleep] = values[np.maximum(last[asleep], 0)] if how == "held" else 0.0


def _lose(rng, signals: tuple[np.ndarray, np.ndarray], per_day: float) -> None:
    """Set lost samples to NaN, in place: most gaps are short, some last hours."""
    n = len(signals[0])
    for _ in range(rng.poisson(per_day * n / STEPS_PER_DAY)):
        start = int(rng.integers(n))
        end = start + 1 + int(rng.lognormal(0.5, 1.5) * STEPS_PER_MINUTE)
        for values in signals:
            values[start:end] = np.nan
