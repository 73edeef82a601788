"""Much work for a real server: many documents, long files, a day of edits. Memory is bounded, and the newest wins."""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter

from stress.rpc import Home, Server, leave, start

WORDS = ("What", "is", "the", "capital", "of", "France", "Paris", "blue", "sky", "Great", "question", "because", "air")
GROWTH_BYTES = 64 << 20
"""What a server may grow by over a day of edits, once it is warm."""
_EDITS_OF_AN_HOUR = 720


def _talk(rng: random.Random, words: int = 8) -> str:
    return f"User: {' '.join(rng.choices(WORDS, k=5))}?\nAssistant: {' '.join(rng.choices(WORDS, k=words))}.\n"


async def documents(place: Home, count: int, seconds: float) -> Counter[str]:
    """Edits of many documents, fifty a second; at the end each shows its newest text."""
    rng = random.Random(0)
    server = await start(place)
    texts = {f"file:///{n}.txt": _talk(rng) for n in range(count)}
    versions = dict.fromkeys(texts, 1)
    for uri, text in texts.items():
        server.open(uri, text)
    began = time.monotonic()
    edits = 0
    while time.monotonic() - began < seconds:
        while edits < 50 * (time.monotonic() - began):
            uri = rng.choice(list(texts))
            texts[uri], versions[uri] = _talk(rng), versions[uri] + 1
            server.change(uri, versions[uri], {"text": texts[uri]})
            edits += 1
        await asyncio.sleep(0.02)
        server.look() if edits % 500 == 0 else None
    counts: Counter[str] = Counter(inputs=count + edits)
    for uri, version in versions.items():
        status = await server.settled(uri, version)
        counts["wrong"] += status["state"] != "ready"
    for uri, text in texts.items():
        counts["wrong"] += await _scored_text_is_not(server, uri, text)
    return await _end(server, counts)


async def _scored_text_is_not(server: Server, uri: str, text: str) -> bool:
    """Whether the tokens that are shown are not those of the newest text."""
    answer = await server.result("textDocument/semanticTokens/full", {"textDocument": {"uri": uri}})
    lines = text.split("\n")
    line = column = 0
    data = answer["data"]
    for at in range(0, len(data), 5):
        down, right, length = data[at : at + 3]
        line, column = line + down, right if down else column + right
        if (
            not lines[line].startswith("Assistant: ")
            or column < len("Assistant: ")
            or column + length > len(lines[line])
        ):
            return True
    known = await server.result("shiftlens/analysis", {"uri": uri})
    return not data or bool(known["analysedVersion"] != known["version"])


async def responses(place: Home, count: int) -> Counter[str]:
    """A JSONL file of so many responses, each scored."""
    rng = random.Random(1)
    records = [{"prompt": f"What is {n}?", "completion": " ".join(rng.choices(WORDS, k=6))} for n in range(count)]
    text = "".join(json.dumps(record) + "\n" for record in records)
    server = await start(place)
    server.open("file:///many.jsonl", text)
    looking = asyncio.create_task(_look_often(server))
    status = await _settled_long(server, "file:///many.jsonl")
    looking.cancel()
    counts: Counter[str] = Counter(inputs=count, wrong=int(status != "ready"))
    answer = await server.result("textDocument/semanticTokens/full", {"textDocument": {"uri": "file:///many.jsonl"}})
    last_line = sum(answer["data"][0::5])
    counts["lost"] += last_line != count - 1
    return await _end(server, counts)


async def _look_often(server: Server) -> None:
    while True:
        server.look()
        await asyncio.sleep(2)


async def _settled_long(server: Server, uri: str) -> str:
    """The state in which a long file comes to rest: it is told to go on meanwhile, so nobody waits in vain."""
    told = None
    while True:
        try:
            return str((await server.settled(uri, 1))["state"])
        except AssertionError:
            if server.statuses.get(uri) == told:
                raise
            told = server.statuses.get(uri)


