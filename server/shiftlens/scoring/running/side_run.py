"""Scoring responses under two models each by itself: prepared by portions, both sides scored, then put together.

Where both models are elsewhere, portions overlap: the next one is prepared while the servers are still at work on the
one before, so that they always have as many texts as they take at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from itertools import count as counted
from itertools import groupby

from shiftlens.backends.protocol import SideEvent, SideInput, SideNumbers, SideRefused, Waiting
from shiftlens.errors import ModelError, ScoringError
from shiftlens.scoring.alone.combine import pair_tensors_of, record_of
from shiftlens.scoring.alone.other_candidates import OfOther
from shiftlens.scoring.alone.sides import PairView, SidePair, about
from shiftlens.scoring.events import Events, Needs, Progress, Refused, Scored
from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide
from shiftlens.scoring.inputs.template_limits import template_budget
from shiftlens.scoring.numbers import products
from shiftlens.scoring.running.asking_others import UNKNOWN, BothScored, OpenSide, of_others
from shiftlens.scoring.running.portions import portions
from shiftlens.scoring.running.rate import Rate
from shiftlens.scoring.running.refusals import no_numbers
from shiftlens.scoring.running.run import Run
from shiftlens.scoring.running.turns import in_turns

OpenPair = Callable[[], AbstractContextManager[SidePair]]
"""Has a pair ready for as long as the context lasts."""

_BASE, _ALIGNED = 0, 1

_MOST_AT_ONCE = 8
"""How many responses are prepared at once for two servers, which batch texts by themselves and are not to wait."""

_FEW_MISSING = 128
"""Where so few answers are missing, the next portion is prepared: servers need longer for them than that takes."""


class SideRun:
    """One run under a pair of which each model is scored by itself. `aligned` is put into its events.

    A model that is here is in use only while it is fed: a server may be slow, and other pairs may need the memory.
    `both_elsewhere` says that there is none.
    """

    def __init__(
        self,
        run: Run,
        open_pair: OpenPair,
        open_sides: tuple[OpenSide, OpenSide],
        aligned: int = 0,
        *,
        both_elsewhere: bool = False,
    ) -> None:
        self._run, self._open, self._open_sides, self._aligned = run, open_pair, open_sides, aligned
        self._count, self._both_elsewhere = len(run.responses), both_elsewhere
        self._ended: set[int] = set()
        # How many answers came, how many are still to come, and how many responses were refused before they were asked.
        self._answers = self._missing = self._unready = 0
        # The responses that both models have scored, while one is asked for what it gives the other's candidates.
        self._unsent: dict[int, Callable[[], Scored | Refused]] = {}
        # Which sides give logprobs of any token, as they have told so far.
        self._any_token = [False, False]
        self._rate = Rate()
        self._trouble = ""

    def steps(self) -> Iterator[Events]:
        """Do it. A step is the preparation of a response, the numbers of one side, or a short wait for a model that is
        elsewhere. Raises ModelError, and what `check` raises."""
        going: list[Generator[Events, None, None]] = []
        try:
            for portion in portions(self._count, _MOST_AT_ONCE) if self._both_elsewhere else portions(self._count):
                if portion.start:
                    yield (Needs(models=True),)
                ready: dict[int, Prepared] = {}
                with self._open() as pair:
                    view = pair.view
                    for index in portion:
                        yield self._prepared(pair, index, ready)
                    del pair
                # Where all were refused there is nothing to ask the models for.
                if ready:
                    going.append(self._scored(view, portion, ready))
                    self._missing += 2 * len(ready)
                    yield from self._news_of(going, _FEW_MISSING if self._both_elsewhere else 0)
                yield ()
            yield from self._news_of(going, 0)
        except ModelError as error:
            yield tuple(scored() for scored in self._unsent.values())
            raise self._in_mid_run(error) from None
        finally:
            for each in going:
                each.close()

    def _news_of(self, going: list[Generator[Events, None, None]], most_missing: int) -> Iterator[Events]:
        """What is new of the portions that are being scored, until so few answers are missing; until they end with 0.

        Those that have ended are taken out of `going`.
        """
        # By two steps both sides have begun.
        begun = 0
        while going and (begun < len(self._any_token) or not most_missing or self._missing > most_missing):
            for scored in tuple(going):
                events = next(scored, None)
                if events is None:
                    going.remove(scored)
                else:
                    yield events
            begun += 1

    def _prepared(self, pair: SidePair, index: int, ready: dict[int, Prepared]) -> Events:
        self._run.check()
        try:
            with template_budget(self._run.check):
                ready[index] = pair.prepare(self._run.responses[index], self._run.options)
        except ScoringError as error:
            self._unready += 1
            return (self._refused(index, error.problem, error.remedy),)
        return ()

    def _scored(self, view: PairView, portion: range, ready: dict[int, Prepared]) -> Generator[Events, None, None]:
        indices = list(ready)
        inputs = (
            [_input(ready[i].base, _base_ids(ready[i])) for i in indices],
            [_input(ready[i].aligned, ready[i].ids) for i in indices],
        )
        notes: list[tuple[str, ...]] = [(), ()]
        one_side: dict[int, SideNumbers] = {}
        both_scored: list[BothScored] = []
        sides = [self._one_side(which, view, inputs[which], notes) for which in (_BASE, _ALIGNED)]
        elsewhere = (view.base.is_elsewhere, view.aligned.is_elsewhere)

        def together(each: BothScored, of_other: OfOther | None = None) -> Scored | Refused:
            every = (*notes[_BASE], *notes[_ALIGNED])
            return self._together(view, each.index, ready[each.index], each.numbers, every, of_other)

        for which, event in in_turns(sides):
            if event is None:
                if not elsewhere[which]:
                    yield (Needs(models=False),)
                continue
            if isinstance(event, Waiting):
                yield self._waiting(event, portion)
                continue
            at, came = event
            index = indices[at]
            self._answers += 1
            self._missing -= 1
            progress = self._progress(index)
            if isinstance(came, SideRefused) and index not in self._ended:
                yield (progress, self._refused(index, came.problem, came.remedy))
            elif isinstance(came, SideRefused) or index in self._ended:
                yield (progress,)
            elif index not in one_side:
                one_side[index] = came
                yield (progress,)
            else:
                other = one_side.pop(index)
                numbers = (came, other) if which == _BASE else (other, came)
                both = BothScored(index, (inputs[_BASE][at], inputs[_ALIGNED][at]), numbers)
                if any(self._any_token) and ready[index].base_encoding is None:
                    both_scored.append(both)
                    self._unsent[index] = functools.partial(together, both)
                    yield (progress,)
                else:
                    yield (progress, together(both))
        yield from self._with_others(portion, both_scored, together)

    def _with_others(
        self,
        portion: range,
        responses: Sequence[BothScored],
        together: Callable[[BothScored, OfOther | None], Scored | Refused],
    ) -> Iterator[Events]:
        """The records of responses that both models have scored, with what each gives the other's candidates."""
        left = {each.index: each for each in responses}
        try:
            for event in of_others(self._open_sides, self._any_token, responses, self._run.check):
                if isinstance(event, Waiting):
                    yield self._waiting(event, portion)
                    continue
                index, of_other = event
                del self._unsent[index]
                yield (self._progress(index), together(left.pop(index), of_other))
        except ModelError as error:
            # What was scored stays. Where the server is lost for good, the next portion ends the run.
            lost = OfOther(notes=(f"{error.problem} {UNKNOWN}",))
            for index in left:
                del self._unsent[index]
            yield tuple(together(each, lost) for each in left.values())

    def _one_side(
        self, which: int, view: PairView, inputs: Sequence[SideInput], notes: list[tuple[str, ...]]
    ) -> Generator[SideEvent, None, None]:
        """What comes of the inputs of one side. `notes` gets what is to be said of it, which may take an answer."""
        described = (view.base, view.aligned)[which].description
        with self._open_sides[which]() as side:
            if side.description.fingerprint != described.fingerprint:
                raise ModelError(
                    f"The files of {described.name} changed while responses were scored.",
                    "Ask again: the model is then read as it is now.",
                )
            if side.is_elsewhere:
                self._rate.begin()
            most = side.backend.capabilities.most_top_k
            k = self._run.top_k if most is None else min(self._run.top_k, most)
            with closing(side.backend.score(inputs, k, self._run.check)) as events:
                for event in events:
                    if not isinstance(event, Waiting):
                        notes[which] = about(side)
                        self._any_token[which] = side.is_elsewhere and side.backend.capabilities.any_token
                        if side.is_elsewhere:
                            self._rate.add(len(inputs[event[0]].prefix_ids) + inputs[event[0]].rows)
                    yield event

    def _together(
        self,
        view: PairView,
        index: int,
        prepared: Prepared,
        both: tuple[SideNumbers, SideNumbers],
        notes: tuple[str, ...],
        of_other: OfOther | None = None,
    ) -> Scored | Refused:
        tensors = pair_tensors_of(view, prepared, *both, self._run.top_k)
        broken = tensors.first_broken()
        if broken is not None:
            error = no_numbers(view, prepared, tensors, broken)
            return self._refused(index, error.problem, error.remedy)
        self._ended.add(index)
        decoded = self._run.with_decoded
        record = record_of(view, prepared, tensors, both, notes, of_other=of_other, with_decoded=decoded)
        return Scored(index, record, False, products.in_use(), self._aligned)

    def _refused(self, index: int, problem: str, remedy: str) -> Refused:
        self._ended.add(index)
        return Refused(index, problem, remedy, self._aligned)

    def _waiting(self, event: Waiting, portion: range) -> Events:
        """A server's trouble is told once."""
        self._run.check()
        if event.why in ("", self._trouble):
            return ()
        self._trouble = event.why
        waited = next((index for index in portion if index not in self._ended), portion.start)
        return (self._progress(waited, f"the server {event.why}, and is asked again"),)

    def _progress(self, index: int, said: str = "") -> Progress:
        if not said:
            self._trouble = ""
        done = (self._unready + self._answers / 2) / self._count
        return Progress(done, index, self._count, self._aligned, said or self._rate.in_words)

    def _in_mid_run(self, error: ModelError) -> ModelError:
        """The error that ended the run, with what was scored before it and what was not."""
        left = [index for index in range(self._count) if index not in self._ended]
        if not self._ended or not left:
            return error
        so_far = f"{len(self._ended)} of {self._count} responses had been scored; not scored: {_numbers_of(left)}."
        return ModelError(f"{error.problem} {so_far}", error.remedy)


def _numbers_of(indices: Iterable[int]) -> str:
    """Responses as they are counted from 1, as in `response 3, 5 to 12`."""
    runs: list[str] = []
    places = counted()
    for _, members in groupby(indices, key=lambda index: index - next(places)):
        run = list(members)
        runs.append(str(run[0] + 1) if len(run) == 1 else f"{run[0] + 1} to {run[-1] + 1}")
    return f"response {', '.join(runs)}"


def _input(side: PreparedSide, ids: tuple[int, ...]) -> SideInput:
    return SideInput(side.prefix_ids, ids, side.end_id, side.lead)


def _base_ids(prepared: Prepared) -> tuple[int, ...]:
    return prepared.ids if prepared.base_encoding is None else prepared.base_encoding.ids
