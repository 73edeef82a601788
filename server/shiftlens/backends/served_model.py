"""A model on a server: what it is, whether its numbers can be believed, and its numbers of texts.

All of it belongs to the event loop of `io_loop`. It is long because what a server has shown is one state.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from shiftlens.backends.dialect import Dialect, Question, Told
from shiftlens.backends.exchange import Exchange, Refusal, Unanswered
from shiftlens.backends.failures import is_of_one_text
from shiftlens.backends.positions import BadAnswer, Positions, as_numbers
from shiftlens.backends.probe import LONGEST, probe, probe_tokens
from shiftlens.backends.protocol import SideInput, SideNumbers, TokensAsked
from shiftlens.backends.windows import text_of, texts
from shiftlens.errors import ModelError
from shiftlens.scores.columns import float32_column, int32

_USUAL_LIMITS = (20, 5)
"""The most candidates that servers give unless they are told to give more: vLLM, and OpenAI's own."""

_ROUNDS = 2
"""How often a text is tried that the server fails at while it answers for others: it may have been about to end."""

T = TypeVar("T")

Failed = BadAnswer | Unanswered | Refusal
"""Why there is nothing of one input."""


class Unusable(Exception):
    """The server can't be used any more, for any text. `why` is what showed it."""

    def __init__(self, why: BadAnswer | Unanswered | Refusal) -> None:
        super().__init__(why)
        self.why = why


class AnotherModel(Exception):
    """The server tells another place, length or version of the model than before."""


