"""Sentences about a position that every view says alike."""

from __future__ import annotations

import math

from shiftlens.analysis.model import Realigned


def realigned_words(group: Realigned) -> str:
    """What a group of tokens is, that the base model, of another vocabulary, cuts in another way."""
    alone = group.end - group.first == 1
    these = "this token" if alone else f"positions {group.first + 1} to {group.end} together"
    theirs = "one token" if group.base_tokens == 1 else f"{group.base_tokens} tokens"
    return (
        f"Realigned: the base model reads {these} as {theirs}, cut so with probability"
        f" {math.exp(group.base_logprob):.2g}; the base rank is the worst of them"
    )
