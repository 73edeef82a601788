"""`python -m shiftlens`: the same as the `shiftlens` command."""

from __future__ import annotations

import sys

from shiftlens.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
