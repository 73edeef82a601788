"""What no editor sends, sent to a real server: it answers each request, logs no fault, and keeps the right text."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from typing import Any

from stress.mutate import MARKS, SEEDS, changed
from stress.rpc import Home, Server, leave, start

TALK = "User: What is the capital of France?\nAssistant: The capital of France is Paris. 😀 It is e\u0301legant.\r\n"
_ENDLESS = "file:///not/open.txt"
_URIS = (
    "file:///a.txt",
    "file:///b%20c.md",
    "untitled:Untitled-1",
    "file:///\ud83d",
    "",
    "no uri",
    "file:///a.txt#x",
    _ENDLESS,
)
_PLACES = (0, 1, 7, 20, 10**6, 2**31 - 1, 2**31, 2**53, -1, -(2**31), 1.5, "1", None, True)
_REQUESTS = (
    *("textDocument/hover", "textDocument/definition", "textDocument/semanticTokens/full", "shiftlens/token"),
    *("textDocument/semanticTokens/range", "textDocument/semanticTokens/full/delta", "shiftlens/analysis"),
    *("shiftlens/tokens", "shiftlens/survey", "workspace/executeCommand", "workspace/textDocumentContent"),
    *(
        "textDocument/completion",
        "no/such/method",
        "initialize",
        "$/none",
        "",
        "workspace/symbol",
        "textDocument/codeLens",
    ),
)
_NOTES = (
    *("textDocument/didOpen", "textDocument/didChange", "textDocument/didSave", "textDocument/didClose"),
    *("workspace/didChangeConfiguration", "$/cancelRequest", "$/progress", "$/setTrace", "no/such", "initialized"),
    *("window/workDoneProgress/cancel", "workspace/didChangeWatchedFiles", "notebookDocument/didOpen"),
)
_COMMANDS = (
    *("shiftlens.score", "shiftlens.scoreResponses", "shiftlens.cancel", "shiftlens.report", "shiftlens.localModels"),
    *("shiftlens.debugInformation", "shiftlens.nothing", "shiftlens.clearCache", ""),
)


def params(rng: random.Random, method: str) -> Any:
    """Parameters of about the right shape."""
    place = {"line": rng.choice(_PLACES), "character": rng.choice(_PLACES)}
    other = {"line": rng.choice(_PLACES), "character": rng.choice(_PLACES)}
    document = {"uri": rng.choice(_URIS), "version": rng.choice((0, 1, 2, 3, -1, 2**31, None))}
    text = rng.choice((TALK, "", "\ud83d", rng.choice(SEEDS).text, rng.choice(MARKS) * 3))
    if method == "workspace/executeCommand":
        given: Any = rng.choice(
            ([], [document["uri"]], [document["uri"], {"start": place, "end": other}], [[]], [{}], None)
        )
        value: Any = {"command": rng.choice(_COMMANDS), "arguments": given}
    elif method == "$/cancelRequest":
        value = {"id": rng.choice((1, 2, "x", -1, None, 2**40, 1.5))}
    else:
        value = {
            "textDocument": {**document, "languageId": "plaintext", "text": text},
            "position": place,
            "range": {"start": place, "end": other},
            "previousResultId": "x",
            "uri": rng.choice((document["uri"], "shiftlens-page:/a?b")),
            "contentChanges": [{"range": {"start": place, "end": other}, "text": text}, {"text": text}][
                : rng.randint(0, 2)
            ],
            "settings": {"shiftlens": {"topK": rng.choice(_PLACES)}},
            "token": "x",
            "value": {},
            "capabilities": {},
        }
    for _ in range(rng.choice((0, 0, 1, 2))):
        value = changed(rng, value)
    return value


def broken(rng: random.Random) -> bytes:
    """The body of a message that is none."""
    whole = json.dumps({"jsonrpc": "2.0", "id": "b", "method": rng.choice(_REQUESTS), "params": {}}).encode()
    at = rng.randint(0, len(whole))
    return rng.choice(
        (
            whole[:at],
            whole[:at] + bytes([rng.randint(0, 255)]) + whole[at + 1 :],
            b"[" * rng.choice((1, 100, 100_000)),
            b"[%b]" % whole,
            b"null",
            b"0",
            b'"x"',
            b"{}",
            b'{"jsonrpc": "2.0"}',
            b'{"jsonrpc": "2.0", "id": null, "method": "shutdown2"}',
            b'{"jsonrpc": "2.0", "id": [1], "method": "textDocument/hover"}',
            b'{"jsonrpc": "2.0", "id": 1.5, "method": "textDocument/hover", "params": {}}',
            b'{"jsonrpc": "2.0", "id": 999999, "result": {}}',
            b'{"jsonrpc": "2.0", "id": "zz", "error": 7}',
            b'{"jsonrpc": "2.0", "method": 7}',
            b'{"jsonrpc": "1.0", "method": "initialized", "params": {}}',
            b"\xff\xfe",
            b"1" * 6000,
            b"",
        )
    )


async def odd_messages(place: Home, seed: int, seconds: float) -> Counter[str]:
    """Requests and notifications of wrong shapes among broken ones; after each hundred a good one is answered."""
    rng = random.Random(seed)
    server = await start(place)
    count: Counter[str] = Counter()
    until = time.monotonic() + seconds
    server.open(_URIS[0], TALK)
    while time.monotonic() < until and server.process.returncode is None:
        for _ in range(100):
            kind = rng.random()
            if kind < 0.45:
                method = rng.choice(_REQUESTS)
                server.ask(method, params(rng, method), rng.choice((None, f"n{count['inputs']}")))
            elif kind < 0.9:
                method = rng.choice(_NOTES)
                server.notify(method, params(rng, method))
            else:
                server.send(broken(rng))
            count["inputs"] += 1
        await _is_alive(server)
        count["lost"] += await server.all_answers()
        server.look()
    return await _end(server, count)


async def queues(place: Home, seed: int, requests: int) -> Counter[str]:
    """Many requests that stand in line at once, and storms of cancels of them; each gets one answer."""
    rng = random.Random(seed)
    server = await start(place)
    count: Counter[str] = Counter(inputs=2 * requests)
    uri = _URIS[0]
    server.open(uri, TALK)
    await server.settled(uri, 1)
    for number in range(requests):
        at = {"line": 1, "character": rng.randint(0, 60)}
        method = rng.choice(
            ("textDocument/hover", "shiftlens/token", "textDocument/semanticTokens/full", "shiftlens/tokens")
        )
        server.ask(method, {"textDocument": {"uri": uri}, "position": at, "uri": uri})
        if number % 2:
            server.notify("$/cancelRequest", {"id": rng.randint(1, server.asked)})
        if number % 1000 == 0:
            server.look()
            version = 2 + number // 1000
            server.change(uri, version, {"text": TALK + f"User: {number}?\nAssistant: Yes.\n"})
    count["lost"] += await server.all_answers()
    status = await server.settled(uri, version)
    count["wrong"] += status["state"] != "ready"
    return await _end(server, count)


class Model:
    """A document as an editor has it: UTF-16 code units, lines that end in LF, CRLF or CR."""

    def __init__(self, text: str) -> None:
        self.units = _units(text)

    def change(self, rng: random.Random) -> dict[str, Any]:
        """A random edit, made here; what an editor says of it. No edit cuts a character: editors make none that do."""
        edges = [at for at in range(len(self.units) + 1) if not self._is_inside(at)]
        start = rng.choice(edges)
        end = min((at for at in edges if at >= start + rng.choice((0, 0, 1, 3, 10))), default=edges[-1])
        text = rng.choice(("", "a", "😀", "\r\n", "\n", "\r", "é", "User: b?\nAssistant: c\n", "\u2028", "word "))
        said = {"range": {"start": self._position(start), "end": self._position(end)}, "text": text}
        self.units[start:end] = _units(text)
        return said

    @property
    def text(self) -> str:
        """What the document says."""
        raw = b"".join(unit.to_bytes(2, "little") for unit in self.units)
        return raw.decode("utf-16-le", "surrogatepass")

    def _is_inside(self, at: int) -> bool:
        """Whether a place is inside of a surrogate pair or of a CRLF."""
        if not 0 < at < len(self.units):
            return False
        before, after = self.units[at - 1], self.units[at]
        return (0xD800 <= before < 0xDC00 <= after < 0xE000) or (before, after) == (13, 10)

    def _position(self, at: int) -> dict[str, int]:
        line = column = 0
        for index in range(at):
            unit = self.units[index]
            if unit == 10 or (unit == 13 and self.units[index + 1 : index + 2] != [10]):
                line, column = line + 1, 0
            else:
                column += 1
        return {"line": line, "character": column}


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)]


async def edits(place: Home, seed: int, seconds: float) -> Counter[str]:
    """Random edits by range. After each twenty the server has the text that an editor has, and colours inside of it."""
    rng = random.Random(seed)
    server = await start(place, {"runPolicy": "onSave"})
    count: Counter[str] = Counter()
    until = time.monotonic() + seconds
    uri, model, version = "file:///edited.txt", Model(TALK), 1
    server.open(uri, model.text)
    while time.monotonic() < until and server.process.returncode is None:
        for _ in range(20):
            version += 1
            server.change(uri, version, *(model.change(rng) for _ in range(rng.choice((1, 1, 1, 3)))))
            count["inputs"] += 1
        server.change("file:///closed.txt", version, {"text": "x"})
        told = await server.command("shiftlens.debugInformation")
        (known,) = [each for each in told["documents"] if each["uri"] == uri]
        if (known["characters"], known["version"]) != (len(model.text), version):
            count["wrong"] += 1
            count[f"wrong text in session {seed}"] += 1
            model, version = Model(TALK), version + 1
            server.change(uri, version, {"text": model.text})
        answer = await server.result("textDocument/semanticTokens/full", {"textDocument": {"uri": uri}})
        count["wrong"] += not _inside(model, answer["data"])
        if len(model.units) > 3000:
            model, version = Model(TALK), version + 1
            server.change(uri, version, {"text": model.text})
        server.look()
    return await _end(server, count)


def _inside(model: Model, data: list[int]) -> bool:
    """Whether every colour lies on a line that there is."""
    lines = model.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    line = column = 0
    for at in range(0, len(data), 5):
        down, right, length = data[at : at + 3]
        line, column = line + down, right if down else column + right
        if line >= len(lines) or column + length > len(_units(lines[line])):
            return False
    return True


async def _is_alive(server: Server) -> None:
    await server.within(
        server.ask("workspace/executeCommand", {"command": "shiftlens.debugInformation"}), "a sign of life"
    )


async def _end(server: Server, count: Counter[str]) -> Counter[str]:
    count["requests"], count["served"] = server.asked, server.answered
    crashed = server.process.returncode is not None
    if not crashed:
        crashed = await leave(server) != 0
    count["crashed"] += crashed
    count["wrong"] += server.internal_errors
    for line in server.tracebacks[:5]:
        count[f"log: {line[:120]}"] += 1
    count["wrong"] += len(server.tracebacks)
    count["peak bytes"] = server.peak_bytes
    return count
