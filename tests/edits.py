"""Responses as they are after an edit, for tests of what a pass goes on from."""

from __future__ import annotations

from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text

QUESTION = ContextTurn.of("user", "Why is the sky blue?")


def of(text: str, *turns: ContextTurn) -> ResponseToScore:
    """A response with this text to these turns, or to a question."""
    return ResponseToScore(turns=turns or (QUESTION,), parts=one_text(text), source_format="labels")


def edits(text: str) -> dict[str, ResponseToScore]:
    """What may come after a response of this text."""
    middle = len(text) // 2
    return {
        "the same text": of(text),
        "an edit at the end": of(text[:-12] + "blue sky"),
        "an edit in the middle": of(text[:middle] + "red" + text[middle:]),
        "an edit at the beginning": of("Why? " + text),
        "a shorter text": of(text[: len(text) // 3]),
        "a longer text": of(text + text[:50]),
        "the next turn": of("Red light", QUESTION, ContextTurn.of("assistant", text), QUESTION),
        "another question": of(text, ContextTurn.of("user", "Why is the sky red?")),
    }
