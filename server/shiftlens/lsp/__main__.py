"""`python -m shiftlens.lsp`: the language server over stdio."""

from __future__ import annotations

from shiftlens.lsp.server.start import start

if __name__ == "__main__":
    start()
