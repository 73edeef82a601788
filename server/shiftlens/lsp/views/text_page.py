"""A result as a page of plain text with links into the file, which any editor can show as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from shiftlens.lsp.views.requests import Json, range_in
from shiftlens.report.text.lines import WIDTH, Line
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.text.visible import harmless_name


def text_page(head: Sequence[str], command: tuple[str, Sequence[str]] | None, body: Iterable[Line]) -> list[Line]:
    """The lines of a page: sentences on the whole, the command that gives the same, and the result."""
    lines = _sentences(head)
    if command is not None:
        line, by_hand = command
        # Not wrapped, so that it can be copied.
        lines += [
            Line(""),
            Line("The same in a terminal, for the file as it is saved:"),
            Line(f"  {harmless_name(line)}"),
        ]
        lines += _sentences(by_hand, "  ")
    return [*lines, *body]


def _sentences(sentences: Iterable[str], indent: str = "") -> list[Line]:
    """Each on lines of its own: a page stands beside the file, where there is not much room."""
    wrapped = (textwrap.wrap(harmless_name(each), WIDTH - len(indent)) for each in sentences)
    return [Line(f"{indent}{line}") for lines in wrapped for line in lines]


def page_json(page: Sequence[Line], lines: LineIndex, unit: Unit) -> Json:
    """`text`, and `links`: `range` in the text, and `target` in the document whose `lines` these are."""
    links: list[Json] = []
    for number, line in enumerate(page):
        if line.span is not None:
            # The place that a line begins with is plain ASCII, of one unit in every encoding.
            length = len(line.text.partition(" ")[0])
            place: Json = {
                "start": {"line": number, "character": 0},
                "end": {"line": number, "character": length},
            }
            links.append({"range": place, "target": range_in(lines, line.span, unit)})
    return {"text": "".join(f"{line.text}\n" for line in page), "links": links}
