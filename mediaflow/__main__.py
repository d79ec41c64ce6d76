"""`python -m mediaflow` is the `mediaflow` command."""

import sys

from mediaflow.cli import main

if __name__ == "__main__":
    sys.exit(main())
