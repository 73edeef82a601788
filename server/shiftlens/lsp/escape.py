"""Hostile text made harmless: token text for a hover, as visible characters and as Markdown that stays text."""

from __future__ import annotations

import re
import unicodedata

_NAMED = {" ": "␣", "\n": "⏎", "\t": "⇥"}
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_COMBINING_CATEGORIES = frozenset({"Mc", "Me", "Mn"})

# ASCII punctuation that has a meaning in Markdown, HTML, autolinks or mathematics, on its own or first in a row. What
# means something only behind one of these (as the parentheses of a link) stays as it is, for editors that show source.
_MARKDOWN = {ord(c): f"&#{ord(c)};" for c in "\\`*_{}[]<>#+-|~&@:$^="}
_WWW = re.compile(r"(?<=www)\.", re.IGNORECASE)

ELLIPSIS = "…"


def visible_text(text: str) -> str:
    """Text in which whitespace, controls and everything else that has no shape of its own can be seen.

    Space is ␣, line feed ⏎, tab ⇥ (fonts for code lack the control pictures); another ASCII or Latin-1 control is
    `\\xNN`; any other character without a shape (bidirectional overrides, zero-width and private ones, lone surrogates)
    and a combining mark with nothing to combine with is `U+XXXX`.
    """
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    shown: list[str] = []
    for index, char in enumerate(text):
        category = unicodedata.category(char)
        if char in _NAMED:
            shown.append(_NAMED[char])
        elif category == "Cc":
            shown.append(f"\\x{ord(char):02x}")
        elif category in _HIDDEN_CATEGORIES or (index == 0 and category in _COMBINING_CATEGORIES):
            shown.append(f"U+{ord(char):04X}")
        else:
            shown.append(char)
    return "".join(shown)


def visible_piece(piece: bytes, *, limit: int | None = None) -> str:
    """A token's bytes as visible text; bytes that make no whole character are `<0xNN>`.

    With `limit`, a longer text is cut after that many characters and ends in an ellipsis.
    """
    parts: list[str] = []
    rest = piece
    while rest:
        try:
            parts.append(visible_text(rest.decode("utf-8")))
            break
        except UnicodeDecodeError as error:
            parts.append(visible_text(rest[: error.start].decode("utf-8")))
            parts.extend(f"<0x{byte:02X}>" for byte in rest[error.start : error.end])
            rest = rest[error.end :]
    return shorten("".join(parts), limit)


def shorten(text: str, limit: int | None) -> str:
    """At most `limit` characters, the last one an ellipsis where some were cut."""
    return text if limit is None or len(text) <= limit else text[: limit - 1] + ELLIPSIS


def markdown(text: str) -> str:
    """Markdown source that shows exactly `text`, within a line or a table's cell.

    Numeric entities are never structure in CommonMark (spec 0.31, section 2.5), and an autolink is looked for in the
    source, so that no link, image, HTML, code span, emphasis or cell border can come out of the text. Line breaks are
    the caller's affair: `visible_text` leaves none.
    """
    return _WWW.sub("&#46;", text.translate(_MARKDOWN))
