"""Word lists: the package's own, and a user's file in their place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from shiftlens.cli.main import build_parser
from shiftlens.options.pair_choice import choose_pair
from shiftlens.options.settings import Settings, read_settings
from shiftlens.options.word_lists import (
    LISTS,
    MAX_BYTES,
    LanguageWords,
    WordListError,
    default_word_lists,
    read_word_lists,
)


def written(folder: Path, text: str | bytes, name: str = "words.json") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def language(lists: tuple[LanguageWords, ...], name: str) -> LanguageWords:
    return next(each for each in lists if each.language == name)


def test_the_package_has_lists_of_five_languages_and_no_entry_twice() -> None:
    own = default_word_lists()
    assert [words.language for words in own] == ["de", "en", "es", "fr", "zh"]
    for words in own:
        for name in LISTS:
            entries = getattr(words, name)
            assert len(entries) >= 15, (words.language, name)
            assert len(set(entries)) == len(entries)


def test_a_list_of_the_users_takes_the_place_of_the_packages_and_leaves_the_others(tmp_path: Path) -> None:
    path = written(tmp_path, '{"en": {"hedges": ["I would argue"], "openers": []}, "it": {"connectives": ["però"]}}')
    found, own = read_word_lists(path), default_word_lists()
    assert language(found, "en").hedges == ("I would argue",)
    assert language(found, "en").openers == ()
    assert language(found, "en").closers == language(own, "en").closers
    assert language(found, "de") == language(own, "de")
    assert language(found, "it") == LanguageWords("it", connectives=("però",))


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, '{"en": {"hedges": ["maybe"]}}')
    assert language(read_word_lists(path), "en").hedges == ("maybe",)
    written(tmp_path, '{"en": {"hedges": ["perhaps so"]}}')
    assert language(read_word_lists(path), "en").hedges == ("perhaps so",)


def test_a_byte_order_mark_is_no_part_of_the_lists(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + b'{"en": {"hedges": ["maybe"]}}')
    assert language(read_word_lists(path), "en").hedges == ("maybe",)


BAD: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ('{"en":\n {"hedges": [maybe]}}', "is no JSON: line 2, column 14"),
    "no UTF-8": (b'{"en": {"hedges": ["caf\xe9"]}}', "is not UTF-8: byte 24"),
    "a list": ("[]", "must be an object of languages"),
    "a language that is no object": ('{"en": ["maybe"]}', '"en" must be an object of lists (common, connectives'),
    "a list that there is not": ('{"en": {"hedge": []}}', '"hedge" of "en" is no list that there is; there are common'),
    "a list that is none": ('{"en": {"hedges": "maybe"}}', '"hedges" of "en" must be a list'),
    "an entry that is no text": ('{"en": {"hedges": ["maybe", 3]}}', 'entry 2 of "hedges" of "en" is no text'),
    "an entry without a word": ('{"en": {"hedges": ["..."]}}', 'entry 1 of "hedges" of "en" has no letter'),
    "a common phrase": ('{"en": {"common": ["of the"]}}', 'entry 1 of "common" of "en" must be one word'),
    "a name twice": ('{"en": {"hedges": ["a"], "hedges": ["b"]}}', '"hedges" stands twice'),
    "depth": ("[" * 100_000, "is nested too deeply"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_told_of_with_its_name_and_place(name: str, tmp_path: Path) -> None:
    text, said = BAD[name]
    path = written(tmp_path, text)
    with pytest.raises(WordListError) as caught:
        read_word_lists(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_what_is_no_file_that_can_be_read_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(WordListError, match="can't be read: No such file"):
        read_word_lists(tmp_path / "absent.json")
    with pytest.raises(WordListError, match="is no file"):
        read_word_lists(tmp_path)
    with pytest.raises(WordListError, match="is no path of a file"):
        read_word_lists(Path("a\0b"))
    with pytest.raises(WordListError, match="word lists are at most"):
        read_word_lists(written(tmp_path, b" " * (MAX_BYTES + 1)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WordListError, match="is no file"):
        read_word_lists(tmp_path / "pipe")


def test_a_setting_names_the_file_by_its_whole_path(tmp_path: Path) -> None:
    path = written(tmp_path, '{"en": {"hedges": ["maybe"]}}')
    settings, problems = read_settings({"wordLists": str(path)})
    assert problems == ()
    choice = choose_pair(settings, {}, None, trusted=True)
    assert choice.problems == ()
    assert choice.classify_options.word_lists == read_word_lists(path)
    _, problems = read_settings({"wordLists": "words.json"})
    assert ["`shiftlens.wordLists` must be the whole path of a file" in problem for problem in problems] == [True]


def test_a_bad_file_of_a_setting_is_told_of_and_the_packages_lists_are_used(tmp_path: Path) -> None:
    path = written(tmp_path, '{"en": {"hedge": []}}')
    choice = choose_pair(Settings(word_lists=str(path)), {}, None, trusted=True)
    assert choice.classify_options.word_lists is None
    (problem,) = choice.problems
    assert problem.startswith(f'The setting `shiftlens.wordLists`: {path}: "hedge" of "en" is no list')
    assert problem.endswith("The package's own lists are used.")


def test_no_file_is_read_in_a_workspace_that_is_not_trusted_nor_named_by_a_transcript(tmp_path: Path) -> None:
    path = str(written(tmp_path, "no JSON"))
    assert choose_pair(Settings(word_lists=path), {}, None, trusted=False).problems == ()
    assert choose_pair(Settings(), {"word-lists": path}, None, trusted=True).problems == ()


def test_the_command_line_takes_a_file_and_tells_of_a_bad_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, json.dumps({"en": {"hedges": ["maybe"]}}))
    args = build_parser().parse_args(["analyze", "a.txt", "--word-lists", str(path)])
    assert args.word_lists == read_word_lists(path)
    bad = written(tmp_path, "{}x", "bad.json")
    with pytest.raises(SystemExit, match="2"):
        build_parser().parse_args(["analyze", "a.txt", "--word-lists", str(bad)])
    assert "bad.json is no JSON: line 1, column 3" in capsys.readouterr().err
