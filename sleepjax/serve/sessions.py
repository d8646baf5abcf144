"""Sessions: the streams that are open, by their key."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException

from sleepjax.live.stream import Stream
from sleepjax.serve.limits import Limits


@dataclass
class Session:
    """An open stream, used by one request at a time."""

    stream: Stream
    lock: threading.Lock = field(default_factory=threading.Lock)
    used: float = field(default_factory=time.monotonic)

    def ask(self, question: Callable[[Stream], Any]) -> Any:
        """What the stream answers, after the requests before."""
        with self.lock:
            return question(self.stream)


class Sessions:
    """Open streams; their keys cannot be guessed, and a key is all it takes to use a stream."""

    def __init__(self, limits: Limits, count: Callable[[int], None]):
        """``count`` is told the number of open streams."""
        self.limits, self.count = limits, count
        self.open: dict[str, Session] = {}
        self.lock = threading.Lock()

    def add(self, stream: Stream) -> str:
        """The key of a new stream; 429 where there are as many as may be, and none is idle."""
        with self.lock:
            if len(self.open) >= self.limits.streams:
                long_ago = time.monotonic() - 3600 * self.limits.idle_hours
                idle = [key for key, session in self.open.items() if session.used < long_ago]
                for key in idle:
                    del self.open[key]
            if len(self.open) >= self.limits.streams:
                text = f"{len(self.open)} streams are open, as many as may be; close one first."
                raise HTTPException(429, text)
            key = secrets.token_urlsafe(16)
            self.open[key] = Session(stream)
            self.count(len(self.open))
        return key

    def of(self, key: str) -> Session:
        """The stream of a key; 404 where there is none."""
        session = self.open.get(key)
        if session is None:
            raise HTTPException(404, "no stream has this key; it may have been closed.")
        session.used = time.monotonic()
        return session

    def close(self, key: str) -> None:
        """Forget a stream."""
        self.of(key)
        with self.lock:
            self.open.pop(key, None)
            self.count(len(self.open))
