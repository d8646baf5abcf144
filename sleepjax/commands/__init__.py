"""Commands: ``sleepjax NAME ...``, and in a clone ``python scripts/NAME.py ...``, a file each."""

import importlib
import sys
from pathlib import Path

from sleepjax.cli import run

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))


def main() -> int:
    """Exit code of the command that the command line names; without one, the list of all."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in NAMES:
        sys.argv = [f"sleepjax {name}", *sys.argv[2:]]
        return run(importlib.import_module(f"sleepjax.commands.{name}").main)
    return run(listed)


def listed(argv: list[str]) -> int:
    """Print the commands; 2 where the first argument should have been one."""
    if argv in (["-h"], ["--help"]):
        print("usage: sleepjax COMMAND [ARGUMENTS]; each command has its own --help.\n")
        print("\n".join(f"  {name:18}{purpose(name)}" for name in NAMES))
        return 0
    if argv == ["--version"]:
        from sleepjax import __version__

        print(__version__)
        return 0
    from sleepjax.config import nearest

    near = f"{argv[0]!r} is not a command{nearest(argv[0], NAMES)}" if argv else "name a command."
    print(f"error: {near} sleepjax --help lists them.", file=sys.stderr)
    return 2


def purpose(name: str) -> str:
    """First sentence of a command's own help, read without importing it."""
    source = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    return source.split('"""')[1].splitlines()[0]
