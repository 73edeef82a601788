"""Whatever stands where a reader expects something else, a file is read, refused with a reason, or no transcript."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import read
from shiftlens.transcripts.registry import json_formats

ROWS = [
    (known.name, [json.loads(line) for line in lines])
    for known in json_formats()
    for example in known.examples
    for lines in [example.text.splitlines() if example.filename.endswith(".jsonl") else [example.text]]
]
ODD = [
    *("null", "true", "0", "-1.5", '""', '"text"', '"[]"', '"{"', "[]", "{}", "[[]]", "[null]", "[{}]", '{"": ""}'),
    *('["text"]', '[["a", "b"]]'),
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or index of a value in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[Any, Any]] = []
    for key, inner in items:
        found += [(value, key), *places(inner)]
    return found


@pytest.mark.parametrize(("name", "rows"), ROWS, ids=[f"{number}-{name}" for number, (name, _) in enumerate(ROWS)])
@given(data=st.data())
def test_a_value_of_another_kind_makes_no_reader_fail(name: str, rows: list[Any], data: st.DataObject) -> None:
    changed = json.loads(json.dumps(rows))
    for _ in range(data.draw(st.integers(1, 2))):
        where = places(changed)
        if where:
            container, key = data.draw(st.sampled_from(where))
            container[key] = json.loads(data.draw(st.sampled_from(ODD)))
    text = "\n".join(json.dumps(row) for row in changed)
    for chosen in (None, name):
        with suppress(TranscriptError):
            read(text, filename="x.jsonl", format=chosen)
