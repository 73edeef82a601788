"""Bytes to text, and the `shiftlens` mapping above it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import decode, read
from transcripts.transcript_checks import readable

CHAT = "User: one\nAssistant: two\n"


@given(st.text())
def test_utf8_is_decoded_as_it_stands(text: str) -> None:
    assert decode(text.encode()) == (text[1:] if text.startswith("\ufeff") else text)


def test_the_byte_order_mark_is_dropped_and_newlines_stay() -> None:
    assert decode(b"\xef\xbb\xbfa\r\nb\rc\n") == "a\r\nb\rc\n"


def test_bytes_that_are_not_utf8_are_named_by_line_and_offset() -> None:
    with pytest.raises(TranscriptError, match=r"line 3: Byte 0xff at byte offset 8 .*UTF-8"):
        decode(b"ab\r\ncd\n\xc3\xff".replace(b"\xc3", b"e"))


def test_utf16_is_recognised() -> None:
    with pytest.raises(TranscriptError, match="UTF-16"):
        decode("User: a".encode("utf-16"))


def test_a_file_over_the_limit_names_size_limit_and_setting() -> None:
    with pytest.raises(TranscriptError, match=r"11 bytes.*10.*shiftlens\.maxFileBytes.*--max-bytes"):
        decode(b"x" * 11, max_bytes=10)
    assert decode(b"x" * 10, max_bytes=10) == "x" * 10


def test_the_shiftlens_mapping_is_kept() -> None:
    found = readable(f"---\ntitle: x\nshiftlens:\n  base: org/base\n  base_context: chat\n  top: 5\n---\n{CHAT}")
    assert found.front_matter == {"base": "org/base", "base_context": "chat", "top": 5}


def test_front_matter_of_others_is_skipped() -> None:
    found = readable(f"---\ntitle: x\ndate: 2026-01-01\n---\n{CHAT}")
    assert (found.front_matter, found.responses[0].context[0].text) == ({}, "one")


def test_broken_front_matter_of_others_is_ignored() -> None:
    assert read('---\ntitle: "x\n---\nSome prose.\n') is None


def test_labels_between_rules_are_no_front_matter() -> None:
    found = readable("---\nUser: one\n---\nAssistant: two\n")
    assert [turn.text for turn in found.responses[0].context] == ["one"]


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("shiftlens:\n  base: [1\n", "line [34]: .*YAML"),
        ("shiftlens: labels\n", "line 2: .*mapping"),
        ("a: 1\nshiftlens:\n  base: {x: 1}\n", "line 4: .*`base`"),
        ("shiftlens:\n  base: *x\n", "aliases"),
        ("shiftlens:\n  base: x\n" + "# pad\n" * 2_000, "limit"),
        ("shiftlens: " + "[" * 3_000 + "\n", "YAML"),
        ("shiftlens:\n  n: " + "9" * 6_000 + "\n", "YAML"),
    ],
)
def test_a_shiftlens_mapping_that_cannot_be_read_is_an_error(block: str, why: str) -> None:
    with pytest.raises(TranscriptError, match=why):
        read(f"---\n{block}---\n{CHAT}")


def test_a_shiftlens_mapping_over_no_transcript_is_an_error() -> None:
    with pytest.raises(TranscriptError, match="format"):
        read("---\nshiftlens:\n  base: x\n---\nSome prose.\n")


def test_front_matter_takes_a_list_of_single_values() -> None:
    found = read("---\nshiftlens:\n  thresholds: [1, 5]\n---\nUser: a\n\nAssistant: b\n")
    assert found is not None
    assert found.front_matter["thresholds"] == [1, 5]
