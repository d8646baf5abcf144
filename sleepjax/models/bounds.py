"""Bounds of a module's settings, checked where a module is made."""

import dataclasses

import flax.linen as nn

from sleepjax.config import check_known
from sleepjax.models.blocks import NORMS, UPSAMPLES
from sleepjax.types import InputError

NAMED = {"norm": NORMS, "upsample": UPSAMPLES}
"""Settings that name one of several kinds."""


class Checked(nn.Module):
    """A module that raises InputError for a setting out of its bounds.

    What is a whole number above 0 by default, or a list of them, is a size, ``dropout`` a fraction.
    `NAMED` are names.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            name, default, value = field.name, field.default, getattr(self, field.name)
            first = default[0] if isinstance(default, tuple) and default else default
            if type(first) is int and first > 0:
                check_size(name, value)
            elif name == "dropout" and not 0 <= value < 1:
                raise InputError(f"dropout={value!r} must be a number from 0 to below 1.")
            elif name in NAMED:
                check_known(f"{name} {value!r}", value, NAMED[name])
        super().__post_init__()


MOST = 2**20
"""Of a size: a layer of so many channels alone has a million million weights."""


def check_size(name: str, value: int | tuple[int, ...]) -> None:
    """Raise InputError unless it is a positive whole number, or a list with nothing but those."""
    many = isinstance(value, tuple)
    items = value if many else (value,)
    if not items or not all(isinstance(i, int) and i > 0 for i in items):
        kind = "a list of positive whole numbers" if many else "a positive whole number"
        raise InputError(f"{name}={value!r} must be {kind}.")
    if max(items) > MOST:
        raise InputError(f"{name}={value!r} must be at most {MOST}.")
