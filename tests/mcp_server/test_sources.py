"""Agents have files read that lie in folders of the user's choice, and no others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shiftlens.errors import TranscriptError
from shiftlens.mcp_server.sources import Reading, allowed_folder, read_allowed, source_of

TALK = "User: Why?\n\nAssistant: Because.\n"


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "talk.txt").write_text(TALK, encoding="utf-8")
    (tmp_path / "secret.txt").write_text(TALK, encoding="utf-8")
    return allowed_folder(str(folder))


def why_not(folder: Path, path: str, max_bytes: int = 1000) -> str:
    with pytest.raises(TranscriptError) as refused:
        read_allowed([folder], path, max_bytes)
    return str(refused.value)


@pytest.mark.parametrize("path", ["deep/talk.txt", "deep/../deep/talk.txt"])
def test_a_file_below_an_allowed_folder_is_read(allowed: Path, path: str) -> None:
    found = allowed / "deep" / "talk.txt"
    assert read_allowed([allowed], path, 1000) == (found, TALK.encode())
    assert read_allowed([allowed], str(allowed / path), 1000) == (found, TALK.encode())


def test_a_path_that_leads_out_is_refused_in_the_words_of_one_that_leads_nowhere(allowed: Path) -> None:
    outside = allowed.parent / "secret.txt"
    (allowed / "link.txt").symlink_to(outside)
    (allowed / "folder").symlink_to(allowed.parent)
    missing = why_not(allowed, "missing.txt")
    for path in ["../secret.txt", str(outside), "link.txt", "folder/secret.txt", "/no/such/file", "a\0b"]:
        assert why_not(allowed, path) == missing.replace("'missing.txt'", repr(path))


def test_a_folder_beside_an_allowed_one_with_a_longer_name_is_not_allowed(allowed: Path) -> None:
    beside = allowed.with_name("allowed-not")
    beside.mkdir()
    (beside / "talk.txt").write_text(TALK, encoding="utf-8")
    assert "is no file in a folder that the user allows" in why_not(allowed, str(beside / "talk.txt"))


def test_a_symlink_within_the_folder_is_followed(allowed: Path) -> None:
    (allowed / "link.txt").symlink_to(allowed / "deep" / "talk.txt")
    assert read_allowed([allowed], "link.txt", 1000)[1] == TALK.encode()


def test_a_symlink_that_the_user_allows_stands_for_its_folder(allowed: Path) -> None:
    link = allowed.parent / "shortcut"
    link.symlink_to(allowed)
    assert allowed_folder(str(link)) == allowed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_nothing_is_waited_for_that_is_no_regular_file(allowed: Path) -> None:
    os.mkfifo(allowed / "pipe")
    assert "is no regular file" in why_not(allowed, "pipe")
    # A folder can be opened for reading here; elsewhere the system says that it can't.
    assert "'" in why_not(allowed, "deep")


def test_a_loop_of_symlinks_leads_nowhere(allowed: Path) -> None:
    (allowed / "a").symlink_to(allowed / "b")
    (allowed / "b").symlink_to(allowed / "a")
    assert "is no file in a folder" in why_not(allowed, "a")


def test_a_file_or_a_text_of_more_bytes_than_allowed_is_refused_with_the_number(allowed: Path) -> None:
    assert read_allowed([allowed], "deep/talk.txt", len(TALK))[1] == TALK.encode()
    assert f"more than {len(TALK) - 1:,} bytes" in why_not(allowed, "deep/talk.txt", len(TALK) - 1)
    reading = Reading((), 20)
    with pytest.raises(TranscriptError, match="The text has more than 20 bytes"):
        source_of(reading, "é" * 11, None)


def test_without_an_allowed_folder_no_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "talk.txt").write_text(TALK, encoding="utf-8")
    with pytest.raises(TranscriptError, match=r"allowed no folder.*`--allow FOLDER`"):
        read_allowed([], str(tmp_path / "talk.txt"), 1000)


def test_a_call_names_a_text_or_a_path(allowed: Path) -> None:
    reading = Reading((allowed,), 1000)
    assert source_of(reading, TALK, None).shown == "text"
    assert source_of(reading, None, "deep/talk.txt").shown == str(allowed / "deep" / "talk.txt")
    for text, path in [(None, None), (TALK, "deep/talk.txt")]:
        with pytest.raises(TranscriptError, match="Exactly one of `text` and `path`"):
            source_of(reading, text, path)


def test_what_is_allowed_is_a_folder_that_there_is(allowed: Path) -> None:
    with pytest.raises(ValueError, match="can't be allowed: No such file"):
        allowed_folder(str(allowed / "missing"))
    with pytest.raises(ValueError, match="is no folder"):
        allowed_folder(str(allowed / "deep" / "talk.txt"))
