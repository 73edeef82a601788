"""`python -m shiftlens.lsp`: the language server over stdio."""

from __future__ import annotations

from shiftlens.lsp.server import serve

if __name__ == "__main__":
    serve()
