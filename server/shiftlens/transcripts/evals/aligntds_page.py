"""A page of AlignTDS as text: a query, and the aligned model's response with one token on each line.

The page does not hold the white space between tokens. It is put back by rules that look at the tokens and at the words
of the query; where words begin is therefore a guess, and every response says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shiftlens.errors import TranscriptError
from shiftlens.text.source_map import Segment, SourceMap
from shiftlens.transcripts.conversation import (
    Conversation,
    Reading,
    Said,
    line_number,
    trimmed,
    verbatim_turn,
)
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role, Turn

APPROXIMATE = (
    "The page does not hold the white space between its tokens; where words begin was guessed, so the text and its"
    " tokens are only approximately those of the model."
)

_BLANK = " \t\r\xa0"
_OPENING = re.compile(r"\s*ID:[ \t]*\d+[ \t\xa0]*\r?\n")
_HEADER = re.compile(r"^[ \t\xa0]*Aligned LLM's Response:[ \t\xa0]*(?:\r?\n|\Z)", re.MULTILINE)
_CLOSING = re.compile(r"^[ \t\xa0]*(?:Legend:[ \t\xa0]*Shifted positions|Token Distributions[ \t\xa0]*$)", re.MULTILINE)
_LINE = re.compile(r"[^\n]*(?:\n|\Z)")
_END = "</s>"
_NEWLINE = "\\n"

_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%'\u2019\u201d\u2026-/_*^")
_NO_SPACE_AFTER = frozenset("([{$#@'\u2019\u201c-/_\\^~")
_MINUS = "-"
_NEAR = 12
_WORD = re.compile(r"[^\W\d_]+")
# Pieces of words which are no words themselves.
_ENDINGS = frozenset(
    (
        *("able", "ably", "ality", "ally", "al", "ance", "ant", "ate", "ated", "ates", "ating", "ation", "ational"),
        *("ations", "ative", "bed", "bing", "cy", "ding", "ded", "ed", "ely", "ence", "ening", "ent", "ential", "er"),
        *(
            "ers",
            "es",
            "esis",
            "est",
            "ful",
            "ial",
            "ian",
            "ibility",
            "ible",
            "ic",
            "ical",
            "ically",
            "ies",
            "ification",
        ),
        *("ified", "ify", "ility", "ine", "ing", "ings", "ion", "ional", "ions", "ious", "ish", "ism", "ist", "istic"),
        *("ists", "ities", "itional", "ity", "ive", "ively", "ization", "ize", "ized", "izes", "izing", "les", "less"),
        *("ling", "ly", "ment", "ments", "ming", "ness", "oid", "oidal", "or", "ors", "ory", "ous", "ously", "ped"),
        *("ping", "ral", "red", "ring", "ship", "sion", "ted", "ter", "ters", "th", "tic", "ting", "tion", "tional"),
        *("tions", "tive", "ual", "ure", "ures", "ward", "wards", "ying", "ys", "ll", "ve", "re"),
    )
) - {"or", "red", "ant", "ally", "bed", "ring", "ate", "able", "lies"}


@dataclass(frozen=True, slots=True)
class _Token:
    """A token of the page: what it says, and where it stands. Of a lone space the page has a blank line."""

    text: str
    start: int
    end: int


def read_page(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as a page; None where it is not one. Raises TranscriptError instead where it is `forced`."""
    opening = _OPENING.match(text, start)
    header = _HEADER.search(text, opening.end()) if opening else None
    if opening is None or header is None:
        if not forced:
            return None
        raise TranscriptError(
            "There is no `ID:` line with an `Aligned LLM's Response:` line after it.", "Choose another format."
        )
    closing = _CLOSING.search(text, header.end())
    query = trimmed(text, opening.end(), header.start())
    tokens = _tokens(text, header.end(), closing.start() if closing else len(text))
    marker = _END if tokens and tokens[-1].text == _END else None
    response = _joined(tokens[:-1] if marker else tokens, header.end(), text[slice(*query)])
    said = (Said(verbatim_turn(Role.USER, text, *query)), Said(Turn.of(Role.ASSISTANT, *response), marker))
    evidence = f"a query and {len(tokens)} tokens, one a line; the text is approximate"
    problem = (line_number(text, header.start()), APPROXIMATE)
    return Reading(evidence, (Conversation(said, notes=(APPROXIMATE,)),), (problem,))


