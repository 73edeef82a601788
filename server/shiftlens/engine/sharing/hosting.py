"""What a host does while it runs: clients, their jobs, the engine process, and when all is over."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time

import msgspec

from shiftlens import __version__
from shiftlens.engine.protocol import (
    Cancel,
    Cancelled,
    Describe,
    Described,
    Done,
    Failed,
    Forget,
    Held,
    Progress,
    Reply,
    Score,
    Unload,
)
from shiftlens.engine.sharing.guest import Guest
from shiftlens.engine.sharing.host_protocol import (
    EngineProcess,
    FromClient,
    Goodbye,
    Hello,
    Leaving,
    Logged,
    Look,
    Move,
    Moved,
    Order,
    Running,
    Welcome,
)
from shiftlens.engine.sharing.peer import is_our_user
from shiftlens.engine.sharing.place import IS_NAME, Place
from shiftlens.engine.worker.holding import HeldPlace, hold
from shiftlens.engine.worker.process_memory import resident_bytes
from shiftlens.engine.worker.urgency import make_less_urgent, set_session_urgency
from shiftlens.engine.worker_process import WorkerProcess
from shiftlens.errors import EngineError
from shiftlens.options.pair import PairSpec

LINGER_VARIABLE = "SHIFTLENS_ENGINE_LINGER"
"""The environment variable that names other seconds than LINGER_SECONDS."""

LINGER_SECONDS = 60.0
"""How long models stay loaded after the last client has gone."""

_FIRST_GUEST_SECONDS = 30.0
_FIRST_WORDS_SECONDS = 10.0
_LAST_WORDS_SECONDS = 1.0
_DRAIN_SECONDS = 1.0
_DRAIN_POLL_SECONDS = 0.02
_MOST_GUESTS = 256
_MOST_JOBS_EACH = 256
_LOG_LIMIT_BYTES = 1 << 18
_LONGEST_LINE = 2000
_FINAL = (Done, Described, Cancelled, Failed)

_UNLOADED = EngineError("The models were unloaded, here or in another window.", "Ask again: they are loaded anew.")


class Host:
    """One shared engine. Use it from one event loop."""

    def __init__(self, held: HeldPlace, order: Order, *, own_session: bool) -> None:
        self.held = held
        self._server: asyncio.Server | None = None
        self._pair = order.pair
        self._build = order.build
        self._background = order.background
        self._own_session = own_session
        self._guests: dict[int, Guest] = {}
        self._jobs: dict[int, tuple[Guest, int]] = {}
        self._numbers = itertools.count(1)
        self._worker: WorkerProcess | None = None
        self._starting = asyncio.Lock()
        self._held = Held(kv_bytes=0, cuda_bytes=0)
        self._started = time.time()
        self._linger = _linger_seconds()
        self._alone_until = time.monotonic() + _FIRST_GUEST_SECONDS
        self._used_at = time.monotonic()
        self._news = asyncio.Event()
        self._ending = False

    async def serve(self) -> None:
        """Until the engine is idle, or told to end. The socket is gone when this returns, and so is the engine."""
        self._server = await asyncio.start_unix_server(self._on_connection, sock=self.held.listener)
        # Who connects does so to ask for something: torch takes seconds to import, so begin with it.
        with contextlib.suppress(EngineError):
            await self._ensure_worker()
        while not self._ending:
            ends_at = self._ends_at()
            left = None if ends_at is None else ends_at - time.monotonic()
            if left is not None and left <= 0:
                break
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)
            self._news.clear()
            await self._settle_urgency()
        self._ending = True
        self.held.place.socket.unlink(missing_ok=True)
        self._server.close()
        await self._leave()

    async def _settle_urgency(self) -> None:
        """Be as urgent as the clients that are here: one that a user waits for makes the engine more so."""
        background = all(guest.background for guest in self._guests.values())
        if not self._guests or background == self._background:
            return
        self._background = background
        if self._own_session:
            await asyncio.to_thread(set_session_urgency, less=background)
        if background and (pid := self._engine_pid) is not None:
            make_less_urgent(pid)

    def end(self) -> None:
        """End now; unfinished jobs fail."""
        self._ending = True
        self._news.set()

    def _ends_at(self) -> float | None:
        """On the monotonic clock; None for not at all, as things are."""
        if self._jobs:
            return None
        if not self._guests:
            return self._alone_until
        wishes = [guest.idle_seconds for guest in self._guests.values()]
        return None if 0 in wishes else self._used_at + max(wishes)

    async def _leave(self) -> None:
        for guest, job in self._jobs.values():
            guest.send(_failed(job, _UNLOADED))
        self._jobs.clear()
        guests = list(self._guests.values())
        for guest in guests:
            guest.send(Leaving())
        # Who waits for our end waits for the memory.
        if self._worker is not None:
            await self._worker.close()
        await asyncio.gather(*(guest.close(_LAST_WORDS_SECONDS) for guest in guests))

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = Guest(next(self._numbers), reader, writer)
        try:
            if not is_our_user(writer.get_extra_info("socket")) or len(self._guests) >= _MOST_GUESTS:
                return
            message = await asyncio.wait_for(guest.receive(), _FIRST_WORDS_SECONDS)
            while not self._ending and await self._is_heard(guest, message):
                message = await guest.receive()
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, OSError):
            pass
        except (ValueError, msgspec.DecodeError) as error:
            _log(f"a client was sent away: it wrote something that is no request ({type(error).__name__})")
        finally:
            self._part_with(guest)
            if not self._ending:
                await guest.close(_LAST_WORDS_SECONDS)

    async def _is_heard(self, guest: Guest, message: FromClient) -> bool:
        """Do what a message asks for; False where it is the guest's last."""
        if isinstance(message, Look):
            guest.send(self._running())
            return True
        if isinstance(message, Hello):
            if message.place != self.held.place.name:
                return False
            self._welcome(guest, message)
            return message.build == self._build
        if guest.number not in self._guests:
            return False
        self._used_at = time.monotonic()
        if isinstance(message, (Score, Describe)):
            await self._take(guest, message)
        elif isinstance(message, Cancel):
            self._cancel(guest, message.job)
        elif isinstance(message, Forget):
            self._forget(guest, message.document)
        elif isinstance(message, Goodbye):
            self._part_with(guest)
            if message.release and not self._guests:
                self.end()
            return False
        elif isinstance(message, Move):
            guest.send(Moved(done=await self._move(guest, message)))
        else:
            self._unload(guest, message)
        return True

    def _welcome(self, guest: Guest, hello: Hello) -> None:
        guest.idle_seconds = max(0.0, hello.idle_seconds)
        guest.background = hello.background
        if hello.build == self._build and guest.number not in self._guests:
            self._guests[guest.number] = guest
            self._used_at = time.monotonic()
        guest.send(Welcome(build=self._build))
        guest.send(EngineProcess(pid=self._engine_pid))
        self._news.set()

    async def _take(self, guest: Guest, request: Score | Describe) -> None:
        problem = None
        if request.pair != self._pair:
            problem = EngineError(
                "This engine was started for another pair of models.", "This is a fault of ShiftLens."
            )
        elif len(guest.jobs) >= _MOST_JOBS_EACH:
            problem = EngineError(f"{_MOST_JOBS_EACH} jobs of this client wait already.", "Ask again later.")
        else:
            try:
                worker = await self._ensure_worker()
            except EngineError as error:
                problem = error
        if problem is not None:
            guest.send(_failed(request.job, problem))
            return
        if any(other is not guest for other, _ in self._jobs.values()):
            message = "Waiting for its turn: the engine scores for another window"
            guest.send(Progress(job=request.job, phase="loading", fraction=0.0, message=message))
        if self._ending:
            # Unanswered, it is asked of the next host.
            return
        number = next(self._numbers)
        self._jobs[number] = guest, request.job
        guest.jobs[request.job] = number
        await worker.send(msgspec.structs.replace(request, job=number, client=guest.number))

    def _cancel(self, guest: Guest, job: int) -> None:
        number = guest.jobs.get(job)
        if number is not None and self._worker is not None:
            self._worker.write(Cancel(job=number))

    def _forget(self, guest: Guest, document: str | None) -> None:
        if self._worker is not None:
            self._worker.write(Forget(document=document, client=guest.number))

    def _unload(self, guest: Guest, request: Unload) -> None:
        guest.send(Done(job=request.job))
        self.end()

    async def _move(self, guest: Guest, request: Move) -> bool:
        """Become the engine of another pair, at the place where others look for that one."""
        # Jobs that were cancelled are under way until their next stretch; if that is far, a new engine comes sooner.
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._jobs and set(self._guests) == {guest.number} and time.monotonic() < deadline:
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        place = Place(self.held.place.folder, request.place)
        if not self._is_only(guest) or not IS_NAME.fullmatch(request.place) or place == self.held.place:
            return False
        held = None
        with contextlib.suppress(OSError):
            held = hold(place)
        if held is None:
            return False
        server = await asyncio.start_unix_server(self._on_connection, sock=held.listener)
        try:
            if self._is_only(guest):
                held.settle()
                self._go_on_at(held, server, request.pair)
                return True
        except OSError as error:
            _log(f"the engine could not move: {error.strerror}")
        server.close()
        held.give_up()
        return False

    def _go_on_at(self, held: HeldPlace, server: asyncio.Server, pair: PairSpec) -> None:
        """Who has come to the place that is left, but has not said so yet, is sent away at its Hello."""
        if self._server is not None:
            self._server.close()
        self.held.give_up()
        self.held, self._server, self._pair = held, server, pair

    def _is_only(self, guest: Guest) -> bool:
        return not self._ending and not self._jobs and set(self._guests) == {guest.number}

    def _part_with(self, guest: Guest) -> None:
        for job, number in guest.jobs.items():
            self._cancel(guest, job)
            self._jobs.pop(number, None)
        guest.jobs.clear()
        was_here = self._guests.pop(guest.number, None) is not None
        if was_here:
            self._forget(guest, None)
        if was_here and not self._guests:
            self._alone_until = time.monotonic() + self._linger
        self._news.set()

    async def _ensure_worker(self) -> WorkerProcess:
        async with self._starting:
            if self._worker is None or self._worker.pid is None:
                self._worker = await WorkerProcess.start(
                    self._on_reply, self._on_line, self._on_end, less_urgent=self._background
                )
                self._tell_all(EngineProcess(pid=self._worker.pid))
            return self._worker

    def _on_reply(self, reply: Reply) -> None:
        if isinstance(reply, Held):
            self._held = reply
            return
        guest, job = self._jobs.get(reply.job, (None, 0))
        if guest is None:
            return
        if isinstance(reply, _FINAL):
            self._finished(reply.job)
        guest.send(msgspec.structs.replace(reply, job=job))

    def _on_line(self, line: str) -> None:
        _log(line[:_LONGEST_LINE])
        self._tell_all(Logged(line=line[:_LONGEST_LINE]))

    def _on_end(self, error: EngineError) -> None:
        """The engine process has gone, asked to or not."""
        self._tell_all(EngineProcess(pid=None))
        for number, (guest, job) in list(self._jobs.items()):
            self._finished(number)
            guest.send(_failed(job, error))
        self._held = Held(kv_bytes=0, cuda_bytes=0)

    def _finished(self, number: int) -> None:
        guest, job = self._jobs.pop(number)
        guest.jobs.pop(job, None)
        self._used_at = time.monotonic()
        self._news.set()

    def _tell_all(self, message: EngineProcess | Logged) -> None:
        for guest in self._guests.values():
            guest.send(message)

    @property
    def _engine_pid(self) -> int | None:
        return self._worker.pid if self._worker is not None else None

    def _running(self) -> Running:
        pid = self._engine_pid
        return Running(
            pid=os.getpid(),
            engine_pid=pid,
            pair=self._pair,
            version=__version__,
            started=self._started,
            clients=len(self._guests),
            jobs=len(self._jobs),
            resident_bytes=None if pid is None else resident_bytes(pid),
            kv_bytes=self._held.kv_bytes,
            cuda_bytes=self._held.cuda_bytes,
        )


def _failed(job: int, error: EngineError) -> Failed:
    return Failed(job=job, kind="EngineError", problem=error.problem, remedy=error.remedy)


def _linger_seconds() -> float:
    try:
        return max(0.0, float(os.environ[LINGER_VARIABLE]))
    except (KeyError, ValueError):
        return LINGER_SECONDS


def _log(line: str) -> None:
    """Standard error is the log file, opened to append; what outgrows its limit goes, as does all on a full disk."""
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > _LOG_LIMIT_BYTES:
            os.ftruncate(2, 0)
        os.write(2, f"{line}\n".encode(errors="backslashreplace"))
