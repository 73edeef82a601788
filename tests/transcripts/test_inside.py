"""JSON inside a JSON string: places in it are places in the file."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from shiftlens.text.source_map import composed
from shiftlens.transcripts.json.inside import opened
from shiftlens.transcripts.json.record import Log, Record
from shiftlens.transcripts.json.source import JsonString, decoded, parse
from transcripts.transcript_checks import texts


@given(texts, st.booleans(), st.booleans(), st.text(max_size=3))
def test_a_map_inside_a_map_leads_to_the_source_of_each_character(
    value: str, inner_ascii: bool, outer_ascii: bool, before: str
) -> None:
    middle = json.dumps(value, ensure_ascii=inner_ascii)
    text = before + json.dumps(middle, ensure_ascii=outer_ascii)
    once, outer = decoded(text, JsonString(len(before), len(text)))
    twice, inner = decoded(once, JsonString(0, len(once)))
    source = composed(inner, outer)
    assert (once, twice) == (middle, value.replace("\r\n", "\n"))
    assert source.decoded_length == len(twice)
    for i, character in enumerate(twice):
        start, end = inner.start_of(i), inner.end_of(i)
        assert (source.start_of(i), source.end_of(i)) == outer.span(start, end)
        assert json.loads(f'"{text[source.start_of(i) : source.end_of(i)]}"') == once[start:end]
        assert json.loads(f'"{once[start:end]}"').replace("\r\n", "\n") == character


def test_what_is_told_of_a_place_inside_is_told_of_its_place_in_the_file() -> None:
    text = '\n\n{"a": "{\\"b\\":\\n1}"}'
    record = Record(text, parse(text, 0, len(text)), Log())
    node = record.member("a")
    assert node is not None
    found = opened(record.child(node, "a"))
    assert found is not None
    found.record.log.left_out("b", found.record.start)
    assert record.log.problems(text) == [(3, "`b` was not read.")]
    assert found.record.plain("b") == 1
