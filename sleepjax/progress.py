"""Progress with an estimate of the time left: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm


def clock(seconds: float) -> str:
    """``"1:02:03"`` or ``"2:03"``."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class Progress:
    """Counts work done, of ``total`` in ``unit``, and shows it; use as a context manager.

    ``initial`` is work done by an earlier run, ``every`` the seconds between two plain lines.
    """

    def __init__(
        self,
        total: float,
        label: str,
        unit: str,
        *,
        initial: float = 0,
        every: float = 10.0,
        quiet: bool = False,
    ):
        self.total, self.label, self.unit = total, label, unit
        self.done = self.initial = initial
        self.every, self.begin = every, time.monotonic()
        self.last = self.begin
        self.warm: tuple[float, float] | None = None  # (time, done) after the first piece
        self.note = ""
        self.bar = None
        self.quiet = quiet
        if sys.stderr.isatty() and not quiet:
            self.bar = tqdm(
                total=total, desc=label, unit=unit, initial=initial, unit_scale=total > 1e5
            )

    def advance(self, amount: float = 1) -> None:
        """Count finished work and show it; the attribute ``note`` stands behind the numbers."""
        self.done += amount
        if self.bar is not None:
            self.bar.set_postfix_str(self.note, refresh=False)
            self.bar.update(amount)
            return
        now = time.monotonic()
        # The first piece may hold compilation, which says nothing of the pieces to come.
        self.warm = self.warm or (now, self.done)
        if now - self.last >= self.every or (self.done >= self.total and self.last > self.begin):
            self.last = now
            self.line()

    def line(self) -> None:
        """Print where the work is as one plain line."""
        since, already = self.warm or (self.begin, self.initial)
        rate = (self.done - already) / max(time.monotonic() - since, 1e-9)
        pace = ""
        if rate > 0:  # unknown after the first piece
            left = clock((self.total - self.done) / rate)
            pace = f", {rate:,.3g} {self.unit}/s, {left} left"
        self.say(
            f"{self.label}: {self.done:,.0f}/{self.total:,.0f} {self.unit}"
            f" ({self.done / max(self.total, 1e-9):.0%}){pace}"
            f"{'; ' + self.note if self.note else ''}"
        )

    def say(self, text: str) -> None:
        """Print a line without breaking the bar."""
        if self.bar is not None:
            tqdm.write(text, file=sys.stderr)
        elif not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()
