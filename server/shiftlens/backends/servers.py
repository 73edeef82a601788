"""The kinds of backends that are model servers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from shiftlens.backends.keys import key_for
from shiftlens.options.pair import PairSpec
from shiftlens.options.server_names import read_server_name

if TYPE_CHECKING:
    from shiftlens.backends.connections import Patience
    from shiftlens.backends.dialect import Dialect
    from shiftlens.backends.server import ServerBackend


class Servers:
    """Opens the names of models on servers (see `options.server_names`). No server is asked yet."""

    def __init__(self, patience: Patience | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self._patience = patience
        self._environment = environment

    def open(self, name: str, spec: PairSpec) -> ServerBackend | None:
        """See `protocol.BackendKind`."""
        server = read_server_name(name)
        if server is None:
            return None
        # aiohttp takes 0.15 s to import, which most engines never need.
        from shiftlens.backends.connections import Patience
        from shiftlens.backends.exchange import Exchange
        from shiftlens.backends.openai import OpenAI
        from shiftlens.backends.server import ServerBackend
        from shiftlens.backends.sglang import SGLang
        from shiftlens.backends.vllm import VLLM

        dialects: dict[str, Dialect] = {"vllm": VLLM(), "sglang": SGLang(), "openai": OpenAI()}
        exchange = Exchange(server.url, key_for(server.url, self._environment), self._patience or Patience())
        return ServerBackend(name, server, dialects[server.kind], exchange, allow_download=spec.allow_download)
