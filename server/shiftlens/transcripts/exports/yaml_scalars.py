"""From a YAML scalar's value back to the characters that spell it: plain, quoted, literal and folded."""

from __future__ import annotations

import re

from shiftlens.text.source_map import Segment, SourceMap

# YAML's reader takes these three for line breaks too; a separator stays in the text, the others become "\n".
_SEPARATORS = "\u2028\u2029"
_ANY = rf"(?:\r\n|[\n\r\x85{_SEPARATORS}])"
_BREAK = re.compile(rf"[ \t]*{_ANY}(?:[ \t]*{_ANY})*[ \t]*")
_NEWLINE = re.compile(_ANY)
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_JOINED = re.compile(rf"\\{_ANY}[ \t]*")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r)")
_SPACES = re.compile(r"[ ]*")
_SIMPLE = dict(zip('0abt\tnvfre "/\\N_LP', '\0\a\b\t\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029', strict=True))


def scalar_map(text: str, start: int, end: int, style: str | None, value: str) -> SourceMap | None:
    """The map of a scalar whose source is text[start:end]; None where it can't be told exactly.

    A line break that folds to a space, and an escape, are one character each of the value.
    """
    if style == "|":
        found = _block(text, start, end, value)
    elif style == ">":
        return None
    else:
        found = _flow(text, start, end, style, value)
    return None if found is None else SourceMap(found[0].source_start if found else start, tuple(found))


def _block(text: str, start: int, end: int, value: str) -> list[Segment] | None:
    """A literal block: each line of the value is a line of the file without its indentation."""
    header = _HEADER.match(text, start, end)
    if header is None:
        return [] if not value else None
    body = text[header.end() : end]
    given = re.search(r"[0-9]", header[0].split("#")[0])
    filled = next((line for line in _NEWLINE.split(body) if line.strip(" ")), "")
    lines = value.split("\n")
    # An explicit indentation counts from that of the node around it, which the text alone does not tell.
    indent = len(filled) - len(filled.lstrip(" ")) if given is None else len(filled) - len(lines[0])
    segments: list[Segment] = []
    at, decoded = header.end(), 0
    for number, line in enumerate(lines):
        if number:
            newline = _NEWLINE.match(text, at, end)
            if newline is None:
                return None
            segments.append(Segment(decoded, 1, newline.start(), newline.end() - newline.start()))
            at, decoded = newline.end(), decoded + 1
        if line:
            at += indent
            if not text.startswith(line, at, end):
                return None
            segments.append(Segment(decoded, len(line), at, len(line)))
            at, decoded = at + len(line), decoded + len(line)
        else:
            blank = _SPACES.match(text, at, end)
            at = blank.end() if blank and number + 1 < len(lines) else at
    return segments


def _flow(text: str, start: int, end: int, style: str | None, value: str) -> list[Segment] | None:
    """A plain or quoted scalar, whose lines are folded."""
    at, past = (start + 1, end - 1) if style else (start, end)
    segments: list[Segment] = []
    decoded = 0
    while at < past:
        joined = _JOINED.match(text, at, past) if style == '"' else None
        if joined is not None:
            at = joined.end()
            continue
        folded = _BREAK.match(text, at, past)
        if folded is not None:
            run = _folded(text, folded, decoded, value)
            if run is None:
                return None
            segments += run
            at, decoded = folded.end(), decoded + len(run)
            continue
        length, character = _one(text, at, past, style)
        if not value.startswith(character, decoded):
            return None
        if length == 1 and segments and _ends_at(segments[-1], decoded, at):
            last = segments[-1]
            segments[-1] = Segment(
                last.decoded_start, last.decoded_length + 1, last.source_start, last.source_length + 1
            )
        else:
            segments.append(Segment(decoded, 1, at, length))
        at, decoded = at + length, decoded + 1
    return segments if decoded == len(value) else None


def _folded(text: str, run: re.Match[str], decoded: int, value: str) -> list[Segment] | None:
    """Line breaks and the blanks around them: one break is a space, of several the first is none."""
    breaks = list(_NEWLINE.finditer(text, run.start(), run.end()))
    kept = [each[0] if each[0] in _SEPARATORS else "\n" for each in breaks]
    wanted = (kept[1:] or [" "]) if kept[0] == "\n" else kept
    if not value.startswith("".join(wanted), decoded):
        return None
    ends = [each.end() for each in breaks[: len(wanted) - 1]] + [run.end()]
    starts = [run.start(), *ends[:-1]]
    return [Segment(decoded + n, 1, at, end - at) for n, (at, end) in enumerate(zip(starts, ends, strict=True))]


def _ends_at(segment: Segment, decoded: int, source: int) -> bool:
    """Whether a run of unescaped characters ends where the next one stands."""
    return (
        segment.decoded_length == segment.source_length
        and segment.decoded_start + segment.decoded_length == decoded
        and segment.source_start + segment.source_length == source
    )


def _one(text: str, at: int, past: int, style: str | None) -> tuple[int, str]:
    """How many characters spell the next one, and which it is; "\\0" and no more where an escape is unknown."""
    if style == "'" and text.startswith("''", at, past):
        return 2, "'"
    escape = _ESCAPE.match(text, at, past) if style == '"' else None
    if escape is None:
        return 1, text[at]
    if len(escape[0]) > 2:
        return len(escape[0]), chr(int(escape[0][2:], 16))
    return 2, _SIMPLE.get(escape[0][1], "\0")
