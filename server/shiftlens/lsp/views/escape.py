"""Hostile text as Markdown that stays text."""

from __future__ import annotations

import re

# ASCII punctuation that has a meaning in Markdown, HTML, autolinks or mathematics, on its own or first in a row. What
# means something only behind one of these (as the parentheses of a link) stays as it is, for editors that show source.
_MARKDOWN = {ord(c): f"&#{ord(c)};" for c in "\\`*_{}[]<>#+-|~&@:$^="}
_WWW = re.compile(r"(?<=www)\.", re.IGNORECASE)


def markdown(text: str) -> str:
    """Markdown source that shows exactly `text`, within a line or a table's cell.

    Numeric entities are never structure in CommonMark (spec 0.31, section 2.5), and an autolink is looked for in the
    source, so that no link, image, HTML, code span, emphasis or cell border can come out of the text. Line breaks are
    the caller's affair: `visible_text` leaves none.
    """
    return _WWW.sub("&#46;", text.translate(_MARKDOWN))
