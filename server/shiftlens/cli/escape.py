"""Text of unknown origin made harmless for a terminal."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Line feeds and tabs are layout; the joiners make one picture of several emoji and letters of some scripts.
_KEPT = frozenset("\n\t\u200c\u200d")


def harmless(text: str) -> str:
    """The text with every other control or unseen character as a symbol: ESC is ␛, a bidirectional override U+202E.

    Nothing that comes out can move the cursor, set a colour or reorder its neighbours.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_harmless, text))


def one_line(text: str, limit: int = 100) -> str:
    """The first line that says something, harmless and no longer than `limit`."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    shown = harmless(first).replace("\t", " ")
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _harmless(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _UNSEEN:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"<U+{code:04X}>"
