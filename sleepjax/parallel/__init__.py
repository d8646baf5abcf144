"""Devices and processes: how arrays are split, how hosts agree."""
