"""Simulated cohorts: which one it is, its recordings as frames, and its files in a folder."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sleepjax import lock
from sleepjax.config import check_known
from sleepjax.io import disk_errors, write_json
from sleepjax.simulation import cohort_files
from sleepjax.simulation.populations import POPULATIONS, simulate_series
from sleepjax.simulation.series import VERSIONS, SimulatedSeries
from sleepjax.simulation.watches import DEVICES
from sleepjax.types import InputError

TRUTHS = ("annotated", "psg")
"""What train_events.csv holds: the nights of an annotator, or persistent sleep."""

LOCK = ".simulate.lock"
TEST_SERIES = 3
FIRST_TEST_INDEX = 2**32
"""Participants of the test files come from indices that no training cohort reaches."""


@dataclass(frozen=True)
class Cohort:
    """Everything that a cohort's bytes depend on; the keys of a config's group ``simulate``.

    Raises InputError for a value out of its bounds.
    """

    series: int = 277
    """Training participants."""
    days: float | None = None
    """Length of the recordings; None draws it. In ``world`` single nights and recordings of some
    hours keep their own length."""
    seed: int = 0
    population: str = "competition"
    """A key of `POPULATIONS`."""
    devices: tuple[str, ...] = ()
    """Kinds of watch of the population ``world``, keys of `DEVICES`; empty means all."""
    truth: str = "annotated"
    """One of `TRUTHS`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "devices", tuple(self.devices))
        if self.series < 1:
            raise InputError(f"series={self.series} must be at least 1.")
        if self.days is not None and not 1 <= self.days <= 366:
            raise InputError(f"days={self.days} must be between 1 and 366 days.")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed={self.seed} must be between 0 and 2**63 - 1.")
        check_known(f"population={self.population!r}", self.population, POPULATIONS)
        check_known(f"truth={self.truth!r}", self.truth, TRUTHS)
        for name in self.devices:
            check_known(f"devices={name!r}", name, DEVICES)
        if self.devices and self.population == "competition":
            raise InputError(
                f"devices={','.join(self.devices)} needs population='world': the population "
                f"{self.population!r} has one kind of watch."
            )

    @property
    def folder_name(self) -> str:
        """Name that differs for every other cohort, such as ``world-series80-days14-seed0-psg``."""
        days = "drawn" if self.days is None else f"{self.days:g}"
        words = [self.population, f"series{self.series}", f"days{days}", f"seed{self.seed}"]
        words += [self.truth] * (self.truth != "annotated") + ["+".join(self.devices)]
        return "-".join(filter(None, words))

    def recording(self, index: int) -> SimulatedSeries:
        """Participant ``index``, who is the same in a cohort of any size."""
        return simulate_series(self.seed, index, self.days, self.population, self.devices)


def is_simulated(root: str | Path) -> bool:
    """Whether the folder's recordings were written by :func:`simulate_cohort`."""
    return (Path(root) / cohort_files.MARKER).is_file()


def simulate(
    *,
    series: int = 1,
    days: float | None = 7,
    seed: int = 0,
    population: str = "competition",
    devices: Sequence[str] = (),
    truth: str = "annotated",
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Simulate recordings and their labels; the same arguments give the same frames.

    Args:
      series: how many participants.
      days: length of each recording; None draws it. Single nights and recordings of some hours,
        which "world" has, keep their own length.
      seed: of all that is random.
      population: "competition", people and watches as in the Child Mind data, or "world": any
        watch, adults and old people, bad sleepers, shift workers, recordings of one night.
      devices: kinds of watch that occur in "world"; all by default.
      truth: "annotated", events as people would place them by looking at the movements, one
        window per night; or "psg", persistent sleep of every time in bed.

    Returns:
      (recordings, events): frames with the columns of the competition's files, ``series_id, step,
      timestamp, anglez, enmo`` and ``series_id, night, event, step, timestamp``; a night of which
      nothing is known has null steps.

    Raises:
      InputError: a value out of its bounds.

    Examples:
      >>> recordings, events = simulate(series=2, days=3)
      >>> recordings["series_id"].n_unique(), recordings.columns
      (2, ['series_id', 'step', 'timestamp', 'anglez', 'enmo'])
      >>> events.columns
      ['series_id', 'night', 'event', 'step', 'timestamp']
    """
    cohort = Cohort(series, days, seed, population, tuple(devices), truth)
    people = [cohort.recording(index) for index in range(series)]
    rows = [row for one in people for row in one.event_rows(truth)]
    frames = pl.concat([one.frame() for one in people])
    return frames, pl.DataFrame(rows, cohort_files.EVENT_SCHEMA)


def simulate_cohort(out: str | Path, *, overwrite: bool = False, **settings: Any) -> dict[str, Any]:
    """Write a cohort, and three further participants for testing, into the folder ``out``.

    ``settings`` are those of `Cohort`. Returns what simulation.json holds. A folder that already
    holds the very same cohort is left as it is; another one is replaced with ``overwrite``. Raises
    InputError for a value out of bounds and for a folder that holds files the simulator did not
    write.
    """
    folder, cohort = Path(out), Cohort(**settings)
    _check_folder(folder)
    wanted = {
        "simulated": True,
        "version": VERSIONS[cohort.population],
        "test_series": TEST_SERIES,
        **asdict(cohort),
        "devices": list(cohort.devices),
    }
    # Looked at before locking, and again after waiting for another process that did the same work.
    if not _is_complete(folder, wanted):
        state, remedy = "being simulated by another process", "wait for it or stop it"
        with lock.held(folder / LOCK, state=state, remedy=remedy, wait=lock.WAIT):
            if not _is_complete(folder, wanted):
                _write(folder, cohort, wanted, overwrite=overwrite)
    return wanted


def _is_complete(folder: Path, wanted: dict[str, Any]) -> bool:
    """Whether the folder holds this very cohort, whole."""
    complete = cohort_files.read_marker(folder) == {**wanted, "complete": True}
    return complete and all((folder / name).is_file() for name in cohort_files.FILES)


def _write(folder: Path, cohort: Cohort, wanted: dict[str, Any], *, overwrite: bool) -> None:
    """Write the cohort that ``wanted`` describes; the lock on the folder is held."""
    before = cohort_files.read_marker(folder)
    if before.get("complete") and before != {**wanted, "complete": True} and not overwrite:
        keys = ("series", "days", "seed", "population", "version")
        what = ", ".join(f"{key}={before.get(key)}" for key in keys)
        raise InputError(
            f"{folder} holds another simulated cohort ({what}); give another folder, or "
            "--overwrite."
        )
    # The marker comes first: whatever an interruption leaves behind is known to be simulated.
    write_json(folder / cohort_files.MARKER, {**wanted, "complete": False})
    test = [FIRST_TEST_INDEX + i for i in range(TEST_SERIES)]
    with disk_errors(folder):
        cohort_files.write(folder, cohort.recording, range(cohort.series), test, cohort.truth)
    write_json(folder / cohort_files.MARKER, {**wanted, "complete": True})


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for the simulated cohort.")
    # Listed before the marker is looked for: another process writes the marker first, so files of
    # a cohort that is only now begun are never taken for somebody else's.
    foreign = sorted(p.name for p in folder.glob("[!.]*") if p.is_file())
    if foreign and not is_simulated(folder):
        raise InputError(
            f"{folder} holds {', '.join(foreign[:5])}, which the simulator did not write "
            f"({cohort_files.MARKER} is missing); nothing was overwritten. Give another folder."
        )
