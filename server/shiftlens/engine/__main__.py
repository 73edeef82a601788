"""Start of the engine process: `python -m shiftlens.engine`, spoken to over stdin and stdout in frames."""

from __future__ import annotations

from shiftlens.engine.main import main

if __name__ == "__main__":
    main()
