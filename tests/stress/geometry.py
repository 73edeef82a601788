"""Places in texts against a few lines that can only be right: lines and columns, tokens, edits, what is shown."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable

from shiftlens.text.edits import Edit
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.text.source_map import Segment, SourceMap, composed, joined, slice_of
from shiftlens.text.spans import character_at, token_spans
from shiftlens.text.trail import Edits, Trail
from shiftlens.text.visible import harmless, one_line, visible_note, visible_piece, visible_text
from stress.readings import Wrong, check_source

_PIECES = (
    *("a", "bc", " ", "\n", "\r\n", "\r", "\t", "é", "😀", "e\u0301", "\u2028", "\x85", "\x1b[31m", "\u202e", "\ud83d"),
    *("\ude00", "\x00", "ש", "x" * 300, "😀" * 90, "\ufeff", "\u200d", "\x9b", "\x7f"),
)
_UNITS: tuple[tuple[Unit, str, int], ...] = (
    ("utf-8", "utf-8", 1),
    ("utf-16", "utf-16-le", 2),
    ("utf-32", "utf-32-le", 4),
)


def check_geometry(rng: random.Random) -> None:
    """One thing about one text. Raises Wrong."""
    rng.choice(_CHECKS)(rng)


def _text(rng: random.Random) -> str:
    return "".join(rng.choices(_PIECES, k=rng.choice((0, 1, 3, 8, 20))))


def _check(holds: bool, what: str, *of: object) -> None:
    if not holds:
        raise Wrong(f"{what}: {of!r}")


def _positions(rng: random.Random) -> None:
    text, (unit, codec, size) = _text(rng), rng.choice(_UNITS)
    lines = LineIndex(text)
    at = rng.randint(-1, len(text) + 1)
    breaks = [(m.start(), m.end()) for m in re.finditer(r"\r\n|\r|\n", text)]
    _check(lines.line_count == len(breaks) + 1, "lines", text)
    inside = min(max(at, 0), len(text))
    line = sum(end <= inside for _, end in breaks)
    start = breaks[line - 1][1] if line else 0
    end = breaks[line][0] if line < len(breaks) else len(text)
    column = len(text[start : min(inside, end)].encode(codec, "surrogatepass")) // size
    _check(lines.position(at, unit) == (line, column), "position", text, at, unit)
    _check(lines.offset(line, column, unit) == min(inside, end), "offset", text, at, unit)
    wild = lines.offset(rng.randint(-2, 9), rng.choice((-5, 0, 3, 1 << 31, 1 << 70)), unit)
    _check(0 <= wild <= len(text), "an offset outside", text, wild)


def _map(rng: random.Random) -> tuple[str, str, SourceMap]:
    """A file, a text that stands in it with escapes and gaps, and the way back."""
    file, decoded, segments = _text(rng), "", []
    start = len(file)
    for _ in range(rng.randint(0, 8)):
        if rng.random() < 0.3:
            file += "~" * rng.randint(0, 3)
        if rng.random() < 0.5:
            run = rng.choice(_PIECES[:12])
            segments.append(Segment(len(decoded), len(run), len(file), len(run)))
            file, decoded = file + run, decoded + run
        else:
            segments.append(Segment(len(decoded), 1, len(file), 2))
            file, decoded = file + "\\n", decoded + "\n"
    source = SourceMap(segments[0].source_start if segments else start, tuple(segments))
    return file + _text(rng), decoded, source


def _maps(rng: random.Random) -> None:
    file, decoded, source = _map(rng)
    check_source(file, decoded, source)
    start = rng.randint(0, len(decoded))
    end = rng.randint(start, len(decoded))
    cut, its = slice_of(decoded, source, start, end)
    check_source(file, cut, its)
    _check(cut == decoded[start:end], "a slice", decoded, start, end)
    whole, of_both = joined([(decoded[:start], slice_of(decoded, source, 0, start)[1]), (cut, its)])
    check_source(file, whole, of_both)
    _check(whole == decoded[:end], "joined", decoded, start, end)
    inner = SourceMap(start, (Segment(0, end - start, start, end - start),) if end > start else ())
    check_source(file, cut, composed(inner, source))
    for at in range(len(decoded)):
        first, past = source.start_of(at), source.end_of(at)
        _check(character_at(source, 0, len(decoded), first) == at, "a character at", decoded, at)
        _check(0 <= first < past <= len(file), "a place", decoded, at)


def _tokens(rng: random.Random) -> None:
    file, decoded, source = _map(rng)
    data = decoded.encode("utf-8", "surrogatepass")
    ends = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(0, 9)))
    ends += [len(data)] if rng.random() < 0.8 else []
    spans = token_spans(decoded, ends, source)
    begin = 0
    for row, (end, text_end) in enumerate(zip(ends, spans.text_ends, strict=True)):
        began = len(data[:end].decode("utf-8", "surrogatepass")) if _is_edge(data, end) else None
        _check(began is None or began == text_end, "a token's end", decoded, ends, row)
        _check(bool(spans.cuts[row]) == (began is None), "a cut", decoded, ends, row)
        _check(begin <= text_end <= len(decoded), "tokens partition", decoded, ends, row)
        _check(0 <= spans.starts[row] <= spans.ends[row] <= len(file), "a span outside", decoded, ends, row)
        if text_end > begin:
            found = (source.start_of(begin), source.end_of(text_end - 1))
            _check((spans.starts[row], spans.ends[row]) == found, "a token's span", decoded, ends, row)
        begin = text_end


def _is_edge(data: bytes, at: int) -> bool:
    return at == len(data) or not 0x80 <= data[at] < 0xC0


def _changed(rng: random.Random, text: str) -> tuple[str, Edit]:
    start = rng.randint(0, len(text))
    end = min(len(text), start + rng.randint(0, 4))
    new = text[:start] + _text(rng)[:6] + text[end:]
    return new, Edit.between(text, new)


def _edits(rng: random.Random) -> None:
    old = _text(rng) + "stable" + _text(rng)
    trail, new = Trail(1), old
    for version in range(2, 2 + rng.randint(1, 6)):
        before = new
        new, edit = _changed(rng, before)
        trail.add(version, edit)
        if edit.is_nothing != (before == new):
            raise Wrong(f"an edit that is none: {before!r}, {new!r}")
    for edits in (trail.between((1, old), (version, new)), Edits.between(old, new)):
        start = rng.randint(0, len(old))
        end = rng.randint(start, len(old))
        span = edits.span_to_new(start, end)
        _check(span is None or new[span[0] : span[1]] == old[start:end], "an edited span", old, new, start, end)
        at = rng.randint(0, max(0, len(new) - 1))
        was = edits.offset_to_old(at)
        _check(was is None or old[was : was + 1] == new[at : at + 1], "an edited offset", old, new, at)


_MOVES = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})


def _shown(rng: random.Random) -> None:
    text = _text(rng) + chr(rng.randint(0, 0x10FFFF)) + _text(rng)
    for shown, kept in (
        (harmless(text), "\n\t\u200c\u200d"),
        (one_line(text), "\u200c\u200d"),
        (visible_text(text), ""),
        (visible_note(text), ""),
        (visible_piece(text.encode("utf-8", "surrogatepass")[rng.randint(0, 3) :], limit=rng.choice((None, 5))), ""),
    ):
        raw = [c for c in shown if unicodedata.category(c) in _MOVES and c not in kept]
        _check(not raw, "a raw control character is shown", text, shown)


_CHECKS: tuple[Callable[[random.Random], None], ...] = (_positions, _maps, _tokens, _edits, _shown)
