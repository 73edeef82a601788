"""A model on a server: what it is, whether its numbers can be believed, and its numbers of texts.

All of it belongs to the event loop of `io_loop`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shiftlens.backends.dialect import Dialect, Told
from shiftlens.backends.exchange import IN_FLIGHT, Exchange, Refusal, Unanswered
from shiftlens.backends.failures import is_of_one_text
from shiftlens.backends.positions import BadAnswer, Position, as_numbers
from shiftlens.backends.probe import LONGEST, probe
from shiftlens.backends.protocol import SideInput, SideNumbers
from shiftlens.backends.windows import windows

_USUAL_LIMITS = (20, 5)
"""The most candidates that servers give unless they are told to give more: vLLM, and OpenAI's own."""

_ROUNDS = 2
"""How often a text is tried that the server fails at while it answers for others: it may have been about to end."""

T = TypeVar("T")

Ended = Callable[[int, SideNumbers | BadAnswer | Unanswered | Refusal], None]
"""Takes what came of an input, by its index."""


class Unusable(Exception):
    """The server can't be used any more, for any text. `why` is what showed it."""

    def __init__(self, why: BadAnswer | Unanswered | Refusal) -> None:
        super().__init__(why)
        self.why = why


class AnotherModel(Exception):
    """The server tells another place, length or version of the model than before."""


class ServedModel:
    """`told` is what the server tells of the model, None before it was asked and after it was found to be another.
    `most_top_k` is the most candidates that it gives, None while no limit was met.
    """

    def __init__(self, model: str, dialect: Dialect, exchange: Exchange) -> None:
        self._model, self._dialect, self.exchange = model, dialect, exchange
        self.told: Told | None = None
        self.most_top_k: int | None = None
        # How many answers were lost when the server last told what it is, and when it was last probed.
        self._told_at = 0
        self._probed: int | None = None
        # Made where they are used: in Python 3.10 they belong to the loop that first waits for them.
        self._lock = asyncio.Lock()
        self._room = asyncio.Semaphore(IN_FLIGHT)

    @property
    def most_ids(self) -> int | None:
        """The most ids that can be before a token that is scored."""
        told = self.told
        return None if told is None or told.max_model_len is None else max(2, told.max_model_len - self._dialect.spare)

    async def connect(self) -> None:
        """Have the server tell what the model is, if it has not. Raises UnknownModel, and what `tell` raises."""
        if self.told is None:
            self.told = await self._tell()

    async def score(self, inputs: Sequence[SideInput], k: int, ended: Ended) -> None:
        """Tell `ended` what came of each input, as soon as it is there.

        Raises Unusable, AnotherModel and UnknownModel, after which nothing more comes. Cancelling this breaks off the
        requests, which servers take for a cancellation.
        """
        await self.connect()
        longest = max((text_of(each) for each in inputs), key=len, default=())
        sample = longest[: min(LONGEST, self.most_ids or LONGEST)]
        await self.look_again(sample, k)
        tasks = [asyncio.create_task(self._one(index, each, k, sample, ended)) for index, each in enumerate(inputs)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def try_out(self, ids: Sequence[int], k: int) -> None:
        """Probe the server by a text. Raises what `score` does."""
        await self.connect()
        await self.look_again(ids[: min(LONGEST, self.most_ids or LONGEST)], k)

    async def look_again(self, sample: Sequence[int], k: int) -> None:
        """Ask what the server is, and probe it unless it is still on a connection on which it was probed.

        Raises Unusable, AnotherModel and UnknownModel.
        """
        opened = self.exchange.opened
        try:
            told = await self._tell()
            if told != self.told:
                self.told = None
                raise AnotherModel
            if self.exchange.opened != opened:
                self._probed = None
            await self._tried(lambda: self._sound(sample, k))
        except (BadAnswer, Unanswered, Refusal) as error:
            raise Unusable(error) from None

    async def _one(self, index: int, asked: SideInput, k: int, sample: Sequence[int], ended: Ended) -> None:
        for left in reversed(range(_ROUNDS)):
            try:
                ended(index, await self._numbers(asked, k, sample))
            except BadAnswer as error:
                ended(index, error)
            except Refusal as error:
                if not is_of_one_text(error):
                    raise Unusable(error) from None
                ended(index, error)
            except Unanswered as error:
                if not await self._answers(sample):
                    raise Unusable(error) from None
                if left:
                    continue
                ended(index, error)
            return

    async def _answers(self, sample: Sequence[int]) -> bool:
        """Whether the server answers now, for two tokens."""
        try:
            await asyncio.wait_for(self._ask(sample[:2], 1, self._asked(1)), self.exchange.patience.alive)
        except (BadAnswer, Unanswered, Refusal, asyncio.TimeoutError):
            return False
        return True

    async def _tell(self) -> Told:
        async def ask() -> Told:
            self._told_at = self.exchange.lost
            return await self._dialect.tell(self._model, self.exchange.get)

        return await self._tried(ask)

    async def _tried(self, work: Callable[[], Awaitable[T]]) -> T:
        async for attempt in self.exchange.tries():
            with attempt:
                found = await work()
        return found

    async def _sound(self, sample: Sequence[int], k: int) -> None:
        """Probe the server where that has not been done since a connection was lost.

        Raises Unanswered, BadAnswer, Refusal and AnotherModel.
        """
        async with self._lock:
            lost = self.exchange.lost
            if self._probed == lost:
                return
            if self._told_at != lost:
                if await self._dialect.tell(self._model, self.exchange.get) != self.told:
                    self.told = None
                    raise AnotherModel
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
                    self.most_top_k = each
                return each
        raise AssertionError("there is always one to ask for")

    def _asked(self, k: int) -> int:
        return k if self.most_top_k is None else min(k, self.most_top_k)

    async def _numbers(self, asked: SideInput, k: int, sample: Sequence[int]) -> SideNumbers:
        """The numbers of an input, in as many requests as it has windows."""
        text = text_of(asked)
        first_row = len(asked.prefix_ids) - 1
        length = len(text) - 1
        found: list[Position] = []
        for window in windows(length, self.most_ids or length, asked.lead):
            start = max(window.first, first_row)
            if start >= window.end:
                continue
            ids = (*text[: window.lead], *text[window.start : window.end + 1])
            first = start + 1 - window.start + window.lead
            found += await self._answer(ids, first, k, sample)
        return as_numbers(found, self._asked(k))

    async def _answer(self, ids: Sequence[int], first: int, k: int, sample: Sequence[int]) -> list[Position]:
        async def sound_answer() -> list[Position]:
            try:
                await self._sound(sample, k)
            except (BadAnswer, Refusal) as error:
                raise Unusable(error) from None
            return await self._ask(ids, first, self._asked(k))

        return await self._tried(sound_answer)

    async def _ask(self, ids: Sequence[int], first: int, k: int) -> list[Position]:
        if self.told is None:
            raise AnotherModel
        question = self._dialect.question(self.told, ids, first, k)
        async with self._room:
            body = await self.exchange.ask("POST", question.path, question.body)
        return self._dialect.read(body, ids, first, k)


def text_of(asked: SideInput) -> tuple[int, ...]:
    """The ids before and of a response, and that of its end, which is scored like a token."""
    return (*asked.prefix_ids, *asked.ids, asked.end_id)
