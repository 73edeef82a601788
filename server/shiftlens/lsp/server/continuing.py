"""What the models would have said from a token on, and how likely other text is there: requests that ask the engine."""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence
from contextlib import aclosing

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from shiftlens.engine.protocol import Began, Continue, Rank, Wrote
from shiftlens.errors import ShiftLensError
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.server.current import place_in
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.server.protocol import ContinueParams, RankParams
from shiftlens.lsp.views.requests import Json
from shiftlens.options.pair import FROM_MODELS
from shiftlens.options.pair_choice import choose_pair
from shiftlens.scores.continuations import (
    ALIGNED_ALPHA,
    BASE_ALPHA,
    Begun,
    RankedToken,
    Sampling,
    Voice,
    WrittenToken,
    text_of,
    voice_name,
    voices,
)
from shiftlens.scores.requests import to_score


def register_continuing(server: ShiftLensServer) -> None:
    """Register every handler of this file."""
    server.feature("shiftlens/continue")(go_on)
    server.feature("shiftlens/rank")(rank)


async def go_on(ls: ShiftLensServer, params: ContinueParams) -> Json | None:
    """Continuations from the token at a position; `docs/language-server.md` has the result.

    With a token for partial results, each token is told as it comes. A request that is cancelled ends its job.
    """
    found = place_in(ls, params.uri, params.position)
    if found is None or not found[1].tokens:
        return None
    document, place = found
    await set_up(ls, document, place)
    alphas = (BASE_ALPHA, ALIGNED_ALPHA, *(() if params.alpha is None else (params.alpha,)))
    try:
        wanted = voices(alphas, params.samples, params.seed)
    except ShiftLensError as error:
        raise failed(str(error)) from error
    sampling = Sampling(temperature=params.temperature, top_p=params.top_p, max_tokens=params.max_tokens)
    request = Continue(
        pair=place.analysis.pair,
        options=place.analysis.score_options,
        response=to_score(place.response, place.analysis.transcript.format),
        position=place.tokens[0].index,
        voices=wanted,
        sampling=sampling,
    )
    answer: Json = {}
    tokens: list[Json] = []
    decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in wanted]
    token = params.partial_result_token
    try:
        with ls.session.scheduler.engine_slot.wanted():
            async with aclosing(ls.session.engine.run(request)) as events:
                async for event in events:
                    if isinstance(event, Began):
                        answer = _header(document, place, event.begun, wanted, sampling)
                        if token is not None:
                            tell(ls, token, {**answer, "tokens": []})
                    elif isinstance(event, Wrote):
                        written = _token(event.voice, event.token, decoders[event.voice])
                        if token is None:
                            tokens.append(written)
                        else:
                            tell(ls, token, {"tokens": [written]})
    except ShiftLensError as error:
        raise failed(str(error)) from error
    return {"tokens": []} if token is not None else {**answer, "tokens": tokens}


async def rank(ls: ShiftLensServer, params: RankParams) -> Json | None:
    """Rank and probability of a text in place of what stands at a position, under each model."""
    found = place_in(ls, params.uri, params.position)
    if found is None or not found[1].tokens:
        return None
    document, place = found
    await set_up(ls, document, place)
    request = Rank(
        pair=place.analysis.pair,
        options=place.analysis.score_options,
        response=to_score(place.response, place.analysis.transcript.format),
        position=place.tokens[0].index,
        text=params.text,
    )
    try:
        with ls.session.scheduler.engine_slot.wanted():
            ranked = (await ls.session.engine.rank(request)).ranked
    except ShiftLensError as error:
        raise failed(str(error)) from error
    return {
        **about(document, place),
        "at": ranked.position,
        "text": params.text,
        "notes": list(ranked.notes),
        "base": _ranked(ranked.base),
        "aligned": _ranked(ranked.aligned),
    }


async def set_up(ls: ShiftLensServer, document: OpenDocument, place: Place) -> None:
    """Set up the engine. Raises JsonRpcException where the pair of the scores that are shown is not to be loaded."""
    settings = await ls.session.configuration.settings(document.uri)
    analysis = place.analysis
    if analysis.scores != FROM_MODELS:
        raise failed("The scores that are shown are those that the file holds, and no models are run for it.")
    choice = choose_pair(settings, analysis.transcript.front_matter, ls.session.pair, trusted=ls.session.trusted)
    if choice.only_stored or choice.pair != analysis.pair:
        raise failed(choice.why_not or "The scores that are shown are of other models than those chosen now.")
    ls.session.set_up_engine(settings)


def _header(
    document: OpenDocument, place: Place, begun: Begun, wanted: Sequence[Voice], sampling: Sampling
) -> Json:  # fmt: skip
    return {
        **about(document, place),
        "at": begun.position,
        "positions": begun.positions,
        "notes": list(begun.notes),
        "said": text_of(begun.said),
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "maxTokens": sampling.max_tokens,
        "voices": [{"name": voice_name(each), "alpha": each.alpha, "seed": each.seed} for each in wanted],
    }


def about(document: OpenDocument, place: Place) -> Json:
    """What an answer is about: the document, the models and the response."""
    pair = place.analysis.pair
    return {
        "uri": document.uri,
        "version": document.version,
        "models": {"base": pair.base, "aligned": pair.aligned},
        "responseIndex": place.index,
    }


def _token(voice: int, token: WrittenToken, decoder: codecs.IncrementalDecoder) -> Json:
    """A token with the characters that are whole with it. That which ends the text has none."""
    piece = b"" if token.end == "end" else token.piece
    return {
        "voice": voice,
        "text": decoder.decode(piece, final=bool(token.end)),
        "logprob": token.logprob,
        "end": token.end or None,
    }


def _ranked(tokens: Sequence[RankedToken]) -> Json:
    return {
        "logprob": _finite(math.fsum(token.logprob for token in tokens)),
        "tokens": [
            {"text": token.piece.decode("utf-8", "replace"), "rank": token.rank, "logprob": _finite(token.logprob)}
            for token in tokens
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def tell(ls: ShiftLensServer, token: str | int, value: Json) -> None:
    """Send a part of a result."""
    ls.protocol.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))


def failed(why: str) -> JsonRpcException:
    """The error of a request that can't be answered."""
    return JsonRpcException(message=why, code=types.LSPErrorCodes.RequestFailed)
