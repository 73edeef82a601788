"""The items of a JSON list, found in chunks of any length."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from shiftlens.corpora.list_items import Item, ListReader

scalars = st.none() | st.booleans() | st.integers() | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


def items_of(raw: bytes, sizes: list[int], most: int = 1 << 20) -> tuple[list[Item], ListReader]:
    reader, found, at, turn = ListReader(most), list[Item](), 0, 0
    while at < len(raw):
        size = sizes[turn % len(sizes)]
        found += reader.feed(raw[at : at + size])
        at, turn = at + size, turn + 1
    return found, reader


@given(st.lists(values), st.sampled_from([None, 1]), st.booleans(), st.lists(st.integers(1, 9), min_size=1))
def test_the_items_are_those_that_the_standard_library_reads(
    value: list[object], indent: int | None, ascii_only: bool, sizes: list[int]
) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    found, reader = items_of(b" \n" + raw + b"\n", sizes)
    assert [json.loads((item.raw or b"").decode("utf-8", "surrogatepass")) for item in found] == value
    assert reader.is_over


def test_each_item_tells_the_line_where_it_begins() -> None:
    found, _ = items_of(b'[\n {"a":\n 1},\n\n 2, "x\\"],[", [\n3]\n]', [4])
    assert [(item.line, item.raw) for item in found] == [
        (2, b'{"a":\n 1}'),
        (5, b"2"),
        (5, b'"x\\"],["'),
        (5, b"[\n3]"),
    ]


def test_an_item_that_is_too_long_is_passed_over_and_the_next_is_read() -> None:
    found, _ = items_of(b'["' + b"x" * 100 + b'", 1]', [7], most=20)
    assert [item.raw for item in found] == [None, b"1"]


def test_a_list_that_is_cut_off_is_not_over() -> None:
    assert not items_of(b'[1, {"a": 2', [3])[1].is_over


@given(st.lists(st.integers(1, 9), min_size=1))
def test_what_follows_a_list_is_no_item_and_is_noticed(sizes: list[int]) -> None:
    found, reader = items_of(b"[1]\n [2]", sizes)
    assert ([item.raw for item in found], reader.has_rest) == ([b"1"], True)
    assert not items_of(b"[1] \n ", sizes)[1].has_rest
