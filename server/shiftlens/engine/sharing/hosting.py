"""What a host does while it runs: it lets clients in, does what they ask for, and ends when nobody needs it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Sequence

import msgspec

from shiftlens import __version__
from shiftlens.engine.protocol import Cancel, Done, Forget, Job, Unload
from shiftlens.engine.sharing.host_log import log
from shiftlens.engine.sharing.host_protocol import (
    EngineProcess,
    FromClient,
    Goodbye,
    Hello,
    Leaving,
    Logged,
    Look,
    Order,
    Running,
    Welcome,
)
from shiftlens.engine.sharing.lock import LockedEndpoint
from shiftlens.engine.sharing.peer import is_our_user
from shiftlens.engine.sharing.session import Session
from shiftlens.engine.sharing.shared_worker import SharedWorker, failed
from shiftlens.engine.worker.process_memory import resident_bytes
from shiftlens.engine.worker.urgency import set_session_urgency
from shiftlens.errors import EngineError

LINGER_VARIABLE = "SHIFTLENS_ENGINE_LINGER"
"""The environment variable that names other seconds than LINGER_SECONDS."""

LINGER_SECONDS = 60.0
"""How long models stay loaded after the last client has said goodbye."""

LOST_SECONDS = 2.0
"""How long they stay where it has gone without a word: an editor starts a server that was killed again at once."""

_FIRST_CLIENT_SECONDS = 30.0
_FIRST_MESSAGE_SECONDS = 10.0
_LAST_MESSAGE_SECONDS = 1.0
_MOST_SESSIONS = 256
_MOST_JOBS_EACH = 256
_LONGEST_LINE = 2000

_UNLOADED = EngineError("The models were unloaded, here or in another window.", "Ask again: they are loaded anew.")
_NO_PICKLES = EngineError("This engine was not started for pickles.", "This is a fault of ShiftLens.")
_TOO_MANY = EngineError(f"{_MOST_JOBS_EACH} jobs of this client wait already.", "Ask again later.")


class Host:
    """One shared engine. Use it from one event loop."""

    def __init__(self, locked: LockedEndpoint, order: Order, *, own_session: bool) -> None:
        self._locked = locked
        self._allow_pickle = order.allow_pickle
        self._build = order.build
        self._background = order.background
        self._own_session = own_session
        self._sessions: dict[int, Session] = {}
        self._numbers = itertools.count(1)
        self._worker = SharedWorker(self._tell_all, self._job_is_over, less_urgent=order.background)
        self._started = time.time()
        self._linger = _linger_seconds()
        self._alone_until = time.monotonic() + _FIRST_CLIENT_SECONDS
        self._used_at = time.monotonic()
        self._news = asyncio.Event()
        self._ending = False

    async def serve(self) -> None:
        """Serve until the engine is idle or told to end. The socket and the engine process are gone on return."""
        server = await asyncio.start_unix_server(self._on_connection, sock=self._locked.listener)
        # torch takes seconds to import, and every client has come to ask for something: begin with it.
        with contextlib.suppress(EngineError):
            await self._worker.started()
        while not self._ending:
            allowed = [session.idle_seconds for session in self._sessions.values()]
            ends_at = when_to_end(
                jobs=self._worker.jobs, allowed=allowed, used_at=self._used_at, alone_until=self._alone_until
            )
            left = None if ends_at is None else ends_at - time.monotonic()
            if left is not None and left <= 0:
                break
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)
            self._news.clear()
            await self._settle_urgency()
        self._ending = True
        self._locked.endpoint.socket.unlink(missing_ok=True)
        server.close()
        await self._leave()

    def end(self) -> None:
        """End now; unfinished jobs fail."""
        self._ending = True
        self._news.set()

    async def _settle_urgency(self) -> None:
        """Be as urgent as the clients that are here: one that a user waits for makes the engine more so."""
        background = all(session.background for session in self._sessions.values())
        if not self._sessions or background == self._background:
            return
        self._background = background
        if self._own_session:
            await asyncio.to_thread(set_session_urgency, less=background)
        self._worker.settle_urgency(less=background)

    async def _leave(self) -> None:
        self._worker.fail_all(_UNLOADED)
        sessions = list(self._sessions.values())
        for session in sessions:
            session.send(Leaving())
        # Connections close after the engine process has ended: a client that unloads waits for that, and then finds
        # the memory free.
        await self._worker.close()
        await asyncio.gather(*(session.close(_LAST_MESSAGE_SECONDS) for session in sessions))

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(next(self._numbers), reader, writer)
        try:
            if not is_our_user(writer.get_extra_info("socket")) or len(self._sessions) >= _MOST_SESSIONS:
                return
            message = await asyncio.wait_for(session.receive(), _FIRST_MESSAGE_SECONDS)
            while not self._ending and await self._goes_on(session, message):
                message = await session.receive()
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, OSError):
            pass
        except (ValueError, msgspec.DecodeError) as error:
            log(f"a client was sent away: it wrote something that is no request ({type(error).__name__})")
        finally:
            self._part_with(session, linger=min(self._linger, LOST_SECONDS))
            if not self._ending:
                await session.close(_LAST_MESSAGE_SECONDS)

    async def _goes_on(self, session: Session, message: FromClient) -> bool:
        """Do what a message asks for; False where the session is over with it."""
        if isinstance(message, Look):
            session.send(self._running())
            return True
        if isinstance(message, Hello):
            self._welcome(session, message)
            return message.build == self._build
        if session.number not in self._sessions:
            return False
        self._used_at = time.monotonic()
        if isinstance(message, Job):
            await self._take(session, message)
        elif isinstance(message, Cancel):
            self._worker.cancel(session, message.job)
        elif isinstance(message, Forget):
            self._worker.forget(session, message.document)
        elif isinstance(message, Unload):
            session.send(Done(job=message.job))
            self.end()
        elif isinstance(message, Goodbye):
            self._part_with(session, linger=self._linger)
            if message.release and not self._sessions:
                self.end()
            return False
        return True

    def _welcome(self, session: Session, hello: Hello) -> None:
        session.idle_seconds = max(0.0, hello.idle_seconds)
        session.background = hello.background
        if hello.build == self._build and session.number not in self._sessions:
            self._sessions[session.number] = session
            self._used_at = time.monotonic()
        session.send(Welcome(build=self._build))
        session.send(EngineProcess(pid=self._worker.pid))
        self._news.set()

    async def _take(self, session: Session, request: Job) -> None:
        problem = None
        if request.pair.allow_pickle and not self._allow_pickle:
            problem = _NO_PICKLES
        elif len(session.jobs) >= _MOST_JOBS_EACH:
            problem = _TOO_MANY
        else:
            try:
                await self._worker.started()
            except EngineError as error:
                problem = error
        if problem is not None:
            session.send(failed(request.job, problem))
        elif not self._ending:
            # A job that comes too late stays unanswered, and its client asks the next host.
            await self._worker.run(session, request)

    def _part_with(self, session: Session, *, linger: float) -> None:
        self._worker.drop(session)
        if self._sessions.pop(session.number, None) is not None:
            self._worker.forget(session, None)
            if not self._sessions:
                self._alone_until = time.monotonic() + linger
        self._news.set()

    def _job_is_over(self) -> None:
        self._used_at = time.monotonic()
        self._news.set()

    def _tell_all(self, message: EngineProcess | Logged) -> None:
        if isinstance(message, Logged):
            message = Logged(line=message.line[:_LONGEST_LINE])
            log(message.line)
        for session in self._sessions.values():
            session.send(message)

    def _running(self) -> Running:
        pid, memory = self._worker.pid, self._worker.memory
        return Running(
            pid=os.getpid(),
            engine_pid=pid,
            allow_pickle=self._allow_pickle,
            models=memory.models,
            version=__version__,
            started=self._started,
            clients=len(self._sessions),
            jobs=self._worker.jobs,
            resident_bytes=None if pid is None else resident_bytes(pid),
            kv_bytes=memory.kv_bytes,
            cuda_bytes=memory.cuda_bytes,
        )


def when_to_end(*, jobs: int, allowed: Sequence[float], used_at: float, alone_until: float) -> float | None:
    """When a host ends, on the monotonic clock; None while something has to happen first.

    `allowed` has the seconds without work that each client allows, 0 for ever: the one that wants the engine longest
    keeps it. Without clients it ends at `alone_until`.
    """
    if jobs:
        return None
    if not allowed:
        return alone_until
    return None if 0 in allowed else used_at + max(allowed)


def _linger_seconds() -> float:
    try:
        return max(0.0, float(os.environ[LINGER_VARIABLE]))
    except (KeyError, ValueError):
        return LINGER_SECONDS