class ServedModel:
    """`told` is what the server tells of the model, None before it was asked and after it was found to be another.
    `most_top_k` is the most candidates that it gives, None while no limit was met. `any_token` is whether it gives
    logprobs of tokens that need not be candidates, and `why_no_token` why these are not used although it does.
    """

    def __init__(self, model: str, dialect: Dialect, exchange: Exchange) -> None:
        self._model, self._dialect, self.exchange = model, dialect, exchange
        self.told: Told | None = None
        self.most_top_k: int | None = None
        self.any_token, self.why_no_token = False, ""
        # How many answers were lost when the server last told what it is, and when it was last probed.
        self._told_at = 0
        self._probed: int | None = None
        # How many calls have texts with the server.
        self._at_work = 0
        # Made where they are used: in Python 3.10 they belong to the loop that first waits for them.
        self._lock, self._looking = asyncio.Lock(), asyncio.Lock()

    @property
    def most_ids(self) -> int | None:
        """The most ids that can be before a token that is scored."""
        told = self.told
        return None if told is None or told.max_model_len is None else max(2, told.max_model_len - self._dialect.spare)

    async def connect(self) -> None:
        """Have the server tell what the model is, if it has not. Raises UnknownModel, and what `tell` raises."""
        if self.told is None:
            self.told = await self._tell()

    async def score(
        self, inputs: Sequence[SideInput], k: int, ended: Callable[[int, SideNumbers | Failed], None]
    ) -> None:
        """Tell `ended` what came of each input, by its index, as soon as it is there.

        Raises Unusable, AnotherModel and UnknownModel, after which nothing more comes. Cancelling this breaks off the
        requests, which servers take for a cancellation.
        """
        await self.connect()
        sample = self._sample(inputs)
        await self.look_again(sample, k)
        works = [functools.partial(self._numbers, each, k, sample) for each in inputs]
        await self._all(works, sample, ended)

    async def logprobs_of(self, inputs: Sequence[TokensAsked], ended: Callable[[int, bytes | Failed], None]) -> None:
        """Tell `ended` the logprobs of tokens that are asked for (float32), as `score` does. Raises what that does."""
        await self.connect()
        sample = self._sample([each.asked for each in inputs])
        works = [functools.partial(self._logprobs, each, sample) for each in inputs]
        await self._all(works, sample, ended)

    async def try_out(self, ids: Sequence[int], k: int) -> None:
        """Probe the server by a text. Raises what `score` does."""
        await self.connect()
        await self.look_again(ids[: min(LONGEST, self.most_ids or LONGEST)], k)

    async def look_again(self, sample: Sequence[int], k: int) -> None:
        """Ask what the server is, and probe it unless it is still on a connection on which it was probed.

        Raises Unusable, AnotherModel and UnknownModel.
        """
        # A second call waits for what the first one finds.
        async with self._looking:
            opened = self.exchange.opened
            try:
                # While texts are with the server, what shows that it is another one is a lost connection: new ones are
                # made beside one on which it was probed.
                if not self._at_work:
                    told = await self._tell()
                    if told != self.told:
                        self.told = None
                        raise AnotherModel
                    if self.exchange.opened != opened:
                        self._probed = None
                await self._tried(lambda: self._sound(sample, k))
            except (BadAnswer, Unanswered, Refusal) as error:
                raise Unusable(error) from None

    def _sample(self, inputs: Sequence[SideInput]) -> tuple[int, ...]:
        """The beginning of the longest text, to probe the server by."""
        longest = max((text_of(each) for each in inputs), key=len, default=())
        return longest[: min(LONGEST, self.most_ids or LONGEST)]

    async def _all(
        self,
        works: Sequence[Callable[[], Awaitable[T]]],
        sample: Sequence[int],
        ended: Callable[[int, T | Failed], None],
    ) -> None:
        self._at_work += 1
        tasks = [asyncio.create_task(self._one(index, work, sample, ended)) for index, work in enumerate(works)]
        try:
            await asyncio.gather(*tasks)
        finally:
            self._at_work -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(
        self,
        index: int,
        work: Callable[[], Awaitable[T]],
        sample: Sequence[int],
        ended: Callable[[int, T | Failed], None],
    ) -> None:
        for left in reversed(range(_ROUNDS)):
            try:
                ended(index, await work())
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
                few, positions = await probe(sample, k, lambda ids, count: self._ask(ids, 1, count))
                await self._see_tokens(few, positions)
            self._probed = lost

    async def _see_tokens(self, few: Sequence[int], positions: Positions) -> None:
        """Find out whether the server gives logprobs of any tokens, and right ones. Without them it is as good as ever.

        Raises Unanswered where that may pass.
        """
        self.any_token, self.why_no_token = False, ""
        if self._dialect.any_token is None or not positions.k:
            return
        most = self.exchange.patience.alive
        try:
            await asyncio.wait_for(probe_tokens(few, positions, lambda ids, tokens: self._ask_of(ids, 1, tokens)), most)
        except asyncio.TimeoutError:
            self.why_no_token = f"did not answer within {most:g} seconds when it was asked for them"
        except (Refusal, ModelError):
            # It has no such path, or not as it was started: vLLM says that with 403, as if the key were wrong.
            return
        except Unanswered as error:
            if not error.faulty:
                raise
            self.why_no_token = error.why
        except BadAnswer as error:
            self.why_no_token = str(error)
        else:
            self.any_token = True

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
        found: list[Positions] = []
        for ids, first, _ in texts(asked, self.most_ids):
            found.append(await self._answer(functools.partial(self._ask_for_most, ids, first, k), k, sample))
        return as_numbers(Positions.joined(found))

    async def _logprobs(self, wanted: TokensAsked, sample: Sequence[int]) -> bytes:
        """The logprobs of tokens at the positions of an input, with no more of them in a request than candidates."""
        every, k = int32(wanted.ids), wanted.k
        width = self._asked(k)
        found: list[list[float]] = [[] for _ in range(wanted.asked.rows)]
        for ids, first, rows in texts(wanted.asked, self.most_ids):
            for start in range(0, k, width):
                tokens = [list(every[row * k + start : row * k + min(start + width, k)]) for row in rows]
                told = await self._answer(functools.partial(self._ask_of_seen, ids, first, tokens), k, sample)
                for row, values in zip(rows, told, strict=True):
                    found[row] += values
        return float32_column(value for row in found for value in row)

    async def _answer(self, ask: Callable[[], Awaitable[T]], k: int, sample: Sequence[int]) -> T:
        async def sound_answer() -> T:
            try:
                await self._sound(sample, k)
            except (BadAnswer, Refusal) as error:
                raise Unusable(error) from None
            return await ask()

        return await self._tried(sound_answer)

    async def _ask_for_most(self, ids: Sequence[int], first: int, k: int) -> Positions:
        # How many candidates the server gives may have turned out in a probe just before.
        return await self._ask(ids, first, self._asked(k))

    async def _ask(self, ids: Sequence[int], first: int, k: int) -> Positions:
        body = await self._posted(lambda told: self._dialect.question(told, ids, first, k))
        return self._dialect.read(body, ids, first, k)

    async def _ask_of(self, ids: Sequence[int], first: int, tokens: Sequence[Sequence[int]]) -> list[list[float]]:
        dialect = self._dialect.any_token
        if dialect is None:
            raise BadAnswer("gives no logprobs of tokens that are not candidates")
        body = await self._posted(lambda told: dialect.question(told, ids, first, tokens))
        return dialect.read(body, ids, first, tokens)

    async def _ask_of_seen(self, ids: Sequence[int], first: int, tokens: Sequence[Sequence[int]]) -> list[list[float]]:
        if not self.any_token:
            raise BadAnswer("no longer gives logprobs of tokens that are not candidates")
        return await self._ask_of(ids, first, tokens)

    async def _posted(self, ask: Callable[[Told], Question]) -> bytes:
        if self.told is None:
            raise AnotherModel
        question = ask(self.told)
        return await self.exchange.ask("POST", question.path, question.body)
