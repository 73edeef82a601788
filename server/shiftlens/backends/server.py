"""A model on a server, as a backend."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shiftlens.backends.dialect import Dialect, Told, UnknownModel
from shiftlens.backends.exchange import IN_FLIGHT, Exchange, Refusal, Unanswered
from shiftlens.backends.positions import BadAnswer, Position, as_numbers
from shiftlens.backends.probe import LONGEST, probe
from shiftlens.backends.protocol import Capabilities, SideInput, SideNumbers
from shiftlens.backends.tokenizers import tokenizer_place
from shiftlens.backends.windows import windows
from shiftlens.errors import ModelError, ScoringError
from shiftlens.model_files.local import model_folder
from shiftlens.options.server_names import ServerName
from shiftlens.scores.description import ModelDescription

_TICK = 0.05
"""How many seconds go by until a stop is seen."""

_USUAL_LIMITS = (20, 5)
"""The most candidates that servers give unless they are told to give more: vLLM, and OpenAI's own."""

T = TypeVar("T")


class ServerBackend:
    """See `protocol.RemoteBackend`.

    `identity` has what the server tells: a model's root as its path, and the server's kind and version as its device.
    Nothing of that is certain to change when the weights do, so that there is no fingerprint, and no score is kept
    on disk. Whatever is asked for first makes the connection, and raises ModelError.
    """

    def __init__(
        self, name: str, server: ServerName, dialect: Dialect, exchange: Exchange, *, allow_download: bool
    ) -> None:
        self._name, self._server, self._dialect, self._exchange = name, server, dialect, exchange
        self._allow_download = allow_download
        self._told: Told | None = None
        # How many answers were lost when the server last told what it is, and when it was last probed.
        self._told_at = 0
        self._most_top_k: int | None = None
        self._probed: int | None = None
        self._loop = asyncio.new_event_loop()
        self._lock = asyncio.Lock()
        self._room = asyncio.Semaphore(IN_FLIGHT)
        weakref.finalize(self, _close, self._loop, exchange)

    @property
    def identity(self) -> ModelDescription:
        told = self._connected()
        version = f" {told.version}" if told.version else ""
        return ModelDescription(
            name=self._name,
            path=told.root,
            architecture="",
            parameters=0,
            vocabulary=0,
            max_positions=self._most_ids(told),
            device=f"{self._server.kind}{version}",
            dtype="",
            fingerprint="",
            adapter_of=told.parent,
        )

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(exact_ranks=False, entropy=False, most_top_k=self._most_top_k)

    @property
    def tokenizer(self) -> str:
        named = self._server.tokenizer
        return named or tokenizer_place(self._name, self._connected().places, allow_download=self._allow_download)

    @property
    def end_ids(self) -> tuple[int, ...]:
        folder = model_folder(self.tokenizer)
        return () if folder is None else _end_ids_of(folder / "generation_config.json")

    def score(
        self, inputs: Sequence[SideInput], k: int, check: Callable[[], None]
    ) -> Iterator[tuple[int, SideNumbers]]:
        """See `protocol.Backend.score`. Stopping breaks off the requests, which servers take for a cancellation.

        Raises ModelError for a server that can't be used, or is away for too long.
        """
        told = self._connected()
        longest = max((_text(each) for each in inputs), key=len, default=())
        sample = longest[: min(LONGEST, self._most_ids(told) or LONGEST)]
        tasks = {}
        try:
            self._run(self._look_again(sample, k), check)
            for index, each in enumerate(inputs):
                tasks[self._loop.create_task(self._numbers(told, each, k, sample))] = index
            while tasks:
                done = self._run(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED), check)[0]
                for task in done:
                    yield tasks.pop(task), task.result()
        except (BadAnswer, Unanswered, Refusal) as error:
            raise self._in_words(error) from None
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks))

    def _run(self, work: Coroutine[Any, Any, T], check: Callable[[], None]) -> T:
        """The result of some work, during which `check` is called."""
        task = self._loop.create_task(work)
        try:
            while not task.done():
                self._loop.run_until_complete(asyncio.wait([task], timeout=_TICK))
                check()
        finally:
            if not task.done():
                task.cancel()
                self._loop.run_until_complete(asyncio.wait([task]))
        return task.result()

    def _connected(self) -> Told:
        if self._told is None:
            try:
                self._told = self._run(self._tell(), lambda: None)
            except (BadAnswer, Unanswered, Refusal, UnknownModel) as error:
                raise self._in_words(error) from None
        return self._told

    async def _tell(self) -> Told:
        async def ask() -> Told:
            self._told_at = self._exchange.lost
            return await self._dialect.tell(self._server.model, self._exchange.get)

        return await self._tried(ask)

    async def _tried(self, work: Callable[[], Awaitable[T]]) -> T:
        async for attempt in self._exchange.tries():
            with attempt:
                found = await work()
        return found

    async def _look_again(self, sample: Sequence[int], k: int) -> None:
        """Ask what the server is, and probe it unless it is still on a connection on which it was probed."""
        opened = self._exchange.opened
        await self._same_model()
        if self._exchange.opened != opened:
            self._probed = None
        await self._tried(lambda: self._sound(sample, k))

    async def _same_model(self) -> None:
        try:
            told = await self._tell()
        except UnknownModel as error:
            raise self._in_words(error) from None
        if told != self._told:
            self._told = None
            raise ModelError(
                f"{self._name} is no longer the model that it was: the server tells another place, length or version.",
                "Score again.",
            )

    async def _sound(self, sample: Sequence[int], k: int) -> None:
        """Probe the server where that has not been done since a connection was lost. Raises Unanswered, BadAnswer."""
        async with self._lock:
            lost = self._exchange.lost
            if self._probed == lost:
                return
            if self._told_at != lost:
                told = await self._dialect.tell(self._server.model, self._exchange.get)
                if told != self._told:
                    raise BadAnswer("came back with another model")
                self._told_at = lost
            if len(sample) > 1:
                k = await self._candidates(sample[:2], k)
                await probe(sample, k, lambda ids, count: self._ask(ids, 1, count))
            self._probed = lost

    async def _candidates(self, ids: Sequence[int], k: int) -> int:
        """How many candidates the server gives where `k` are wanted: those, or what servers usually limit them to."""
        wanted = [self._asked(k), *(each for each in _USUAL_LIMITS if each < self._asked(k))]
        for at, each in enumerate(wanted):
            try:
                await self._ask(ids, 1, each)
            except Refusal as refusal:
                if refusal.status not in (400, 422) or at == len(wanted) - 1:
                    raise
            else:
                if each < k:
                    self._most_top_k = each
                return each
        raise AssertionError("there is always one to ask for")

    def _asked(self, k: int) -> int:
        return k if self._most_top_k is None else min(k, self._most_top_k)

    async def _numbers(self, told: Told, asked: SideInput, k: int, sample: Sequence[int]) -> SideNumbers:
        """The numbers of an input, in as many requests as it has windows."""
        text = _text(asked)
        first_row = len(asked.prefix_ids) - 1
        length = len(text) - 1
        found: list[Position] = []
        for window in windows(length, self._most_ids(told) or length, asked.lead):
            start = max(window.first, first_row)
            if start >= window.end:
                continue
            ids = (*text[: window.lead], *text[window.start : window.end + 1])
            first = start + 1 - window.start + window.lead
            found += await self._answer(ids, first, k, sample)
        return as_numbers(found, self._asked(k))

    async def _answer(self, ids: Sequence[int], first: int, k: int, sample: Sequence[int]) -> list[Position]:
        async def sound_answer() -> list[Position]:
            await self._sound(sample, k)
            return await self._ask(ids, first, self._asked(k))

        return await self._tried(sound_answer)

    async def _ask(self, ids: Sequence[int], first: int, k: int) -> list[Position]:
        if self._told is None:
            raise BadAnswer("came back with another model")
        question = self._dialect.question(self._told, ids, first, k)
        async with self._room:
            body = await self._exchange.ask("POST", question.path, question.body)
        return self._dialect.read(body, ids, first, k)

    def _most_ids(self, told: Told) -> int | None:
        """The most ids that can be before a token that is scored."""
        return None if told.max_model_len is None else max(2, told.max_model_len - self._dialect.spare)

    def _in_words(self, error: Exception) -> ModelError | ScoringError:
        name, server = self._name, self._server
        if isinstance(error, UnknownModel):
            served = ", ".join(error.served[:20]) or "none"
            return ModelError(f"The server {server.url} has no model {server.model}.", f"It serves: {served}.")
        if isinstance(error, Refusal):
            return ScoringError(
                f"{name} refuses a request (status {error.status}): {error.told}.",
                "Where the text is too long, serve the model with a longer context; see docs/servers.md.",
            )
        if isinstance(error, Unanswered):
            return ModelError(f"The server of {name} {error.why}.", "Check that it runs and is ready, and score again.")
        return ModelError(
            f"{name} is not used: the server {error}.",
            "docs/servers.md says which servers give what is needed, and with which options.",
        )


def _text(asked: SideInput) -> tuple[int, ...]:
    """The ids before and of a response, and that of its end, which is scored like a token."""
    return (*asked.prefix_ids, *asked.ids, asked.end_id)


def _end_ids_of(path: Path) -> tuple[int, ...]:
    """The ids that a generation config names; none where there is no such file."""
    try:
        eos = msgspec.json.decode(path.read_bytes()).get("eos_token_id")
    except (OSError, msgspec.DecodeError, AttributeError):
        return ()
    return tuple(each for each in (eos if isinstance(eos, list) else [eos]) if isinstance(each, int))


def _close(loop: asyncio.AbstractEventLoop, exchange: Exchange) -> None:
    if not loop.is_running() and not loop.is_closed():
        loop.run_until_complete(exchange.close())
        loop.close()
