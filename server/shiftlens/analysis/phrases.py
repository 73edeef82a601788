"""Words and phrases of word lists in a text: as whole words in any case, whichever language the text is in."""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shiftlens.options.word_lists import LISTS, LanguageWords, WordLists

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTER = rf"(?:[^\W_{_HAN}]|[\u0300-\u036f])"
# A word, a Chinese character, or a comma: phrases may have commas in them.
_UNIT = re.compile(rf"{_LETTER}+(?:['’ʼ]{_LETTER}+)*|[{_HAN}]|[,，]")
_GAP = re.compile(r"[ \t\u00a0\u202f\-\u2010\u2011]*")
_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "，": ","})
_ENDS = re.compile(r"(?<!\d)[.!?…]+(?=[\s\"'”’»)\]*_]|\Z)|[。！？]+|\n+")
_PHRASE_LISTS = tuple(name for name in LISTS if name != "common")

OPENING_SENTENCES = 2
CLOSING_SENTENCES = 3


@dataclass(frozen=True, slots=True)
class Unit:
    """A word of a text, or a character of a script without spaces, in [start, end). `key` is how it is compared."""

    start: int
    end: int
    key: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase in [start, end) of a text, and the names of the lists that it is in."""

    start: int
    end: int
    lists: frozenset[str]


def units(text: str) -> list[Unit]:
    """The words of a text, in order."""
    return [Unit(*found.span(), _key(found[0])) for found in _UNIT.finditer(text)]


def languages_of(words: Iterable[Unit], lists: WordLists) -> tuple[str, ...]:
    """The languages whose lists count: that with the most of its common words in the text, or those of a tie.

    All of them where none has any. A language without common words always counts.
    """
    every = [word.key for word in words]
    counts: dict[str, int] = {}
    always = []
    for language in lists:
        if language.common:
            common = _common(language)
            counts[language.language] = sum(key in common for key in every)
        else:
            always.append(language.language)
    most = max(counts.values(), default=0)
    return (*(language for language, count in counts.items() if count == most), *always)


def phrases(
    words: Sequence[Unit], text: str, lists: WordLists, languages: Sequence[str], counts: Callable[[Phrase], str]
) -> Iterator[tuple[Phrase, str]]:
    """The phrases of these languages in a text, in order and without overlap, each with the list that it counts for.

    `words` are the units of the text to look at. `counts` says which list a phrase is of at its place, "" for none;
    it is asked for the longest phrase that begins at a word, then for the shorter ones.
    """
    found = _by_first(tuple(each for each in lists if each.language in languages))
    at = 0
    while at < len(words):
        past = at + 1
        for wanted, named in found.get(words[at].key, ()):
            end = at + len(wanted)
            if end <= len(words) and _matches(words, at, wanted, text):
                phrase = Phrase(words[at].start, words[end - 1].end, named)
                if kind := counts(phrase):
                    yield phrase, kind
                    past = end
                    break
        at = past


def opening_end(text: str, words: Sequence[Unit]) -> int:
    """The end of the first sentences of a text, of which each has a word."""
    return next(itertools.islice(_sentence_ends(text, words), OPENING_SENTENCES - 1, None), len(text))


def closing_start(text: str, words: Sequence[Unit]) -> int:
    """The start of the last sentences of a text, of which each has a word."""
    ends = [0, *_sentence_ends(text, words)]
    if words and ends[-1] <= words[-1].start:
        # The last sentence may be without an end.
        ends.append(len(text))
    return ends[max(0, len(ends) - 1 - CLOSING_SENTENCES)]


def _sentence_ends(text: str, words: Sequence[Unit]) -> Iterator[int]:
    starts = [word.start for word in words]
    begin = 0
    for found in _ENDS.finditer(text):
        if bisect_left(starts, begin) < bisect_left(starts, found.start()):
            begin = found.end()
            yield begin


def _matches(words: Sequence[Unit], at: int, wanted: Sequence[str], text: str) -> bool:
    return all(words[at + index].key == key for index, key in enumerate(wanted)) and all(
        _is_gap(text, words[index].end, words[index + 1]) for index in range(at, at + len(wanted) - 1)
    )


def _is_gap(text: str, start: int, after: Unit) -> bool:
    gap = _GAP.match(text, start, after.start)
    return gap is not None and gap.end() == after.start


@lru_cache(maxsize=32)
def _by_first(lists: WordLists) -> Mapping[str, Sequence[tuple[tuple[str, ...], frozenset[str]]]]:
    """Phrases with the names of their lists, by their first unit, the longest first."""
    named: dict[tuple[str, ...], set[str]] = {}
    for language in lists:
        for name in _PHRASE_LISTS:
            for phrase in getattr(language, name):
                named.setdefault(tuple(unit.key for unit in units(phrase)), set()).add(name)
    found: dict[str, list[tuple[tuple[str, ...], frozenset[str]]]] = {}
    for keys in sorted(named, key=len, reverse=True):
        if keys:
            found.setdefault(keys[0], []).append((keys, frozenset(named[keys])))
    return found


@lru_cache(maxsize=32)
def _common(language: LanguageWords) -> frozenset[str]:
    return frozenset(unit.key for word in language.common for unit in units(word))


def _key(word: str) -> str:
    return unicodedata.normalize("NFC", word).translate(_APOSTROPHES).casefold()
