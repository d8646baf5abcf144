"""Limits of the service; what is above one is refused in one line that names it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How much the service takes on."""

    megabytes: float = 200.0
    """Of the body of a request."""
    days: int = 400
    """From the first to the last sample, of all recordings of a request together."""
    seconds: float = 120.0
    """For a request to be received, and for it to be answered then."""
    at_once: int = 1
    """Requests that are computed at the same time; each may hold a whole recording in memory."""
    waiting: int = 8
    """Requests that wait for these."""
    streams: int = 100
    """Open streams; each takes some 4 MB."""
    idle_hours: float = 48.0
    """Without samples, after which a stream may be closed to make room for another."""

    @property
    def bytes(self) -> int:
        """`megabytes` in bytes."""
        return round(self.megabytes * 1_000_000)