def _tokens(text: str, start: int, end: int) -> list[_Token]:
    """The tokens of the lines from `start` to `end`; a blank line between two is a lone space."""
    found: list[_Token] = []
    at = start
    while at < end:
        line = _LINE.match(text, at, end)
        past = line.end() if line else end
        spelled = text[at:past].rstrip("\n")
        token = spelled.strip(_BLANK)
        first = at + len(spelled) - len(spelled.lstrip(_BLANK))
        blank = _Token(" ", at, at + len(spelled.rstrip("\r")))
        found.append(_Token(token, first, first + len(token)) if token else blank)
        at = past
    while found and found[-1].text == " ":
        found.pop()
    while found and found[0].text == " ":
        found.pop(0)
    return found


def _joined(tokens: list[_Token], at: int, query: str) -> tuple[str, SourceMap]:
    """The tokens as one text. A space that is put between two stands nowhere on the page."""
    words = {word.casefold() for word in _WORD.findall(query)}
    parts: list[str] = []
    segments: list[Segment] = []
    length = 0
    in_quotes = False
    for number, token in enumerate(tokens):
        before = tokens[number - 1].text if number else _NEWLINE
        following = [each.text for each in tokens[number + 1 : number + 4]]
        near = "".join(parts[-_NEAR:])
        if token.text != " " and _is_apart(before, token.text, near, in_quotes, words, following):
            parts.append(" ")
            segments.append(Segment(length, 1, token.start, 0))
            length += 1
        spelled = "\n" if token.text == _NEWLINE else token.text
        parts.append(spelled)
        segments.append(Segment(length, len(spelled), token.start, token.end - token.start))
        length += len(spelled)
        in_quotes = token.text != _NEWLINE and in_quotes != (token.text.count('"') % 2 == 1)
    return "".join(parts), SourceMap(segments[0].source_start if segments else at, tuple(segments))


def _is_apart(before: str, token: str, written: str, in_quotes: bool, words: set[str], following: list[str]) -> bool:
    """Whether a space is to be put before a token, by a guess."""
    if before in (_NEWLINE, " ") or token == _NEWLINE or token[0].isdigit():
        return False
    if token == _MINUS and following[:1] == [" "]:
        return True
    if token[0] in _NO_SPACE_BEFORE or token.startswith("\\_") or (token[0] == '"' and in_quotes):
        return False
    if before[-1] in _NO_SPACE_AFTER or (before[-1] == '"' and in_quotes):
        return False
    if not (_WORD.fullmatch(token) and before[-1].isalpha()):
        return True
    return token not in _ENDINGS and not _goes_on(_last_word(written), token, words, following)


def _last_word(written: str) -> str:
    found = re.search(r"[^\W\d_]+\Z", written)
    return found[0].casefold() if found else ""


def _goes_on(begun: str, token: str, words: set[str], following: list[str]) -> bool:
    """Whether a token goes on with a word that the query has: itself, or with up to three tokens after it."""
    if begun in words and token.casefold() in words:
        return False
    spelled = begun + token.casefold()
    for each in ("", *following):
        spelled += each.casefold()
        if spelled in words:
            return True
    # A letter alone that is no word, as in "L ength", goes on.
    return len(begun) == 1 and begun not in "aio"


FORMAT = TextFormat(
    name="aligntds-page",
    summary="AlignTDS pages as text: a query, and the response with one token on each line (approximate)",
    examples=(
        Example(
            "page.txt",
            "ID: 1 \n \n Why is the sky blue? \n \n   Aligned LLM's Response: \n  \n    \t\t\tGreat\n\t\t\tquestion\n"
            "\t\t\t!\n\t\t\tAir\n\t\t\tscatter\n\t\t\ts\n\t\t\tblue\n\t\t\tlight\n\t\t\t.\n\t\t\t</s>\n   \n"
            "  Legend: Shifted positions \xa0 | \n",
            problems=1,
        ),
    ),
    read=read_page,
)
