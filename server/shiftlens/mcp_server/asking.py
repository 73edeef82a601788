"""What the tools do: read what they are asked about, have the engine score it, and answer. Nothing of MCP here."""

from __future__ import annotations

import asyncio
import codecs
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Began, Continue, Progress, Rank, Wrote
from shiftlens.errors import ScoringError, TranscriptError
from shiftlens.mcp_server.answers import (
    Json,
    Promoted,
    excerpt,
    finite,
    header,
    most_promoted,
    promoted_json,
    ranked_json,
    responses_json,
    sentences,
)
from shiftlens.mcp_server.limits import (
    LONGEST_EXCERPT,
    LONGEST_RANKED,
    MOST_DRAWN,
    MOST_LISTED,
    MOST_RESPONSES,
    MOST_WRITTEN,
)
from shiftlens.mcp_server.sources import Reading, Source, source_of
from shiftlens.options.choice import Choice
from shiftlens.options.pair import FROM_MODELS
from shiftlens.pipeline.analyse import Analysed, analyse
from shiftlens.pipeline.unscored import why_nothing
from shiftlens.scores.continuations import ALIGNED_ALPHA, BASE_ALPHA, Begun, Sampling, text_of, voice_name, voices
from shiftlens.scores.requests import Requests, ResponseToScore
from shiftlens.scores.store import ResultStore

Choose = Callable[[Mapping[str, object]], Choice]
"""From the front matter of a text to the models and options of the user for it."""

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Place:
    """A position of a response, from 0, in a source that was read. `notes` are sentences for whoever asked."""

    source: Source
    choice: Choice
    response: int
    position: int
    request: ResponseToScore
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Some responses of a source, analysed; `after` is the number of the first one behind them, None for none."""

    source: Source
    found: Analysed
    after: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Answers questions about texts and files. The user's models are in `choose`; who asks names none."""

    reading: Reading
    choose: Choose
    engine: EngineClient
    store: ResultStore | None = None

    async def analyse(
        self,
        text: str | None,
        path: str | None,
        *,
        first: int = 1,
        count: int = MOST_RESPONSES,
        listed: int,
        on_progress: OnProgress | None = None,
    ) -> Json:
        """Counts of the responses from `first` on, and their tokens with the greatest gain. Raises ShiftLensError."""
        check_number("tokens", listed, 0, MOST_LISTED)
        asked = await self._analysed(text, path, first, count, on_progress)
        own = {"responses_there": len(asked.source.transcript.responses), **responses_json(asked.found)}
        return _listing(asked, own, most_promoted(asked.found.analysis.responses), listed)

    async def most_shifted(
        self,
        text: str | None,
        path: str | None,
        *,
        first: int = 1,
        count: int = MOST_RESPONSES,
        listed: int,
        on_progress: OnProgress | None = None,
    ) -> Json:
        """The tokens of the responses from `first` on with the greatest gain. Raises ShiftLensError."""
        check_number("tokens", listed, 1, MOST_LISTED)
        asked = await self._analysed(text, path, first, count, on_progress)
        found, promoted = asked.found, most_promoted(asked.found.analysis.responses)
        own: Json = {
            "scored": {"responses": len(found.analysis.responses), "tokens": found.analysis.summary.tokens},
            "shifted": found.analysis.summary.shifted,
            "promoted": len(promoted),
        }
        refused = tuple(f"Response {at + 1}: {why}" for at, why in found.refused)
        return _listing(asked, own, promoted, listed, refused)

    async def rank(
        self,
        text: str | None,
        path: str | None,
        *,
        response: int,
        position: int,
        candidate: str,
        on_progress: OnProgress | None = None,
    ) -> Json:
        """Rank and probability of any text at a position, under each model. Raises ShiftLensError."""
        if not 0 < len(candidate) <= LONGEST_RANKED:
            raise ScoringError(f"The text to rank has {len(candidate):,} characters.", f"Give 1 to {LONGEST_RANKED:,}.")
        place = await self._place(text, path, response, position)
        request = Rank(
            pair=place.choice.pair,
            options=place.choice.score_options,
            response=place.request,
            position=position,
            text=candidate,
        )
        ranked = (await self.engine.rank(request, on_progress=on_progress)).ranked
        return {
            **_at(place),
            "text": candidate,
            "base": ranked_json(ranked.base),
            "aligned": ranked_json(ranked.aligned),
            **sentences("notes", (*place.notes, *ranked.notes)),
        }

    async def go_on(
        self,
        text: str | None,
        path: str | None,
        *,
        response: int,
        position: int,
        alpha: float | None,
        samples: int,
        seed: int,
        temperature: float,
        top_p: float,
        max_tokens: int,
        on_progress: OnProgress | None = None,
    ) -> Json:
        """What each model would have said from a position on. Raises ShiftLensError."""
        check_number("samples", samples, 0, MOST_DRAWN)
        check_number("max_tokens", max_tokens, 1, MOST_WRITTEN)
        place = await self._place(text, path, response, position)
        wanted = voices((BASE_ALPHA, ALIGNED_ALPHA, *(() if alpha is None else (alpha,))), samples, seed)
        request = Continue(
            pair=place.choice.pair,
            options=place.choice.score_options,
            response=place.request,
            position=position,
            voices=wanted,
            sampling=Sampling(temperature=temperature, top_p=top_p, max_tokens=max_tokens),
        )
        begun: Begun | None = None
        decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in wanted]
        texts, ends, logprobs = ["" for _ in wanted], ["" for _ in wanted], [0.0 for _ in wanted]
        async with aclosing(self.engine.run(request)) as events:
            async for event in events:
                if isinstance(event, Began):
                    begun = event.begun
                elif isinstance(event, Wrote):
                    at, written = event.voice, event.token
                    piece = b"" if written.end == "end" else written.piece
                    texts[at] += decoders[at].decode(piece, final=bool(written.end))
                    logprobs[at] += written.logprob
                    ends[at] = written.end
                elif isinstance(event, Progress) and on_progress is not None:
                    on_progress(event)
        return {
            **_at(place),
            "before": "" if begun is None else text_of(begun.before)[-LONGEST_EXCERPT:],
            "said": "" if begun is None else text_of(begun.said),
            "temperature": temperature,
            "top_p": top_p,
            "max_tokens": max_tokens,
            "continuations": [
                {
                    "voice": voice_name(voice),
                    "alpha": voice.alpha,
                    "seed": voice.seed,
                    "text": texts[at],
                    "logprob": finite(logprobs[at]),
                    "end": ends[at],
                }
                for at, voice in enumerate(wanted)
            ],
            **sentences("notes", (*place.notes, *(() if begun is None else begun.notes))),
        }

    async def _analysed(
        self, text: str | None, path: str | None, first: int, count: int, on_progress: OnProgress | None
    ) -> _Asked:
        check_number("responses", count, 1, MOST_RESPONSES)
        source = await self._read(text, path)
        every = source.transcript.responses
        check_number("first_response", first, 1, len(every))
        chosen = dataclasses.replace(source.transcript, responses=every[first - 1 : first - 1 + count])
        choice = self.choose(source.transcript.front_matter)
        found = await analyse(self.engine, chosen, choice, store=self.store, on_progress=on_progress)
        after = first + count
        return _Asked(source, found, after if after <= len(every) else None)

    async def _place(self, text: str | None, path: str | None, response: int, position: int) -> Place:
        source = await self._read(text, path)
        every = source.transcript.responses
        check_number("response", response, 1, len(every))
        choice = self.choose(source.transcript.front_matter)
        request = Requests(every, source.transcript.format)[response - 1]
        notes = (*_not_followed(source), *choice.problems)
        return Place(source, choice, response, position, request, notes)

    async def _read(self, text: str | None, path: str | None) -> Source:
        source = await asyncio.to_thread(source_of, self.reading, text, path)
        parts = self.choose(source.transcript.front_matter).score_options.parts
        if (why := why_nothing(source.transcript, parts)) is not None:
            raise TranscriptError(why[0], "Give a transcript with a response of an assistant.", line=why[1])
        return source


