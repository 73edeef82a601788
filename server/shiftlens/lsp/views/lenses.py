"""Code lenses: above each response what was found in it, with the ways to go on from there.

Every editor can run the commands of the server. Those of the client's own (a panel, a report) are offered only where it
has said that it has them, see `OWN_COMMANDS`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lsprotocol import types

from shiftlens.analysis.classify import shares
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.analysis.runs import densest
from shiftlens.lsp.documents.open import position
from shiftlens.lsp.documents.store import DocumentAnalysis, ResponseResult
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.text.trail import Edits
from shiftlens.text.visible import shorten, visible_note

SHOW_DISTRIBUTIONS = "shiftlens.showDistributions"
OPEN_REPORT = "shiftlens.openReport"
CROSS_SAMPLE = "shiftlens.crossSample"
OWN_COMMANDS = (SHOW_DISTRIBUTIONS, OPEN_REPORT, CROSS_SAMPLE)
"""Commands of a client that lenses may name: OPEN_REPORT is called with (uri), the others with (uri, position)."""

GO_TO_FIRST_SHIFTED = "shiftlens.goToFirstShifted"
GO_TO_DENSEST_RUN = "shiftlens.goToDensestRun"
SCORE_RESPONSES = "shiftlens.scoreResponses"

_LONGEST_REASON = 120


def code_lenses(
    uri: str, analysis: DocumentAnalysis, edits: Edits, lines: LineIndex, unit: Unit, own_commands: Collection[str]
) -> list[types.CodeLens]:
    """The lenses of all responses, at the line where each begins.

    A response whose first character an edit has touched has none until it is scored anew, and neither has one that is
    not scored by choice. Of one that is scored in part, what is known so far.
    """
    found: list[types.CodeLens] = []
    for index, result in enumerate(analysis.results):
        start = analysis.transcript.responses[index].turn.source_start
        now = edits.span_to_new(start, start)
        if now is None:
            continue
        at = position(lines, now[0], unit)
        place = types.Range(start=at, end=at)
        found += (
            types.CodeLens(range=place, command=command)
            for command in _commands(uri, index, result, place, _first_run(result, edits, lines, unit), own_commands)
        )
    return found


def shares_words(analysis: ResponseAnalysis, *, partial: bool) -> str:
    """How many tokens have a class, and their shares by class; of all positions, as in every view.

    Where no class can be told of others, it says of how many.
    """
    of = shares(analysis.summary)
    counted = f"{of.tokens:,} token{'' if of.tokens == 1 else 's'}{' so far' if partial else ''}"
    unknown = f"; {analysis.summary.unknown:,} of unknown class" if analysis.summary.unknown else ""
    each = ((of.shifted, ShiftClass.SHIFTED), (of.marginal, ShiftClass.MARGINAL), (of.unshifted, ShiftClass.UNSHIFTED))
    said = ", ".join(f"{share:.1%} {analysis.label_of(shift)}" for share, shift in each)
    alone = " to the model itself" if analysis.is_of_one_model else ""
    return f"{counted}: {said}{alone}{unknown}"


def _commands(
    uri: str,
    index: int,
    result: ResponseResult,
    place: types.Range,
    first_shifted: types.Position | None,
    own_commands: Collection[str],
) -> Iterator[types.Command]:
    if result.refusal is not None:
        if not result.refusal.by_choice:
            why = shorten(visible_note(result.refusal.problem), _LONGEST_REASON)
            yield _command(f"not scored, try again: {why}", SCORE_RESPONSES, uri, place)
        return
    if result.analysis is None:
        yield _command("no scores yet: score this response", SCORE_RESPONSES, uri, place)
        return
    words = shares_words(result.analysis, partial=result.partial)
    if SHOW_DISTRIBUTIONS in own_commands:
        yield _command(words, SHOW_DISTRIBUTIONS, uri, place.start)
        if result.runs:
            yield _command(f"first {result.analysis.label_of(ShiftClass.SHIFTED)}", GO_TO_FIRST_SHIFTED, uri, index)
    else:
        # A lens is a command; where nothing else can be done, it goes to what it counts.
        yield _command(words, GO_TO_FIRST_SHIFTED, uri, index)
    best = densest(result.runs)
    if best is not None and best.shifted > 1:
        yield _command(f"densest run: {best.words_in(result.analysis)}", GO_TO_DENSEST_RUN, uri, index)
    has_pair = not result.analysis.is_of_one_model
    if CROSS_SAMPLE in own_commands and not result.partial and has_pair and first_shifted is not None:
        yield _command("did they matter?", CROSS_SAMPLE, uri, first_shifted)
    if OPEN_REPORT in own_commands and not result.partial:
        yield _command("report", OPEN_REPORT, uri)


def _first_run(result: ResponseResult, edits: Edits, lines: LineIndex, unit: Unit) -> types.Position | None:
    """Where the first run begins that no edit has touched."""
    spans = (edits.span_to_new(run.source_start, run.source_end) for run in result.runs)
    start = next((span[0] for span in spans if span is not None), None)
    return None if start is None else position(lines, start, unit)


def _command(title: str, name: str, *arguments: object) -> types.Command:
    return types.Command(title=title, command=name, arguments=list(arguments))
