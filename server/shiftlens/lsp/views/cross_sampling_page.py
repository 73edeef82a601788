"""What came of cross-sampling as a page: the arms, their texts and numbers, and how to have it again."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.analysis.cross_sampling import CrossSampled, SwappedTogether
from shiftlens.analysis.words import base_context_of
from shiftlens.lsp.views.comparisons import models_words
from shiftlens.lsp.views.requests import Json
from shiftlens.lsp.views.text_page import page_json, text_page
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.pipeline.cross_sample import CrossSampling, NotSampled
from shiftlens.report.text.cross_sampling import (
    READING,
    TOGETHER_READING,
    cross_sampling_lines,
    how_words,
    together_lines,
    together_words,
)
from shiftlens.report.text.lines import Line, Places
from shiftlens.text.lines import Unit

NOTHING = "No shifted position of this response has another choice of the base model's to be swapped in."


def cross_sampling_page(
    name: str,
    pair: PairSpec,
    options: ScoreOptions,
    asked: CrossSampling,
    found: Sequence[CrossSampled],
    refused: Sequence[NotSampled],
    command: tuple[str, Sequence[str]] | None,
    places: Places,
    unit: Unit,
) -> Json:
    """`text` and `links` of the answer of `shiftlens/crossSample`."""
    head = [
        f"Did this token matter? {name}",
        _models(pair, options),
        capital(how_words(asked)),
        *READING,
        *(each.message for each in refused),
    ]
    body = list(cross_sampling_lines(found, places))
    if not found and not refused:
        body = [Line(""), Line(NOTHING)]
    return page_json(text_page(head, command, body), places.lines, unit)


def together_page(
    name: str,
    pair: PairSpec,
    options: ScoreOptions,
    asked: CrossSampling,
    most: int,
    found: Sequence[SwappedTogether],
    command: tuple[str, Sequence[str]] | None,
    places: Places,
    unit: Unit,
) -> Json:
    """The same where up to `most` tokens were swapped in one go."""
    head = [
        f"Did these tokens matter? {name}",
        _models(pair, options),
        capital(f"{together_words(most)}; {how_words(asked, 'from its beginning')}"),
        *TOGETHER_READING,
    ]
    body = [line for each in found for line in (Line(""), *together_lines(each))]
    return page_json(text_page(head, command, body), places.lines, unit)


def _models(pair: PairSpec, options: ScoreOptions) -> str:
    # A template by that word alone: its text is long.
    return f"{models_words(pair)}; base context {base_context_of(options).partition(':')[0]}"


def capital(words: str) -> str:
    """With a capital letter at the beginning, and a full stop at the end."""
    return f"{words[:1].upper()}{words[1:]}."
