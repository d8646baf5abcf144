"""Samples of one piece of a device file, in g on the device's clock, as actfast reads them."""

import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sleepjax.devices.pieces import Piece
from sleepjax.stdio import PanicError, quietly


@dataclass(frozen=True)
class Samples:
    """N samples as a device or a table reports them."""

    time: np.ndarray
    """int64 [N], ns since 1970-01-01 as the device's clock shows it."""
    xyz: np.ndarray
    """float32 [3,N], g."""
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    pages: int = 0
    """Pages that they are from, of devices whose files have pages."""


class DecodeError(ValueError):
    """What actfast says of a piece that it cannot read."""


def decode(piece: Piece, folder: Path, lenient: bool) -> Samples:
    """The samples of a piece, whose own file is written to ``folder`` for a moment.

    With ``lenient`` what is damaged is left out, and noted in ``warnings``. Raises DecodeError.
    """
    import actfast

    handle, name = tempfile.mkstemp(dir=folder, suffix=".piece")
    with os.fdopen(handle, "wb") as file:
        file.write(piece.content())
    try:
        result: dict[str, Any] = quietly(lambda: actfast.read(name, lenient))  # type: ignore
    except (ValueError, OSError) as error:
        raise DecodeError(re.sub(r"\s+", " ", str(error))[:200]) from None
    except PanicError:
        raise DecodeError("its contents contradict its header") from None
    finally:
        os.unlink(name)
    tables = result["timeseries"]
    table = tables.get("acceleration") or tables.get("high_frequency") or {}
    time = np.asarray(table.get("datetime", ()), np.int64)
    acceleration = np.asarray(table.get("acceleration", ()), np.float32).reshape(-1, 3)
    count = min(len(time), len(acceleration))
    xyz = np.ascontiguousarray(acceleration[:count].T)
    pages = len(tables.get("low_frequency", {}).get("datetime", ()))
    return Samples(time[:count], xyz, result["metadata"], tuple(result["warnings"]), pages)
