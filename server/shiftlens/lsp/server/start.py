"""How a language server process begins."""

from __future__ import annotations

import gc


def start(*, tcp: bool = False, host: str = "127.0.0.1", port: int = 0, log_level: str = "warning") -> None:
    """As `server.serve`, which this imports while the garbage collector rests: modules are no garbage."""
    gc.disable()
    from shiftlens.lsp.server.serving import serve

    serve(tcp=tcp, host=host, port=port, log_level=log_level)
