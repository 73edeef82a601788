"""What kind of token each position of a response has, by the rules of `analysis.token_kind`.

A kind goes by the text of the response alone, not by the models' numbers. A token's kind is that of the word that it
belongs to, however the word is cut: of "how" and "ever", of each piece of a character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shiftlens.analysis.layout_marks import Layout, layout_of
from shiftlens.analysis.model import ANSWER, PartPositions
from shiftlens.analysis.phrases import Phrase, Unit, closing_start, languages_of, opening_end, phrases, units
from shiftlens.analysis.token_kind import TokenKind
from shiftlens.options.word_lists import WordLists, default_word_lists

_CONTENT, _FORMAT, _SYNTAX, _REASONING = map(
    int, (TokenKind.CONTENT, TokenKind.FORMAT, TokenKind.SYNTAX, TokenKind.REASONING)
)
_CODE = 0x40
"""A flag beside the kind of a character that is code."""

_KIND_OF_LIST = {
    "openers": TokenKind.OPENER,
    "closers": TokenKind.CLOSER,
    "hedges": TokenKind.HEDGE,
    "connectives": TokenKind.CONNECTIVE,
}
"""In the order in which they count, where a phrase is in several lists."""

_WORD = re.compile(r"[^\W_]")
_SPACE = re.compile(r"\s+")
# French has a space before some.
_BEHIND = re.compile(r"[,.…，。、]+|[ \u00a0\u202f]?[!?:;！？：；]+")
_MARK = re.compile(
    r"<\|[^<>|\s]{1,40}\|>|<｜[^<>｜\s]{1,40}｜>|</?(?:think|thinking|seed:think|tool_call|tool_calls)>"
    r"|\[/?(?:THINK|TOOL_CALLS)\]|◁/?think▷|<\|channel>thought|<channel\|>"
)

Span = tuple[int, int]


def kinds_of(
    text: str,
    text_ends: Sequence[int],
    special: bytes,
    parts: Sequence[PartPositions],
    *,
    has_end: bool,
    word_lists: WordLists | None = None,
) -> bytes:
    """One byte for each position, a value of `TokenKind`.

    - text, parts: of the response, as far as it was scored (see `ResponseAnalysis`).
    - text_ends: where each position ends in `text`, in code points; special: uint8 [n].
    - has_end: whether the last position is the end of the response.
    - word_lists: the package's own where there are none.
    """
    spans = tuple((part.kind, part.text_start, part.text_end) for part in parts if part.text_end > part.text_start)
    characters = _of_characters(text, spans, default_word_lists() if word_lists is None else word_lists)
    found = bytearray(len(text_ends))
    begin = 0
    for row, end in enumerate(text_ends):
        found[row] = _SYNTAX if special[row] else _of_token(text, characters, begin, end)
        begin = end
    if has_end and found:
        found[-1] = _SYNTAX
    return bytes(found)


def _of_token(text: str, characters: bytes, begin: int, end: int) -> int:
    """The kind of the token that is text[begin:end].

    It is that of its first letter or digit. A token without any is layout where one of its characters is, a line break
    among them, and else of the kind of its first character that is no white space. A token without text is a piece of
    the character before it.
    """
    if begin == end:
        return characters[begin - 1] & ~_CODE if begin else _CONTENT
    word = _WORD.search(text, begin, end)
    if word is not None:
        return characters[word.start()] & ~_CODE
    token = text[begin:end]
    at = end - len(token.lstrip())
    if at == end:
        return characters[begin] & ~_CODE
    kind = characters[at]
    if kind in (_SYNTAX, _REASONING) or kind & _CODE:
        return kind & ~_CODE
    is_layout = "\n" in token or any(
        characters[index] == _FORMAT and not text[index].isspace() for index in range(at, end)
    )
    return _FORMAT if is_layout else kind


@lru_cache(maxsize=16)
def _of_characters(text: str, parts: tuple[tuple[str, int, int], ...], word_lists: WordLists) -> bytes:
    """The kind of each character, with the flag of code. Kept, since scores of a long response come in chunks."""
    found = bytearray(len(text))
    answers = list(_answers(parts))
    for kind, start, end in parts:
        if kind != ANSWER:
            found[start:end] = bytes([_REASONING if kind == "reasoning" else _SYNTAX]) * (end - start)
    read = [_Answer.of(text[start:end]) for start, end in answers]
    languages = languages_of((word for answer in read for word in answer.words), word_lists)
    for number, ((start, end), answer) in enumerate(zip(answers, read, strict=True)):
        opening = opening_end(answer.text, answer.words) if number == 0 else 0
        closing = closing_start(answer.text, answer.words) if number == len(answers) - 1 else len(answer.text)
        found[start:end] = answer.kinds(word_lists, languages, opening, closing)
    for mark in _MARK.finditer(text):
        if not found[mark.start()] & _CODE:
            found[mark.start() : mark.end()] = bytes([_SYNTAX]) * (mark.end() - mark.start())
    return bytes(found)


def _answers(parts: Sequence[tuple[str, int, int]]) -> Iterator[Span]:
    """The spans of answers; those that join are one."""
    before: Span | None = None
    for kind, start, end in parts:
        if kind != ANSWER:
            continue
        if before is not None and before[1] == start:
            before = before[0], end
            continue
        if before is not None:
            yield before
        before = start, end
    if before is not None:
        yield before


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer's text, its layout, and the words that are no code."""

    text: str
    layout: Layout
    words: tuple[Unit, ...]

    @classmethod
    def of(cls, text: str) -> _Answer:
        layout = layout_of(text)
        hidden = bytearray(len(text))
        for start, end in layout.code:
            hidden[start:end] = b"\1" * (end - start)
        return cls(text, layout, tuple(word for word in units(text) if not hidden[word.start]))

    def kinds(self, word_lists: WordLists, languages: Sequence[str], opening: int, closing: int) -> bytes:
        """The kind of each character: openers count before `opening`, closers from `closing` on."""
        found = bytearray(len(self.text))
        for start, end in self.layout.code:
            found[start:end] = bytes([_CONTENT | _CODE]) * (end - start)
        for space in _SPACE.finditer(self.text):
            found[space.start() : space.end()] = bytes(_FORMAT | found[index] & _CODE for index in range(*space.span()))
        for start, end in self.layout.marks:
            found[start:end] = bytes([_FORMAT]) * (end - start)
        for phrase, name in phrases(self.words, self.text, word_lists, languages, _counts(opening, closing)):
            behind = _BEHIND.match(self.text, phrase.end)
            end = phrase.end if behind is None else behind.end()
            kind = int(_KIND_OF_LIST[name])
            for index in range(phrase.start, end):
                if index < phrase.end or found[index] == _CONTENT:
                    found[index] = kind
        return bytes(found)


def _counts(opening: int, closing: int) -> Callable[[Phrase], str]:
    def counts(phrase: Phrase) -> str:
        for name in _KIND_OF_LIST:
            out_of_place = (name == "openers" and phrase.start >= opening) or (
                name == "closers" and phrase.start < closing
            )
            if name in phrase.lists and not out_of_place:
                return name
        return ""

    return counts
