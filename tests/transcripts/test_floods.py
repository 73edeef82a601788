"""Long files of one thing over and over are read, or turned down, in time that grows as they do.

What took quadratic time or worse would take minutes for each of these; nothing here measures time.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from shiftlens.text.source_map import Segment, SourceMap, composed, slice_of
from shiftlens.transcripts import PartKind, conversation, read
from shiftlens.transcripts.marked_calls import deepseek_calls, kimi_calls
from transcripts.floods import CALLS, REFUSED, TALK_IN_YAML, UNKNOWN_ROLE, blank_lines_in_yaml, calls_in_json
from transcripts.transcript_checks import readable

SIZE = 300_000


@pytest.mark.parametrize("name", REFUSED)
def test_a_flood_that_is_no_conversation_is_turned_down(name: str) -> None:
    assert read(REFUSED[name](SIZE)) is None


@pytest.mark.parametrize("name", CALLS)
def test_a_flood_of_unclosed_marks_in_a_call_is_one_call(name: str) -> None:
    found = read(CALLS[name](SIZE))
    assert found is not None
    assert [part.kind for part in found.responses[0].turn.parts] == [PartKind.TOOL_CALL]


def test_unknown_roles_in_yaml_are_told_once() -> None:
    found = read(TALK_IN_YAML + UNKNOWN_ROLE * 2000)
    assert found is not None
    assert found.problems == (
        (5, "The role 'nobody' is not known; the turn was left out. (The same holds 1,999 times more.)"),
    )


def test_a_literal_block_of_blank_lines_leads_back_to_them() -> None:
    text = blank_lines_in_yaml(SIZE)
    found = read(text)
    assert found is not None
    part = found.responses[0].turn.parts[0]
    assert part.text == "b\n" + "\n" * SIZE + "c"
    assert text[part.source.start_of(SIZE + 2)] == "c"


def test_calls_between_many_escapes_are_parts_of_their_own() -> None:
    text = calls_in_json(SIZE)
    found = read(text)
    assert found is not None
    assert sum(part.call is not None for part in found.responses[0].turn.parts) == text.count("</tool_call>") > 4000


class CountedText(str):
    """Counts the characters that `find` goes over."""

    passed = 0

    def find(self, sub: str, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        at = super().find(sub, start, len(self) if end is None else end)
        self.passed += (at if at >= 0 else len(self)) - start
        return at


@pytest.mark.parametrize(
    ("calls", "unit", "closing"),
    [
        (deepseek_calls, "<｜tool▁call▁begin｜><", "<｜tool▁call▁end｜>"),
        (kimi_calls, "<|tool_call_begin|><", "<|tool_call_end|>"),
    ],
)
def test_the_closing_mark_is_looked_for_once(calls: object, unit: str, closing: str) -> None:
    assert callable(calls)
    text = CountedText(unit * 1000 + closing)
    assert calls(text) == [(len(text), None)]
    assert text.passed <= 3 * len(text)


class CountedSegments(tuple[Segment, ...]):
    """Counts the segments that are taken out."""

    taken = 0

    def __getitem__(self, at: Any) -> Any:
        found: Any = super().__getitem__(at)
        CountedSegments.taken += len(found) if isinstance(at, slice) else 1
        return found

    def __iter__(self) -> object:  # type: ignore[override]
        CountedSegments.taken += len(self)
        return super().__iter__()


def test_a_slice_of_a_long_text_takes_its_own_segments_only() -> None:
    count = 1000
    outer = SourceMap(0, CountedSegments(Segment(at, 1, 2 * at, 2) for at in range(count)))
    CountedSegments.taken = 0
    for at in range(count):
        assert slice_of("a" * count, outer, at, at + 1)[1].span(0, 1) == (2 * at, 2 * at + 2)
    inner = SourceMap(0, tuple(Segment(at, 1, at, 1) for at in range(count)))
    assert composed(inner, outer).segments == tuple(outer.segments)
    assert CountedSegments.taken <= 8 * count


def test_of_more_responses_than_the_most_the_first_are_read_and_the_line_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conversation, "MAX_RESPONSES", 5)
    record = json.dumps({"prompt": "a", "completion": "b"}) + "\n"
    assert readable(record * 5).problems == ()
    found = readable(record * 7)
    assert len(found.responses) == 5
    ((line, told),) = found.problems
    assert line == 6
    assert "more than 5 responses" in told


def test_the_cap_counts_responses_of_text_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MAX_RESPONSES", 2)
    head = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nq<|eot_id|>"
    talk = head + "<|start_header_id|>assistant<|end_header_id|>\n\na<|eot_id|>\n"
    found = readable(talk * 3)
    assert len(found.responses) == 2
    assert [line for line, told in found.problems if "more than 2 responses" in told] == [13]


def test_a_list_of_more_answers_than_the_most_is_left_out_and_its_line_told() -> None:
    many = ",".join(['"b"'] * (conversation.MAX_RESPONSES + 1))
    good = json.dumps({"prompt": "a", "responses": ["b", "c"]})
    text = f'{good}\n{{"prompt": "a", "responses": [{many}]}}\n{good}\n'
    found = readable(text)
    assert len(found.responses) == 4
    assert found.problems == (
        (2, "The record was left out: `responses` has 100,001 items, and 100,000 are the most that are read."),
    )
