"""Continuations of a pair from a position of a response, a token at a time, so that others get their turns between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from shiftlens.errors import ScoringError
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.continuations import (
    ALIGNED_ALPHA,
    BASE_ALPHA,
    MOST_TOKENS,
    Begun,
    Sampling,
    Voice,
    WrittenToken,
    check_asked,
)
from shiftlens.scores.requests import ResponseToScore, well_formed
from shiftlens.scoring.continuing.ending import broken, end_of
from shiftlens.scoring.continuing.place import Place, place_in, tokens_behind
from shiftlens.scoring.continuing.sampler import is_broken, logprob_of, mixed, next_token
from shiftlens.scoring.continuing.stream import Tail, tail_of
from shiftlens.scoring.continuing.swapping import crossed
from shiftlens.scoring.inputs.template_limits import template_budget
from shiftlens.scoring.opening.pair import OpenedPair

_BEFORE_TOKENS = 16

OpenPair = Callable[[], AbstractContextManager[OpenedPair]]


@dataclass(frozen=True, slots=True)
class Continuing:
    """What is asked for. `check` is called between tokens, and may raise to stop."""

    response: ResponseToScore
    options: ScoreOptions
    position: int
    voices: tuple[Voice, ...]
    sampling: Sampling
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Written:
    """The next token of the voice at this place among those that were asked for."""

    voice: int
    token: WrittenToken


Event = Begun | Written


@torch.inference_mode()
def continuations(asked: Continuing, open_pair: OpenPair) -> Iterator[tuple[Event, ...]]:
    """What comes of it, a step for each token; Begun is the first event. The voices follow one another.

    Nothing is left behind for edits, and what is kept for them stays as it is. Raises ScoringError, ModelError, and
    what `check` raises.
    """
    check_asked(asked.voices, asked.sampling)
    with open_pair() as pair:
        _check_mixes(pair, asked.voices)
        asked.check()
        with template_budget(asked.check):
            place = place_in(pair, asked.response, asked.options, asked.position)
        given, notes = _given(pair, place, asked.voices)
        yield (_begun(pair, place, asked, notes),)
        pair.activate()
        tails = _tails(pair, place, asked)
        for at, voice in enumerate(asked.voices):
            for token in _written(pair, place, tails, voice, given[at], asked):
                yield (Written(at, token),)
                pair.activate()


def _tails(pair: OpenedPair, place: Place, asked: Continuing) -> tuple[Tail | None, Tail | None]:
    """What base and aligned model make of the ids before the place; None for one that no voice needs."""
    found: list[Tail | None] = []
    needs = (
        any(voice.alpha != ALIGNED_ALPHA or voice.swaps is not None for voice in asked.voices),
        any(voice.alpha != BASE_ALPHA or voice.swaps is not None for voice in asked.voices),
    )
    for is_needed, model, side, name in zip(
        needs, (pair.base, pair.aligned), (place.base, place.aligned), ("base", "aligned"), strict=True
    ):
        tail = None
        if is_needed:
            kept = pair.memory.lent(side.before, of_base=name == "base")
            tail = tail_of(model.causal, side.before, asked.check, kept)
        found.append(tail)
    return found[0], found[1]


def _given(
    pair: OpenedPair, place: Place, voices: Sequence[Voice]
) -> tuple[tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """What each voice is to begin with, as ids of its vocabulary; and notes on that.

    Raises ScoringError where a model lacks such a token.
    """
    found: list[tuple[int, ...]] = []
    notes: dict[str, None] = {}
    for voice in voices:
        model, side = (pair.base, place.base) if voice.alpha == BASE_ALPHA else (pair.aligned, place.aligned)
        if isinstance(voice.instead, str):
            ids, is_joint = tokens_behind(model.loaded.encoder, side.before, well_formed(voice.instead))
            if not is_joint:
                notes[
                    f"For {model.loaded.name}, {voice.instead!r} does not come apart as tokens from what stands before"
                    " it; it was tokenised by itself."
                ] = None
        else:
            ids = () if voice.instead is None else (voice.instead,)
        both = [each.loaded for each in (pair.base, pair.aligned) if voice.alpha not in (BASE_ALPHA, ALIGNED_ALPHA)]
        for loaded in both or [model.loaded]:
            if any(not 0 <= token < loaded.vocabulary for token in ids):
                raise ScoringError(
                    f"{loaded.name} has no token with the id {max(ids)}, and can't begin with it.",
                    "Choose a token that the model has.",
                )
        found.append(ids)
    return tuple(found), tuple(notes)


def _written(
    pair: OpenedPair,
    place: Place,
    tails: tuple[Tail | None, Tail | None],
    voice: Voice,
    given: tuple[int, ...],
    asked: Continuing,
) -> Iterator[WrittenToken]:
    """The tokens of one voice, which begins with those that are given."""
    sampling = asked.sampling
    base, aligned = tails
    if voice.swaps is not None and base is not None and aligned is not None:
        yield from crossed(pair, place, (base, aligned), voice, voice.swaps, sampling, asked.check)
        return
    wanted = (voice.alpha != ALIGNED_ALPHA, voice.alpha != BASE_ALPHA)
    own = [
        (model, side, tail.fork(sampling.max_tokens))
        for is_wanted, model, side, tail in zip(
            wanted, (pair.base, pair.aligned), (place.base, place.aligned), tails, strict=True
        )
        if is_wanted and tail is not None
    ]
    sides = [side for _, side, _ in own]
    pieces = own[-1][0].loaded.encoder.pieces
    room = min(
        (model.loaded.max_positions - len(side.before) for model, side, _ in own if model.loaded.max_positions),
        default=MOST_TOKENS,
    )
    generator = None if voice.seed is None else torch.Generator().manual_seed(voice.seed)
    text = b""
    for count in range(1, sampling.max_tokens + 1):
        asked.check()
        logits = [tail.logits for _, _, tail in own]
        both = logits[0] if len(logits) == 1 else mixed(logits[0], logits[1], voice.alpha)
        if is_broken(both):
            raise broken([model.loaded.name for model, _, _ in own], count - 1)
        is_given = count <= len(given)
        if is_given:
            token = given[count - 1]
        else:
            token = next_token(both, generator, temperature=sampling.temperature, top_p=sampling.top_p)
        piece = pieces[token]
        text += piece
        end = end_of(token, text, sides)
        if not end and count == sampling.max_tokens:
            end = "length"
        if not end and count > room:
            end = "room"
        yield WrittenToken(id=token, piece=piece, logprob=logprob_of(both, token), end=end, is_given=is_given)
        if end:
            return
        for _, _, tail in own:
            tail.feed(token)


def _begun(pair: OpenedPair, place: Place, asked: Continuing, notes: tuple[str, ...]) -> Begun:
    pieces = pair.aligned.loaded.encoder.pieces
    before = place.aligned.before[-_BEFORE_TOKENS:] if place.position else ()
    return Begun(
        position=place.position,
        positions=place.positions,
        byte=place.byte,
        before=tuple(pieces.of(before[-place.position :])),
        said=tuple(pieces.of(place.said[: asked.sampling.max_tokens])),
        notes=(*place.notes, *notes),
    )


def _check_mixes(pair: OpenedPair, voices: Sequence[Voice]) -> None:
    if pair.same_tokens:
        return
    if any(voice.swaps is not None for voice in voices):
        raise ScoringError(
            f"{pair.base.loaded.name} and {pair.aligned.loaded.name} have two vocabularies, so that neither can be"
            " given the other's choices a token at a time.",
            "Swap a token by itself, or choose a pair of one vocabulary.",
        )
    if any(voice.alpha not in (BASE_ALPHA, ALIGNED_ALPHA) for voice in voices):
        raise ScoringError(
            f"{pair.base.loaded.name} and {pair.aligned.loaded.name} have two vocabularies, whose logits can't be"
            " mixed.",
            "Ask for the base model alone (alpha -1) or the aligned one alone (alpha 0).",
        )
