"""JSON in pieces is the JSON of the whole."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.text.json_pieces import json_pieces

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def lazily(value: object) -> object:
    """The value with iterators for lists, where `json_pieces` looks for them."""
    if isinstance(value, list):
        return iter([lazily(item) for item in value])
    if isinstance(value, dict) and any(isinstance(member, list) for member in value.values()):
        return {key: lazily(member) if isinstance(member, list) else member for key, member in value.items()}
    return value


records = st.dictionaries(st.text(), st.lists(values) | scalars)


@given(st.dictionaries(st.text(), st.lists(records) | scalars), st.sampled_from([None, 1, 2]))
def test_the_pieces_of_lazy_lists_join_to_what_the_standard_library_writes(value: object, indent: int | None) -> None:
    assert "".join(json_pieces(lazily(value), indent)) == json.dumps(value, allow_nan=False, indent=indent)


def test_an_item_is_made_when_its_turn_comes() -> None:
    made = 0

    def items() -> Iterator[int]:
        nonlocal made
        for number in range(3):
            made += 1
            yield number

    pieces = json_pieces({"items": items()})
    assert made == 0
    assert next(piece for piece in pieces if piece == "0") == "0"
    assert made == 1


def test_a_number_that_json_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        list(json_pieces({"items": iter([float("nan")])}))
