"""Bounds of a module's settings: sizes, fractions and names, checked where a module is made."""

from __future__ import annotations

from collections.abc import Collection

from sleepjax.config import nearest
from sleepjax.types import InputError


def check_sizes(**sizes: int | tuple[int, ...]) -> None:
    """Raise InputError unless each is a positive whole number, or a list with nothing but those."""
    for name, value in sizes.items():
        many = isinstance(value, tuple)
        items = value if many else (value,)
        if not items or not all(isinstance(i, int) and i > 0 for i in items):
            kind = "a list of positive whole numbers" if many else "a positive whole number"
            raise InputError(f"{name}={value!r} must be {kind}.")


def check_dropout(dropout: float) -> None:
    """Raise InputError unless it is a fraction that leaves something."""
    if not 0 <= dropout < 1:
        raise InputError(f"dropout={dropout!r} must be a number from 0 to below 1.")


def check_name(what: str, name: str, known: Collection[str]) -> None:
    """Raise InputError, with the nearest, unless the name is known."""
    if name not in known:
        names = ", ".join(known)
        raise InputError(f"{what} {name!r} is unknown{nearest(name, known)} Known: {names}.")
