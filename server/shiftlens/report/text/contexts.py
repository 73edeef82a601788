"""A file under several base contexts, as text: shares, and the tokens whose class changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.analysis.contexts import ContextsRow, FileContexts, Given, ResponseContexts
from shiftlens.analysis.facts import probability
from shiftlens.analysis.model import Summary
from shiftlens.analysis.ranks import rank_words
from shiftlens.report.text.columns import columns, shares_table
from shiftlens.report.text.lines import Line, Places, placed_table
from shiftlens.text.visible import harmless, visible_piece

_LONGEST_TOKEN = 20


def contexts_lines(found: FileContexts, places: Places | None = None) -> Iterator[Line]:
    """Each response with its shares and its tokens whose class changes, and the shares of all."""
    for response in found.responses:
        yield Line("")
        yield Line(f"Response {response.analysis.response.index + 1}")
        yield from _shares(found.names, response.summaries)
        yield from _notes(found.names, response)
        changed = response.changed
        yield Line(
            f"{len(changed):,} of {len(response.rows):,} positions have another class under one than under another,"
            " counted from 0."
        )
        if changed:
            rows = [(row.start, row.end, _cells(row)) for row in changed]
            yield from placed_table(places, ("position", "token", *found.names), rows, words=(1,))
    if len(found.responses) > 1:
        yield Line("")
        yield Line("All responses")
        yield from _shares(found.names, found.summaries)


def not_compared_lines(found: FileContexts) -> Iterator[str]:
    """Which responses are not compared, and why."""
    for index, those, message in found.not_compared:
        under_these = ", ".join(found.names[number] for number in those)
        yield f"response {index + 1} is not compared, because of {under_these}: {message}"


def _shares(names: Sequence[str], summaries: Sequence[Summary]) -> Iterator[Line]:
    yield from map(Line, columns(shares_table("context", list(zip(names, summaries, strict=True))), words=(0,)))


def _notes(names: Sequence[str], response: ResponseContexts) -> Iterator[Line]:
    for note in dict.fromkeys(note for notes in response.notes for note in notes):
        those = [name for name, notes in zip(names, response.notes, strict=True) if note in notes]
        under = "" if len(those) == len(names) else f" ({', '.join(those)})"
        yield Line(harmless(f"Note{under}: {note}"))


def _cells(row: ContextsRow) -> tuple[str, ...]:
    token = "(end)" if row.is_end else visible_piece(row.piece, limit=_LONGEST_TOKEN)
    return (str(row.index), token, *map(_given, row.given))


def _given(given: Given) -> str:
    return f"{given.shift.label} {rank_words(given.rank)} ({probability(given.prob)})"
