"""A client of a real language server over stdio that can also say what no editor says, and counts what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

_NO_LINGER = {"SHIFTLENS_ENGINE_LINGER": "0"}
SECONDS = 300.0
"""How long an answer may take on a busy machine before it counts as lost."""

BUNDLED = {"base": "bundled:base", "aligned": "bundled:aligned", "device": "cpu", "debounceMs": 20}


class Server:
    """A server process, what it was asked, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process, settings: dict[str, Any], place: Home) -> None:
        self.process, self.settings, self.place = process, settings, place
        self.asked = self.answered = self.internal_errors = self.unasked = 0
        self.peak_bytes = 0
        self.log: list[str] = []
        self.statuses: dict[str, dict[str, Any]] = {}
        self.waiting: dict[int | str, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self._next = 1
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._read_log())]

    def send(self, body: bytes) -> None:
        """A message of any body."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def say(self, **fields: Any) -> None:
        """A message as JSON; lone surrogates go as escapes, as JavaScript writes them."""
        self.send(json.dumps({"jsonrpc": "2.0", **fields}).encode())

    def notify(self, method: str, params: Any) -> None:
        """A notification."""
        self.say(method=method, params=params)

    def ask(self, method: str, params: Any, name: int | str | None = None) -> asyncio.Future[dict[str, Any]]:
        """A request; the whole answer with its result or error."""
        if name is None:
            name, self._next = self._next, self._next + 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.waiting[name] = future
        self.asked += 1
        self.say(id=name, method=method, params=params)
        return future

    async def result(self, method: str, params: Any) -> Any:
        """The result of a request that has one. Raises AssertionError where there is none in time."""
        answer = await self.within(self.ask(method, params), f"the answer to {method}")
        assert "error" not in answer, answer
        return answer["result"]

    async def command(self, name: str, *arguments: Any) -> Any:
        """What a command gives."""
        return await self.result("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    async def within(self, future: asyncio.Future[Any], what: str) -> Any:
        """The result of a future. Raises AssertionError where there is none in time, or where the server ended."""
        ended = asyncio.create_task(self.process.wait())
        done, _ = await asyncio.wait({future, ended}, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if future not in done:
            raise AssertionError(f"waited in vain for {what}; the log ends: {self.log[-20:]}")
        return future.result()

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something that the server says."""

        async def wait() -> None:
            while not holds():
                self._news.clear()
                await self._news.wait()

        await self.within(asyncio.ensure_future(wait()), what)

    async def all_answers(self) -> int:
        """Wait for every answer; how many never came."""
        pending = [future for future in self.waiting.values() if not future.done()]
        if pending:
            await asyncio.wait(pending, timeout=SECONDS)
        lost = sum(not future.done() for future in self.waiting.values())
        self.waiting.clear()
        return lost

    async def settled(self, uri: str, version: int) -> dict[str, Any]:
        """The status in which a version of a document comes to rest."""

        def holds() -> bool:
            last = self.statuses.get(uri, {})
            return last.get("version") == version and last.get("state") not in (None, "loading", "scoring", "waiting")

        await self.until(holds, f"version {version} of {uri} (now {self.statuses.get(uri)})")
        return self.statuses[uri]

    def open(self, uri: str, text: str, version: int = 1) -> None:
        """Open a document."""
        item = {"uri": uri, "languageId": "plaintext", "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, uri: str, version: int, *changes: dict[str, Any]) -> None:
        """Edit a document."""
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)},
        )

    def close(self, uri: str) -> None:
        """Close a document."""
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def look(self) -> None:
        """Take note of the memory that the server and the engines of its home have now."""
        total = 0
        for each in self.place.processes():
            with contextlib.suppress(psutil.Error):
                total += each.memory_info().rss
        self.peak_bytes = max(self.peak_bytes, total)

    @property
    def tracebacks(self) -> list[str]:
        """The last frame of each fault that the log tells of, with its kind."""
        lines = [*self.log, ""]
        ends = (
            at for at, line in enumerate(lines[:-1]) if line.startswith("  ") and not lines[at + 1].startswith("  ")
        )
        return [f"{lines[at + 1]}: {lines[at - 1].strip()}: {lines[at].strip()}" for at in ends]

    async def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await self.process.stdout.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                self._heard(json.loads(await self.process.stdout.readexactly(length)))

    async def _read_log(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.log.append(line.decode(errors="replace").rstrip())

    def _heard(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            self._answered(message)
        elif "id" in message:
            items = message.get("params", {}).get("items", ())
            is_settings = message["method"] == "workspace/configuration"
            result = [self.settings if item.get("section") == "shiftlens" else None for item in items]
            self.say(id=message["id"], result=result if is_settings else None)
        elif message["method"] == "shiftlens/status":
            self.statuses[message["params"]["uri"]] = message["params"]
        self._news.set()

    def _answered(self, message: dict[str, Any]) -> None:
        name = message.get("id")
        future = self.waiting.get(name) if isinstance(name, (int, str)) else None
        if message.get("error", {}).get("code") == -32603:
            self.internal_errors += 1
        if future is None or future.done():
            self.unasked += 1
            return
        self.answered += 1
        future.set_result(message)


class Home:
    """A cache and a place for engines, of processes that a check starts; who is left of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.engines = folder / "run"
        self.engines.mkdir(mode=0o700, parents=True, exist_ok=True)

    def environment(self, **more: str) -> dict[str, str]:
        """For every process of the check."""
        own = {"SHIFTLENS_CACHE_DIR": str(self.cache), "SHIFTLENS_RUNTIME_DIR": str(self.engines)}
        return {**os.environ, **own, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1", **_NO_LINGER, **more}

    def processes(self) -> list[psutil.Process]:
        """Those that run with this home."""
        found = []
        for each in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                is_ours = each.pid != os.getpid() and each.environ().get("SHIFTLENS_CACHE_DIR") == str(self.cache)
                if is_ours and each.status() != psutil.STATUS_ZOMBIE:
                    found.append(each)
        return found

    async def left_over(self, seconds: float = 5.0) -> int:
        """Processes that have not ended so long after their clients have; they are ended then."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        for each in left:
            with contextlib.suppress(psutil.Error):
                each.kill()
        return len(left)


@asynccontextmanager
async def home() -> AsyncIterator[Home]:
    """A new home; nothing that was started with it outlives it."""
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        place = Home(Path(folder))
        try:
            yield place
        finally:
            await place.left_over(0)


CAPABILITIES = {
    "general": {"positionEncodings": ["utf-16"]},
    "workspace": {"configuration": True, "semanticTokens": {"refreshSupport": True}},
    "window": {"workDoneProgress": True},
    "textDocument": {"hover": {"contentFormat": ["markdown"]}},
}


async def start(
    place: Home, settings: dict[str, Any] | None = None, *, process_id: int | None = None, **environment: str
) -> Server:
    """A server that is initialised."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shiftlens.lsp"),
        stdin=pipe, stdout=pipe, stderr=pipe, env=place.environment(**environment), limit=1 << 27,
    )  # fmt: skip
    server = Server(process, {**BUNDLED, **(settings or {})}, place)
    await server.result("initialize", {"processId": process_id, "rootUri": None, "capabilities": CAPABILITIES})
    server.notify("initialized", {})
    return server


async def leave(server: Server) -> int:
    """Shut a server down in order; its exit code, -1 where it does not end."""
    server.look()
    await server.within(server.ask("shutdown", None), "the end of the session")
    server.notify("exit", None)
    try:
        return await asyncio.wait_for(server.process.wait(), 30)
    except asyncio.TimeoutError:
        server.process.kill()
        return -1
