"""A language server over stdio, spoken to as an editor does; blocking, and with nothing that costs time of its own."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_SECONDS = 900.0


class Wire:
    """One server process. `settings` is what it gets when it asks for its configuration."""

    def __init__(
        self, command: Sequence[str], *, settings: object = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._settings = settings
        self._answers: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self._states: dict[str, str] = {}
        self._news = threading.Condition()
        self._last_id = 0
        self.started = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.request("shutdown", None)
            self.notify("exit", None)
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()

    def request(self, method: str, params: object) -> Any:
        """The result of a request."""
        return json.loads(self.timed(method, params)[1])["result"]

    def timed(self, method: str, params: object) -> tuple[float, bytes]:
        """Seconds until the last byte of the answer was read, and the answer."""
        self._last_id += 1
        start = time.perf_counter()
        self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        end, body = self._answers.get(timeout=_SECONDS)
        return end - start, body

    def notify(self, method: str, params: object) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def initialize(self) -> None:
        capabilities = {
            "workspace": {"configuration": True, "semanticTokens": {"refreshSupport": True}},
            "textDocument": {"hover": {"contentFormat": ["markdown"]}},
        }
        self.request("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self.notify("initialized", {})

    def open(self, path: Path, uri: str | None = None) -> str:
        """Open a file under its own or another uri."""
        uri = uri or path.as_uri()
        item = {"uri": uri, "languageId": "json", "version": 1, "text": path.read_text(encoding="utf-8")}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return uri

    def state(self, uri: str) -> str:
        with self._news:
            return self._states.get(uri, "")

    def until(self, uri: str, state: str) -> None:
        with self._news:
            done = self._news.wait_for(lambda: self._states.get(uri) in (state, "error"), _SECONDS)
        if not done or self.state(uri) != state:
            raise RuntimeError(f"{uri} is {self.state(uri)}, not {state}")

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def _send(self, message: object) -> None:
        assert self.process.stdin is not None
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while header := stream.readline():
            length = int(header.split(b":")[1])
            while stream.readline().strip():
                pass
            body = stream.read(length)
            end = time.perf_counter()
            # An answer is not taken apart here: a large one would hold up the clock of the next.
            if b'"method"' in body[:200] or b'"method"' in body[-200:]:
                self._hear(json.loads(body))
            else:
                self._answers.put((end, body))

    def _hear(self, message: dict[str, Any]) -> None:
        if message["method"] == "shiftlens/status":
            with self._news:
                self._states[message["params"]["uri"]] = message["params"]["state"]
                self._news.notify_all()
        elif "id" in message:
            asked = message["method"] == "workspace/configuration"
            result = [self._settings for _ in message["params"]["items"]] if asked else None
            self._send({"jsonrpc": "2.0", "id": message["id"], "result": result})
