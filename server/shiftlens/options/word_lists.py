"""Word lists by language, by which the kind of a token is told: the package's own, and a file of the user's.

A file is JSON: an object of languages, each an object of lists by name.

    {"en": {"common": ["the", "of"], "connectives": ["however", "in addition"], "hedges": [], "openers": ["sure"],
            "closers": ["I hope this helps"]}}

A list of the user's takes the place of the package's list of that name in that language; lists and languages that the
file does not name stay as they are. "common" tells which language a text is in: that with the most of these words.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

LISTS = ("common", "connectives", "hedges", "openers", "closers")
"""The names of a language's lists."""

MAX_BYTES = 1_000_000


class WordListError(ValueError):
    """A file of word lists that can't be used, with the reason as a sentence that names the file and the place."""


@dataclass(frozen=True, slots=True)
class LanguageWords:
    """The lists of one language. A phrase is one word or several, in any case."""

    language: str
    common: tuple[str, ...] = ()
    connectives: tuple[str, ...] = ()
    hedges: tuple[str, ...] = ()
    openers: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()


WordLists = tuple[LanguageWords, ...]
"""The lists of all languages, each language once."""


@cache
def default_word_lists() -> WordLists:
    """The package's own lists, by language."""
    folder = resources.files("shiftlens.options").joinpath("words")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    return tuple(
        LanguageWords(language, **lists)
        for file in files
        for language, lists in _parsed(file.read_text(encoding="utf-8"), file.name).items()
    )


def read_word_lists(path: Path) -> WordLists:
    """The package's lists, with those of the user's file at `path` in the place of theirs. A leading "~" is the home.

    The file is read again only once it has changed. Raises WordListError where it can't be read or is no such file.
    """
    try:
        found = path.expanduser()
        told = found.stat()
        # A pipe or a device might never end.
        if not stat.S_ISREG(told.st_mode):
            raise WordListError(f"{path} is no file.")
        if told.st_size > MAX_BYTES:
            raise WordListError(f"{path} is {told.st_size:,} bytes long; word lists are at most {MAX_BYTES:,}.")
        return _read(found, told.st_mtime_ns, told.st_size)
    except WordListError:
        raise
    except OSError as error:
        raise WordListError(f"{path} can't be read: {error.strerror or error}.") from None
    except (RuntimeError, ValueError) as error:
        raise WordListError(f"{path} is no path of a file: {error}.") from None


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, _size: int) -> WordLists:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WordListError(f"{path} is not UTF-8: byte {error.start + 1} begins no character.") from None
    return _in_place_of(default_word_lists(), _parsed(text, str(path)))


def _in_place_of(before: Iterable[LanguageWords], lists: Mapping[str, Mapping[str, tuple[str, ...]]]) -> WordLists:
    known = {words.language: words for words in before}
    for language, given in lists.items():
        own = known.get(language, LanguageWords(language))
        known[language] = LanguageWords(language, **{name: given.get(name, getattr(own, name)) for name in LISTS})
    return tuple(known.values())


def _parsed(text: str, name: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """The lists that a file gives, by language. Raises WordListError."""
    try:
        found = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise WordListError(f"{name} is no JSON: line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise WordListError(f"{name} is no JSON that can be read: it is nested too deeply.") from None
    except _Repeated as error:
        raise WordListError(f'{name}: "{error}" stands twice in one object; join the two.') from None
    if not isinstance(found, dict):
        raise WordListError(f'{name} must be an object of languages, such as {{"en": {{"hedges": ["maybe"]}}}}.')
    return {language: dict(_lists(language, lists, name)) for language, lists in found.items()}


class _Repeated(Exception):
    """A name that stands twice in one object: which of the two counts would be a guess."""


def _without_repeats(members: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in members:
        if key in found:
            raise _Repeated(key)
        found[key] = value
    return found


def _lists(language: str, lists: object, name: str) -> Iterable[tuple[str, tuple[str, ...]]]:
    if not isinstance(lists, dict):
        raise WordListError(f'{name}: "{language}" must be an object of lists ({", ".join(LISTS)}).')
    for key, phrases in lists.items():
        where = f'"{key}" of "{language}"'
        if key not in LISTS:
            raise WordListError(f"{name}: {where} is no list that there is; there are {', '.join(LISTS)}.")
        if not isinstance(phrases, list):
            raise WordListError(f"{name}: {where} must be a list of words and phrases.")
        for number, phrase in enumerate(phrases, 1):
            if not isinstance(phrase, str):
                raise WordListError(f"{name}: entry {number} of {where} is no text.")
            if not any(character.isalnum() for character in phrase):
                raise WordListError(f"{name}: entry {number} of {where} has no letter and no digit.")
            if key == "common" and len(phrase.split()) > 1:
                raise WordListError(f"{name}: entry {number} of {where} must be one word, not several.")
        yield key, tuple(phrases)
