"""Kinds of watch of the population ``world``."""

DEVICES: dict[str, None] = {}
