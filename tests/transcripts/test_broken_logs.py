"""A log in which any value is another than expected is read as far as it can be, or refused with a reason."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import read
from shiftlens.transcripts.format import JsonFormat
from shiftlens.transcripts.registry import json_formats

odd: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1.5, "", "x", [], ["x"], [[]], [None], {}, {"type": "x"}, {"text": 1}, [{"a": []}]]
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, outermost first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def with_other(value: Any, path: tuple[Any, ...], other: object) -> Any:
    """The value with another one at a place."""
    if not path:
        return other
    changed = with_other(value[path[0]], path[1:], other)
    if isinstance(value, dict):
        return {**value, path[0]: changed}
    return [*value[: path[0]], changed, *value[path[0] + 1 :]]


@pytest.mark.parametrize("known", json_formats(), ids=lambda known: known.name)
@given(st.data())
def test_no_odd_value_makes_a_reader_fail(known: JsonFormat, data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(known.examples))
    try:
        records = [json.loads(example.text)]
    except ValueError:
        records = [json.loads(line) for line in example.text.splitlines()]
    at = data.draw(st.integers(0, len(records) - 1))
    place = data.draw(st.sampled_from(places(records[at])))
    records[at] = with_other(records[at], place, data.draw(odd))
    text = "\n".join(map(json.dumps, records))
    for name in (None, known.name):
        with contextlib.suppress(TranscriptError):
            read(text, filename=example.filename, format=name)
