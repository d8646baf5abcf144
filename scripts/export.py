"""Start a command in a clone; sleepjax/commands/ has what it does."""

import sys

from sleepjax.cli import run
from sleepjax.commands.export import main

if __name__ == "__main__":
    sys.exit(run(main))
