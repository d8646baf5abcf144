"""State of a stream, and its bytes: one line that names format and model, and a checked payload."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from sleepjax.data.repair import Samples
from sleepjax.live.arrivals import Counts
from sleepjax.live.rows import Rows, Still
from sleepjax.live.settled import Given
from sleepjax.live.track import Track
from sleepjax.types import InputError

FORMAT = 1
MAGIC = b"sleepjax stream "

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class State:
    """All that a stream remembers."""

    rows: Rows
    tracks: tuple[Track, ...]
    probs: np.ndarray
    """float32 [N,K]: final probabilities of the last days, up to the first row of the tracks."""
    given: Given = Given()
    counts: Counts = Counts()

    @property
    def final(self) -> int:
        """Probabilities of rows before this one are final."""
        return self.tracks[0].first


def to_bytes(facts: Mapping[str, Any], arrays: Arrays, model: str) -> bytes:
    """Facts (JSON) and arrays in one string of bytes."""
    payload = save({name: np.ascontiguousarray(a) for name, a in arrays.items()})
    payload = json.dumps(facts).encode() + b"\n" + payload
    head = {"format": FORMAT, "model": model, "sha256": hashlib.sha256(payload).hexdigest()}
    return MAGIC + json.dumps(head).encode() + b"\n" + payload


def from_bytes(data: bytes, model: str) -> tuple[dict[str, Any], Arrays]:
    """What `to_bytes` was given. InputError for other bytes, damaged ones, and another model."""
    if not isinstance(data, bytes | bytearray) or not data.startswith(MAGIC):
        begins = bytes(data[:16]) if isinstance(data, bytes | bytearray) else type(data).__name__
        raise InputError(f"this is not a saved stream of sleepjax (it begins with {begins!r}).")
    line, _, payload = bytes(data).partition(b"\n")
    try:
        head = json.loads(line[len(MAGIC) :])
        version, wanted, found = head["format"], head["sha256"], head["model"]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            "the saved stream is damaged in its first line; use another copy."
        ) from None
    if version != FORMAT:
        raise InputError(
            f"the saved stream has format {version!r} and this version of sleepjax reads {FORMAT}; "
            "restore it with the version that wrote it, or push its samples into a new stream."
        )
    if hashlib.sha256(payload).hexdigest() != wanted:
        raise InputError(
            f"the saved stream is damaged ({len(data)} bytes, another checksum than when it was "
            "written); use another copy."
        )
    if found != model:
        raise InputError(
            f"the saved stream belongs to another model ({found[:12]}, this one is {model[:12]}); "
            "load the model that it was saved with."
        )
    facts, _, arrays = payload.partition(b"\n")
    return json.loads(facts), load(arrays)


def state_out(state: State) -> tuple[dict[str, Any], Arrays]:
    """A state as facts and arrays."""
    rows, last = state.rows, state.rows.last
    facts = {name: getattr(rows, name) for name in ("start", "first", "offsets", "measured")}
    facts |= {
        "still": asdict(rows.still),
        "range": None if not rows.measured else [rows.low, rows.high],
        "last": [int(last.utc[0]), int(last.offset[0]), int(last.step[0])],
        "tracks": [{"number": one.number, "first": one.first} for one in state.tracks],
        "given": asdict(state.given),
        "counts": asdict(state.counts),
    }
    arrays = {"signals": rows.signals, "last": last.signals, "probs": state.probs}
    for i, one in enumerate(state.tracks):
        arrays |= {f"total{i}": one.total, f"weight{i}": one.weight}
    return facts, arrays


def state_in(facts: Mapping[str, Any], arrays: Arrays) -> State:
    """The state that `state_out` was given."""
    utc, offset, step = (np.array([value], np.int64) for value in facts["last"])
    extremes = facts["range"]
    rows = Rows(
        start=facts["start"],
        last=Samples(utc, offset, step, arrays["last"]),
        first=facts["first"],
        signals=arrays["signals"],
        offsets=tuple((row, seconds) for row, seconds in facts["offsets"]),
        still=Still(**facts["still"]),
        measured=facts["measured"],
        **({} if extremes is None else {"low": tuple(extremes[0]), "high": tuple(extremes[1])}),
    )
    tracks = tuple(
        Track(total=arrays[f"total{i}"], weight=arrays[f"weight{i}"], **numbers)
        for i, numbers in enumerate(facts["tracks"])
    )
    given, counts = Given(**facts["given"]), Counts(**facts["counts"])
    return State(rows, tracks, arrays["probs"], given, counts)