def check_number(name: str, value: int, least: int, most: int) -> None:
    """Raises ScoringError where an argument of a call is out of its range."""
    if not least <= value <= most:
        raise ScoringError(f"`{name}` is {value}.", f"Give a whole number from {least} to {most}.")


def _listing(
    asked: _Asked, own: Json, promoted: Sequence[Promoted], listed: int, more_problems: tuple[str, ...] = ()
) -> Json:
    """An answer with what a tool has of its `own` and the first promoted tokens, and how many are left out."""
    left_out = len(promoted) - listed
    return {
        **header(asked.source.shown, asked.found),
        **own,
        **({"next_response": asked.after} if asked.after is not None else {}),
        "most_shifted": [promoted_json(each) for each in promoted[:listed]],
        **({"most_shifted_left_out": left_out} if left_out > 0 else {}),
        **_told(asked.source, (*asked.found.problems, *more_problems)),
    }


def _at(place: Place) -> Json:
    pair = place.choice.pair
    return {
        "source": place.source.shown,
        "models": {"base": pair.base, "aligned": pair.aligned},
        "response": place.response,
        "position": place.position,
    }


def _told(source: Source, problems: tuple[str, ...]) -> Json:
    lines = [f"line {line}: {message}" for line, message in source.transcript.problems]
    return sentences("problems", (*lines, *_not_followed(source), *map(excerpt, problems)))


def _not_followed(source: Source) -> tuple[str, ...]:
    """Sentences where front matter names models, or has the file's own numbers shown: whoever writes a text may choose
    neither."""
    front = source.transcript.front_matter
    found: list[str] = []
    if front.get("base") or front.get("aligned"):
        found.append("The front matter names models; it is not followed, the user's models are used.")
    if front.get("scores", FROM_MODELS) != FROM_MODELS:
        found.append("The front matter asks for other scores than those of models; it is not followed.")
    return tuple(found)
