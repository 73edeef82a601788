"""The changes of a `textDocument/didChange`, one after the other.

pygls breaks lines where the protocol does not, so that its copy of a text would come apart; ours
is the one that counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from lsprotocol import types

from shiftlens.text.edits import Edit
from shiftlens.text.lines import LineIndex, Unit


def applied(
    lines: LineIndex, changes: Iterable[types.TextDocumentContentChangeEvent], unit: Unit
) -> Iterator[tuple[Edit, str]]:
    """Each change of the text of `lines` as an edit, with the text that it led to.

    A range that ends before its start is taken as the place where it starts.
    """
    text = lines.text
    # The index stays true of the text above the changes so far, and editors send changes from the bottom to the top.
    true_up_to: tuple[float, float] = (math.inf, 0)
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            yield Edit.between(text, change.text), change.text
            text = change.text
            lines, true_up_to = LineIndex(text), (math.inf, 0)
            continue
        first, last = change.range.start, change.range.end
        if max((first.line, first.character), (last.line, last.character)) > true_up_to:
            lines = LineIndex(text)
        start = lines.offset(first.line, first.character, unit)
        end = max(start, lines.offset(last.line, last.character, unit))
        past = text[end:]
        new = text[:start] + change.text + past
        yield Edit(len(text), len(new), start, len(past)), new
        # Where the place is told by a line or column that the text does not have, it is that of its end.
        line, column = lines.position(start, unit)
        # A CR before the change makes one break with an LF that comes behind it, so that its line begins elsewhere.
        true_up_to = (line - 1, math.inf) if text[max(0, start - 1) : start] == "\r" else (line, column)
        text = new
