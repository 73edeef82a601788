"""Highlights as LSP semantic tokens: five integers each, relative to the one before.

Clients take neither tokens that overlap nor ones that span lines (VS Code says so in its capabilities), so that a
highlight is cut at every line break. Lines end at LF, CRLF and CR, as the protocol says, and nowhere else.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

from lsprotocol import types

from shiftlens.analysis.highlights import Highlight
from shiftlens.analysis.model import CLASSES
from shiftlens.lsp.documents.paints import Paint, paints_now, with_modifier
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.text.lines import Unit
from shiftlens.text.trail import Edits

TOKEN_TYPES = ("shifted", "marginal", "unshifted")
TOKEN_MODIFIERS = ("special", "boundary", "offGreedy", "withinNoise")
_WITHIN_NOISE = 1 << TOKEN_MODIFIERS.index("withinNoise")
LEGEND = types.SemanticTokensLegend(token_types=list(TOKEN_TYPES), token_modifiers=list(TOKEN_MODIFIERS))
INTEGERS_PER_TOKEN = 5

_TYPE_INDEX = {shift: TOKEN_TYPES.index(shift.label) for shift in CLASSES}
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def paint(highlight: Highlight) -> Paint:
    """The highlight in terms of the legend."""
    modifiers = highlight.special | highlight.boundary << 1 | highlight.off_greedy << 2
    return Paint(highlight.start, highlight.end, _TYPE_INDEX[highlight.shift], modifiers)


def units(text: str, encoding: str) -> int:
    """Length of `text` in code units of a position encoding; a lone surrogate counts as a character."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def encode(text: str, paints: Iterable[Paint], encoding: str) -> array[int]:
    """The tokens of `paints`, which are in order and do not overlap, as one flat array. Linear in the text."""
    data = array("I")
    breaks = _LINE_BREAK.finditer(text)
    line = 0
    content_end, next_start = _next_line(breaks, len(text))
    last_line, last_column = 0, 0
    at, column = 0, 0
    for item in paints:
        start = item.start
        while start < item.end:
            while next_start is not None and start >= next_start:
                line, at, column = line + 1, next_start, 0
                content_end, next_start = _next_line(breaks, len(text))
            end = min(item.end, content_end)
            if start < end:
                column += units(text[at:start], encoding)
                length = units(text[start:end], encoding)
                delta = column - last_column if line == last_line else column
                data.extend((line - last_line, delta, length, item.type_index, item.modifiers))
                last_line, last_column = line, column
                at, column = end, column + length
            if next_start is None or item.end <= next_start:
                break
            start = next_start
    return data


def encode_now(
    analysis: DocumentAnalysis, edits: Edits, text: str, encoding: Unit, noise: Sequence[tuple[int, int]] = ()
) -> array[int]:
    """All tokens. `noise` are the spans of `text` within the noise floor."""
    return encode(text, with_modifier(paints_now(analysis.paints, edits), noise, _WITHIN_NOISE), encoding)


def encode_range(
    analysis: DocumentAnalysis,
    edits: Edits,
    text: str,
    start: int,
    end: int,
    encoding: Unit,
    noise: Sequence[tuple[int, int]] = (),
) -> array[int]:
    """The tokens that stand at least partly in [start, end)."""
    paints = [item for item in paints_now(analysis.paints, edits) if item.start < end and item.end > start]
    return encode(text, with_modifier(paints, noise, _WITHIN_NOISE), encoding)


def _next_line(breaks: Iterator[re.Match[str]], length: int) -> tuple[int, int | None]:
    """Where the present line's content ends, and where the next one starts (None on the last line)."""
    for found in breaks:
        return found.start(), found.end()
    return length, None


def edits_between(old: array[int], new: array[int]) -> list[types.SemanticTokensEdit]:
    """The one edit, in whole tokens, that makes `new` of `old`; none where they are equal."""
    old_count, new_count = len(old) // INTEGERS_PER_TOKEN, len(new) // INTEGERS_PER_TOKEN
    most = min(old_count, new_count)
    head = _equal_run(most, lambda a, b: old[a * 5 : b * 5] == new[a * 5 : b * 5])
    if head == old_count == new_count:
        return []
    tail = _equal_run(
        most - head,
        lambda a, b: old[(old_count - b) * 5 : (old_count - a) * 5] == new[(new_count - b) * 5 : (new_count - a) * 5],
    )
    start = head * INTEGERS_PER_TOKEN
    delete_count = (old_count - tail) * INTEGERS_PER_TOKEN - start
    return [
        types.SemanticTokensEdit(
            start=start,
            delete_count=delete_count,
            data=list(new[start : (new_count - tail) * INTEGERS_PER_TOKEN]),
        )
    ]


def _equal_run(most: int, equal: Callable[[int, int], bool]) -> int:
    """The longest run of tokens for which `equal(0, run)` holds, by bisection."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if equal(low, middle):
            low = middle
        else:
            high = middle - 1
    return low
