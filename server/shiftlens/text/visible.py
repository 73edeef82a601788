"""Text of unknown origin made harmless: `harmless` for running text, `visible_text` and `visible_piece` for tokens."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Line feeds and tabs are layout; the joiners make one picture of several emoji and letters of some scripts.
_KEPT = frozenset("\n\t\u200c\u200d")
_NAMED = {" ": "␣", "\n": "⏎", "\t": "⇥"}
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_COMBINING_CATEGORIES = frozenset({"Mc", "Me", "Mn"})

ELLIPSIS = "…"


def harmless(text: str) -> str:
    """The text with every other control or unseen character as a symbol: ESC is ␛, a bidirectional override U+202E.

    Nothing that comes out can move the cursor, set a colour or reorder its neighbours.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_harmless, text))


def harmless_name(name: str) -> str:
    """A name on one line, harmless: one that holds a line feed can't feign a line of somebody else's."""
    return harmless(name).replace("\n", "␊").replace("\t", "␉")


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


def visible_note(text: str) -> str:
    """A sentence on one line, its spaces as they are and everything hidden shown."""
    return " ".join(visible_text(word) for word in text.split())


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
