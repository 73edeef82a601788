"""A request to score: which responses, with which options, and the `check` that may stop it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scoring.passes.memory import NOBODY, Owner

COMPAT_TOP_K = 30
"""Candidates that AlignTDS keeps per position."""


def _go_on() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Run:
    """Responses to score. `check` is called between chunks and blocks, and may raise to stop.

    What passes leave behind for edits belongs to `owner`; without `remember` they leave nothing and go on from nothing,
    so that the numbers hang on nothing but the request.
    """

    options: ScoreOptions
    responses: Sequence[ResponseToScore]
    check: Callable[[], None] = _go_on
    owner: Owner = NOBODY
    remember: bool = True

    @property
    def with_decoded(self) -> bool:
        """Whether results have the text of each id, as AlignTDS's do."""
        return self.options.compat == "aligntds"

    @property
    def top_k(self) -> int:
        """How many candidates are kept of each position."""
        return COMPAT_TOP_K if self.with_decoded else self.options.top_k
