"""Where the project stands, for tests that are collected by its files."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((PROJECT / "configs").glob("*.py"))
