"""Bounds of a module's settings: sizes and fractions, checked where a module is made."""

from __future__ import annotations

from typing import Any

from sleepjax.types import InputError


def check_sizes(module: Any, *names: str) -> None:
    """`check_size` of each of these settings of a module."""
    for name in names:
        check_size(name, getattr(module, name))


def check_size(name: str, value: int | tuple[int, ...]) -> None:
    """Raise InputError unless it is a positive whole number, or a list with nothing but those."""
    many = isinstance(value, tuple)
    items = value if many else (value,)
    if not items or not all(isinstance(i, int) and i > 0 for i in items):
        kind = "a list of positive whole numbers" if many else "a positive whole number"
        raise InputError(f"{name}={value!r} must be {kind}.")


def check_dropout(dropout: float) -> None:
    """Raise InputError unless it is a fraction that leaves something."""
    if not 0 <= dropout < 1:
        raise InputError(f"dropout={dropout!r} must be a number from 0 to below 1.")
