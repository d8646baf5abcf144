"""``python -m sleepjax NAME ...``: the command ``sleepjax``, where that is not on the path."""

import sys

from sleepjax.commands import main

if __name__ == "__main__":
    sys.exit(main())
