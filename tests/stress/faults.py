"""Faults put into a real server and its engine. Each has a stated outcome, without which the check fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from shiftlens.bundled.paths import resolve_model_name
from stress.rpc import Home, Server, home, leave, start

TALK = "User: What is the capital of France?\nAssistant: The capital of France is Paris.\n"
# Longer than any check waits: what keeps models for those who leave in order is not to keep them for who is killed.
LINGERS = "3600"
LONG = TALK + "User: Why is the sky blue?\nAssistant: " + "The sky is blue. " * 600 + "\n"
URI = "file:///talk.txt"


class NotAsPromised(AssertionError):
    """An outcome is another than the stated one."""


def _promise(holds: bool, what: str) -> None:
    if not holds:
        raise NotAsPromised(what)


def _engines(place: Home) -> list[psutil.Process]:
    """What holds models, and what hosts it."""
    found = []
    for each in place.processes():
        with contextlib.suppress(psutil.Error):
            if any("shiftlens.engine" in word for word in each.cmdline()):
                found.append(each)
    return found


def _kill_engines(place: Home, signal_number: int = signal.SIGKILL) -> int:
    killed = 0
    for each in _engines(place):
        with contextlib.suppress(psutil.Error):
            each.send_signal(signal_number)
            killed += 1
    return killed


def _with_models(place: Home) -> list[psutil.Process]:
    """The processes that hold models; a host of one only passes messages on."""
    return [each for each in _engines(place) if not any("sharing.host" in word for word in each.cmdline())]


async def _ready(server: Server, version: int, uri: str = URI) -> None:
    status = await server.settled(uri, version)
    _promise(status["state"] == "ready", f"version {version} is scored, not {status['state']}: {status['message']}")


async def _works(server: Server, version: int, text: str = TALK) -> None:
    """The next edit is scored."""
    server.change(URI, version, {"text": text + f"User: Is it {version}?\nAssistant: Yes, {version}.\n"})
    await _ready(server, version)


async def _ends(server: Server) -> None:
    _promise(await leave(server) == 0, "the server ends in order")
    _promise(not server.tracebacks, f"no fault in the log: {server.tracebacks[:3]}")


async def engine_killed_while(place: Home, state: str) -> None:
    """The engine is killed while it loads, while it scores, and when idle: that is told, and the next edit works."""
    server = await start(place)
    server.open(URI, LONG)
    if state == "idle":
        await _ready(server, 1)
    else:
        await server.until(lambda: server.statuses.get(URI, {}).get("state") == state, state)
    while not _kill_engines(place):
        await asyncio.sleep(0.05)
    version = 1
    if state == "idle":
        # An edit that comes before its end is noticed is asked of it in vain, and says so.
        version = 2
        server.change(URI, version, {"text": LONG + "User: So?\nAssistant: So.\n"})
    status = await server.settled(URI, version)
    _promise(status["state"] in ("error", "ready"), f"the document comes to rest, not {status['state']}")
    await _works(server, version + 1)
    await _ends(server)


async def out_of_memory(place: Home) -> None:
    """An engine that can't get memory says so, or ends; the server goes on, and works when there is some again."""
    server = await start(place, {"resultCache": False})
    server.open(URI, TALK)
    await _ready(server, 1)
    for each in _with_models(place):
        room = each.memory_info().vms + (1 << 20)
        resource.prlimit(each.pid, resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
    server.change(URI, 2, {"text": LONG * 3})
    status = await server.settled(URI, 2)
    _promise(status["state"] in ("error", "ready"), f"the document comes to rest, not {status['state']}")
    for each in _with_models(place):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(each.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await _works(server, 3)
    await _ends(server)


async def disk_full(place: Home) -> None:
    """No file may grow: scores are shown all the same, and are not kept."""
    server = await start(place)
    pid = server.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    server.open(URI, TALK)
    await _ready(server, 1)
    server.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
    await _works(server, 2)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await _works(server, 3)
    await _ends(server)


async def read_only(place: Home) -> None:
    """The cache folder can't be made: scores are shown all the same."""
    server = await start(place, SHIFTLENS_CACHE_DIR="/proc/shiftlens")
    server.open(URI, TALK)
    await _ready(server, 1)
    cleared = await server.command("shiftlens.clearCache")
    _promise(cleared["removed"] == 0, "nothing was there to remove")
    await _ends(server)


async def _scored_store(place: Home) -> Path:
    server = await start(place)
    server.open(URI, TALK)
    await _ready(server, 1)
    await _ends(server)
    (file,) = place.cache.glob("*.sqlite3")
    return file


async def corrupt_store(place: Home, rounds: int = 6) -> None:
    """A store with any bytes changed or cut off is used where it holds, else begun anew: colours come either way."""
    file = await _scored_store(place)
    good = file.read_bytes()
    rng = random.Random(0)
    for _ in range(rounds):
        bad = bytearray(good)
        for _ in range(rng.choice((1, 20, 2000))):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        file.write_bytes(bad[: rng.choice((len(bad), rng.randrange(len(bad))))])
        await _scored_store(place)


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


async def locked_store(place: Home) -> None:
    """Another program holds the store for as long as it likes: scores are shown all the same."""
    file = await _scored_store(place)
    with _lock(file):
        server = await start(place)
        server.open(URI, TALK)
        await _ready(server, 1)
        await _works(server, 2)
        await _ends(server)


async def two_servers(place: Home) -> None:
    """Two servers write to one store at once: each shows all, and a third finds what both have kept."""
    servers = [await start(place), await start(place)]
    for number, server in enumerate(servers):
        for n in range(10):
            server.open(f"file:///{number}/{n}.txt", TALK + f"User: {number}?\nAssistant: {n} is it.\n")
    for number, server in enumerate(servers):
        for n in range(10):
            await _ready(server, 1, f"file:///{number}/{n}.txt")
    for server in servers:
        await _ends(server)
    third = await start(place)
    for number in range(2):
        for n in range(10):
            uri = f"file:///{number}/{n}.txt"
            third.open(uri, TALK + f"User: {number}?\nAssistant: {n} is it.\n")
            await _ready(third, 1, uri)
    _promise(not _engines(place), "what was kept needs no engine")
    await _ends(third)


async def folders_deleted(place: Home) -> None:
    """Models, cache and the place of the engines go while in use: edits are scored, or the error names the folder."""
    models = {}
    for name in ("base", "aligned"):
        models[name] = str(shutil.copytree(resolve_model_name(f"bundled:{name}"), place.folder / "models" / name))
    server = await start(place, models)
    server.open(URI, TALK)
    await _ready(server, 1)
    for folder in (place.folder / "models", place.cache):
        shutil.rmtree(folder, ignore_errors=True)
    server.change(URI, 2, {"text": TALK + "User: Now?\nAssistant: Yes.\n"})
    status = await server.settled(URI, 2)
    named = str(place.folder) in status["message"]
    _promise(status["state"] == "ready" or (status["state"] == "error" and named), f"{status}")
    shutil.rmtree(place.engines, ignore_errors=True)
    place.engines.mkdir(mode=0o700)
    server.settings = {**server.settings, "base": "bundled:base", "aligned": "bundled:aligned"}
    server.notify("workspace/didChangeConfiguration", {"settings": None})
    await _works(server, 3)
    await _ends(server)


async def stopped_engine(place: Home) -> None:
    """An engine that stands still keeps no answer waiting; when it goes on, so does the scoring."""
    server = await start(place)
    server.open(URI, TALK)
    await _ready(server, 1)
    _kill_engines(place, signal.SIGSTOP)
    server.change(URI, 2, {"text": LONG})
    place_of_hover = {"textDocument": {"uri": URI}, "position": {"line": 1, "character": 15}}
    _promise(await server.result("textDocument/hover", place_of_hover) is not None, "hovers are answered")
    _promise((await server.command("shiftlens.debugInformation"))["documents"] != [], "commands are answered")
    _kill_engines(place, signal.SIGCONT)
    await _ready(server, 2)
    await _ends(server)


async def stopped_server(place: Home) -> None:
    """A server that stands still for a while loses nothing that was asked meanwhile."""
    server = await start(place)
    server.open(URI, TALK)
    await server.settled(URI, 1)
    os.kill(server.process.pid, signal.SIGSTOP)
    asked = [server.ask("shiftlens/analysis", {"uri": URI}) for _ in range(500)]
    while psutil.Process(server.process.pid).status() != psutil.STATUS_STOPPED:
        await asyncio.sleep(0.02)
    os.kill(server.process.pid, signal.SIGCONT)
    for each in asked:
        _promise("result" in await server.within(each, "an answer"), "each request is answered")
    await _works(server, 2)
    await _ends(server)


async def editor_killed(place: Home, while_busy: bool) -> None:
    """Five seconds after the editor's process is gone, no process of ours is left."""
    editor = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)")
    server = await start(place, process_id=editor.pid, SHIFTLENS_ENGINE_LINGER=LINGERS)
    server.open(URI, LONG)
    if while_busy:
        await server.until(lambda: server.statuses.get(URI, {}).get("state") == "scoring", "scoring")
    else:
        await server.settled(URI, 1)
    editor.kill()
    await editor.wait()
    left = await place.left_over(5.0)
    _promise(left == 0, f"{left} processes are left")


async def server_killed(place: Home) -> None:
    """Five seconds after a server is killed, its engine is gone as well."""
    server = await start(place, SHIFTLENS_ENGINE_LINGER=LINGERS)
    server.open(URI, LONG)
    await server.until(lambda: server.statuses.get(URI, {}).get("state") == "scoring", "scoring")
    server.process.kill()
    left = await place.left_over(5.0)
    _promise(left == 0, f"{left} processes are left")


Check = Callable[[Home], Awaitable[None]]
FAULTS: dict[str, Check] = {
    "engine killed while loading": lambda place: engine_killed_while(place, "loading"),
    "engine killed while scoring": lambda place: engine_killed_while(place, "scoring"),
    "engine killed while idle": lambda place: engine_killed_while(place, "idle"),
    "engine out of memory": out_of_memory,
    "disk full": disk_full,
    "cache folder read-only": read_only,
    "store corrupt": corrupt_store,
    "store locked": locked_store,
    "two servers on one store": two_servers,
    "folders deleted while loaded": folders_deleted,
    "engine stopped": stopped_engine,
    "server stopped": stopped_server,
    "editor killed while scoring": lambda place: editor_killed(place, while_busy=True),
    "editor killed while idle": lambda place: editor_killed(place, while_busy=False),
    "server killed": server_killed,
}
SHORT = ("engine killed while scoring", "store locked", "disk full", "editor killed while scoring")


async def inject(name: str) -> tuple[str, int]:
    """Put in one fault; what was not as promised ("" for nothing), and how many processes were left over."""
    async with home() as place:
        problem = ""
        try:
            await FAULTS[name](place)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        # What a check did not come to end is not what the server left behind.
        return problem, 0 if problem else await place.left_over(5.0)
