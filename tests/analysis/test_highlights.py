"""What gets painted, and what stands at an offset."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import response, scored
from shiftlens.analysis.classify import build
from shiftlens.analysis.highlights import Highlight, highlights, position_at, positions_at
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.options.pair import ClassifyOptions
from shiftlens.text.source_map import Segment, SourceMap

U, M, S, _ = ShiftClass
RANK = {U: 1, M: 2, S: 9}


def analysed(
    text: str, pieces: list[bytes], shifts: list[ShiftClass], source: SourceMap | None = None, **flags: Any
) -> ResponseAnalysis:
    ranks = [*(RANK[s] for s in shifts), 1]
    return build(response(text, source), scored(pieces, base_ranks=ranks, **flags), ClassifyOptions())


def painted(analysis: ResponseAnalysis) -> list[tuple[int, int, ShiftClass]]:
    return [(h.start, h.end, h.shift) for h in highlights(analysis)]


def test_every_token_with_text_is_painted_once_with_its_flags() -> None:
    analysis = analysed("ab", [b"a", b"", b"b"], [U, S, M], special=[0], boundary=[2])
    assert highlights(analysis) == (
        Highlight(100, 101, U, special=True),
        Highlight(101, 102, M, boundary=True),
    )


def test_a_split_character_has_the_worst_class_of_its_parts() -> None:
    analysis = analysed("a😀b", [b"a", b"\xf0\x9f", b"\x98", b"\x80", b"b"], [U, U, S, U, M], special=[3])
    assert painted(analysis) == [(100, 101, U), (101, 102, S), (102, 103, M)]
    assert highlights(analysis)[1].special


def test_whole_characters_beside_a_split_one_keep_their_own_class() -> None:
    analysis = analysed("xy😀zw", [b"xy\xf0", b"\x9f\x98", b"\x80zw"], [U, M, S])
    assert painted(analysis) == [(100, 102, U), (102, 103, S), (103, 105, S)]
    assert positions_at(analysis, 101) == range(1)
    assert positions_at(analysis, 102) == range(3)
    assert positions_at(analysis, 103) == range(2, 3)
    assert position_at(analysis, 102) == 0


def test_two_split_characters_in_a_row_are_two_highlights() -> None:
    analysis = analysed("éé", [b"\xc3", b"\xa9\xc3", b"\xa9"], [U, S, M])
    assert painted(analysis) == [(100, 101, S), (101, 102, S)]
    assert (positions_at(analysis, 100), positions_at(analysis, 101)) == (range(2), range(1, 3))


def test_what_the_file_holds_inside_a_response_but_not_of_it_is_not_painted() -> None:
    source = SourceMap(10, (Segment(0, 2, 10, 2), Segment(2, 2, 15, 2)))
    analysis = analysed("abcd", [b"a", b"bc", b"d"], [U, S, M], source)
    assert painted(analysis) == [(10, 11, U), (11, 12, S), (15, 16, S), (16, 17, M)]
    assert position_at(analysis, 9) is None


def test_an_escape_is_painted_whole() -> None:
    source = SourceMap(10, (Segment(0, 1, 10, 6), Segment(1, 1, 16, 1)))
    analysis = analysed("éa", ["é".encode(), b"a"], [S, U], source)
    assert painted(analysis) == [(10, 16, S), (16, 17, U)]
    assert [positions_at(analysis, at) for at in (10, 15, 16)] == [range(1), range(1), range(1, 2)]


def test_behind_the_last_character_stands_the_end() -> None:
    analysis = analysed("ab", [b"ab"], [S])
    assert positions_at(analysis, 102) == range(1, 2)
    assert position_at(analysis, 102) is None
    assert positions_at(analysis, 103) == range(0)
    assert positions_at(analysis, 99) == range(0)


def test_an_empty_response_has_its_end_where_it_would_stand() -> None:
    assert positions_at(analysed("", [], []), 100) == range(1)


@given(st.text(st.sampled_from("ab\né😀"), max_size=20), st.data())
def test_highlights_cover_the_response_in_order_and_agree_with_the_rows(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    ends = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    edges = [0, *ends, len(raw)]
    pieces = [raw[a:b] for a, b in itertools.pairwise(edges)]
    shifts = [data.draw(st.sampled_from([U, M, S])) for _ in pieces]
    analysis = analysed(text, pieces, shifts)
    found = highlights(analysis)
    assert "".join(text[h.start - 100 : h.end - 100] for h in found) == text
    assert all(a.end == b.start for a, b in itertools.pairwise(found))
    for h in found:
        for at in range(h.start, h.end):
            holders = [row for row in positions_at(analysis, at) if pieces[row]]
            assert max(ShiftClass(analysis.classes[row]) for row in positions_at(analysis, at)) == h.shift
            size = sum(map(len, (text[: at - 100].encode(),)))
            character = range(size, size + len(text[at - 100].encode()))
            real = [r for r in range(len(pieces)) if {*range(edges[r], edges[r + 1])} & {*character}]
            assert holders == real