async def long_file(place: Home, tokens: int) -> Counter[str]:
    """One response of at least so many tokens, scored to its end by the command line."""
    rng = random.Random(2)
    file, out = place.folder / "long.txt", place.folder / "long.out"
    file.write_text("User: Why is the sky blue?\nAssistant: " + " ".join(rng.choices(WORDS, k=tokens * 2 // 3)) + "\n")
    command = [sys.executable, "-m", "shiftlens", "analyze", str(file), "--bundled", "-o", str(out)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(*command, "--no-cache", "--max-bytes", "100000000"), stderr=pipe, env=place.environment()
    )
    peak = 0
    waiting = asyncio.create_task(process.communicate())
    while not (await asyncio.wait({waiting}, timeout=2))[0]:
        peak = max(peak, sum(each.memory_info().rss for each in place.processes() if each.is_running()))
    _, said = waiting.result()
    counts: Counter[str] = Counter(inputs=1, requests=1)
    counts["peak bytes"] = peak
    if process.returncode != 0:
        counts["crashed"] += 1
        counts[f"log: {said.decode(errors='replace')[-200:]}"] += 1
        return counts
    counts["served"] = 1
    found = re.search(r"^Summary: ([\d,]+) positions", out.read_text(), re.MULTILINE)
    counts["tokens"] = int(found[1].replace(",", "")) if found else 0
    counts["lost"] += counts["tokens"] < tokens
    return counts


async def a_day(place: Home, edits: int) -> Counter[str]:
    """The edits of a day, one after the other without pause: memory stays where it was, and the last text is shown.

    The file is closed and opened once an hour. What is kept for edits grows up to a bound of its own while a file is
    open (`scoring/passes/memories.py`), which an hour does not reach, and is let go with it.
    """
    rng = random.Random(3)
    server = await start(place)
    uri, text = "file:///day.txt", _talk(rng)
    server.open(uri, text)
    await server.settled(uri, 1)
    warm = 0
    for number in range(edits):
        if number % 40 == 39:
            text = "".join(_talk(rng) for _ in range(3))
        else:
            at = rng.randint(text.rindex("Assistant: ") + 11, len(text) - 1)
            text = text[:at] + rng.choice(WORDS) + " " + text[at:]
        if number % _EDITS_OF_AN_HOUR == _EDITS_OF_AN_HOUR - 1:
            server.close(uri)
            server.open(uri, text, number + 2)
        else:
            server.change(uri, number + 2, {"text": text})
        if number % 200 == 199:
            await server.result("shiftlens/analysis", {"uri": uri})
            await server.settled(uri, number + 2)
            server.look()
            if number == edits // 4 // 200 * 200 + 199:
                warm, server.peak_bytes = server.peak_bytes, 0
    status = await server.settled(uri, edits + 1)
    server.look()
    counts: Counter[str] = Counter(inputs=edits, wrong=int(status["state"] != "ready"))
    counts["wrong"] += await _scored_text_is_not_anywhere(server, uri, text)
    counts["wrong"] += server.peak_bytes > warm + GROWTH_BYTES
    counts["growth bytes"] = max(0, server.peak_bytes - warm)
    return await _end(server, counts)


async def _scored_text_is_not_anywhere(server: Server, uri: str, text: str) -> bool:
    told = await server.command("shiftlens.debugInformation")
    return not any(each["uri"] == uri and each["characters"] == len(text) for each in told["documents"])


async def _end(server: Server, counts: Counter[str]) -> Counter[str]:
    server.look()
    counts["requests"], counts["served"] = server.asked, server.answered
    counts["crashed"] += await leave(server) != 0
    counts["wrong"] += len(server.tracebacks) + server.internal_errors
    for line in server.tracebacks[:3]:
        counts[f"log: {line[:200]}"] += 1
    counts["peak bytes"] = server.peak_bytes
    return counts
