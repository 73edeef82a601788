"""A turn of several parts: which rows are of which, and where they stand in the file, in whatever order it has them."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import asked, of_parts, scored
from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.highlights import highlights, position_at, positions_at
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.analysis.parts import has_part_of, kinds_of
from shiftlens.analysis.tokens import tokens
from shiftlens.options.pair import ClassifyOptions
from shiftlens.text.source_map import Segment, SourceMap
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Turn

ESCAPE = 6
NAMES = {PartKind.TEXT: "answer", PartKind.REASONING: "reasoning", PartKind.TOOL_CALL: "tool_call"}


def part(kind: PartKind, text: str, start: int) -> Part:
    return Part(kind, text, SourceMap.verbatim(start, len(text)))


def turn(*parts: Part) -> Response:
    return Response(0, (asked("Why?"),), Turn(Role.ASSISTANT, parts))


def analysed(
    response: Response,
    pieces: list[bytes],
    which: tuple[int, ...],
    *,
    with_end: bool = True,
    ranks: list[int] | None = None,
) -> ResponseAnalysis:
    found = of_parts(scored(pieces, with_end=with_end, base_ranks=ranks), which)
    return build(response, found, ClassifyOptions())


# The answer stands in the file before the reasoning that led to it, as where the keys of a record are sorted.
SORTED_KEYS = turn(part(PartKind.REASONING, "hm so", 40), part(PartKind.TEXT, "yes", 20))


def test_rows_are_of_the_part_that_holds_their_text() -> None:
    analysis = analysed(SORTED_KEYS, [b"hm", b" so", b"y", b"es"], (0, 1), ranks=[1, 9, 2, 9, 1])
    assert [(p.kind, p.first, p.end) for p in analysis.parts] == [("reasoning", 0, 2), ("answer", 2, 5)]
    assert [item.part for item in tokens(analysis)] == ["reasoning"] * 2 + ["answer"] * 3
    assert [(item.start, item.end) for item in tokens(analysis)] == [(40, 42), (42, 45), (20, 21), (21, 23), (23, 23)]
    assert analysis.has_end
    assert analysis.token_count == 4


def test_colours_are_in_the_order_of_the_file() -> None:
    analysis = analysed(SORTED_KEYS, [b"hm", b" so", b"y", b"es"], (0, 1))
    assert [(item.start, item.end) for item in highlights(analysis)] == [(20, 21), (21, 23), (40, 42), (42, 45)]
    assert [position_at(analysis, at) for at in (19, 20, 22, 23, 40, 44, 45)] == [None, 2, 3, None, 0, 1, None]
    assert positions_at(analysis, 23) == range(4, 5)


def test_a_token_of_two_parts_is_of_the_one_with_its_first_byte() -> None:
    analysis = analysed(SORTED_KEYS, [b"hm soy", b"es"], (0, 1))
    assert [(p.first, p.end) for p in analysis.parts] == [(0, 1), (1, 3)]
    assert [(item.start, item.end) for item in tokens(analysis)] == [(40, 45), (21, 23), (23, 23)]
    assert [(item.start, item.end) for item in highlights(analysis)] == [(20, 21), (21, 23), (40, 45)]
    assert position_at(analysis, 20) == 0


def test_summaries_count_each_kind_of_part_apart_and_all_of_them_together() -> None:
    analysis = analysed(SORTED_KEYS, [b"hm", b" so", b"y", b"es"], (0, 1), ranks=[1, 9, 2, 9, 1])
    whole, by_part = analysis.summary, dict(analysis.summary.by_part)
    assert (whole.tokens, whole.unshifted, whole.marginal, whole.shifted) == (5, 2, 1, 2)
    assert list(by_part) == ["answer", "reasoning"]
    assert (by_part["answer"].tokens, by_part["answer"].marginal, by_part["reasoning"].shifted) == (3, 1, 1)
    assert whole.is_of_parts
    plain = analysed(turn(part(PartKind.TEXT, "yes", 0)), [b"yes"], (0,))
    assert not plain.summary.is_of_parts
    together = combine([plain.summary, whole])
    assert {kind: part.tokens for kind, part in together.by_part} == {"answer": 5, "reasoning": 2}
    assert together.is_of_parts


def test_a_response_whose_last_part_is_not_scored_has_no_end() -> None:
    called = turn(part(PartKind.TEXT, "wait", 5), part(PartKind.TOOL_CALL, "{}", 30))
    analysis = analysed(called, [b"wa", b"it"], (0,), with_end=False)
    assert not analysis.has_end
    assert positions_at(analysis, 9) == range(0)
    assert not any(item.is_end for item in tokens(analysis))
    # A last token without text, such as one that the tokenizer's normaliser leaves nothing of, is no end there either.
    assert not analysed(called, [b"wait", b""], (0,), with_end=False).has_end
    assert analysed(called, [b"wait", b"{}"], (0, 1)).has_end


def test_an_empty_part_behind_the_last_scored_one_does_not_take_its_end() -> None:
    cut_off = turn(part(PartKind.REASONING, "hm", 5), part(PartKind.TEXT, "", 30))
    assert analysed(cut_off, [b"hm"], (0,)).has_end


def test_a_response_tells_the_kinds_of_its_parts() -> None:
    called = turn(part(PartKind.TEXT, "", 5), part(PartKind.TOOL_CALL, "{}", 30))
    assert kinds_of(called) == ("tool_call",)
    assert not has_part_of(called, ("answer", "reasoning"))
    assert has_part_of(called, ("tool_call",))


def test_what_the_files_reader_says_comes_before_what_scoring_says() -> None:
    response = dataclasses.replace(SORTED_KEYS, notes=("Read so.",))
    assert analysed(response, [b"hm soyes"], (0, 1)).notes == ("Read so.", "A note.")


@dataclass(frozen=True)
class Case:
    response: Response
    which: tuple[int, ...]
    pieces: list[bytes]
    with_end: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Turns of parts that stand in the file in any order, some of them scored, cut into tokens at any byte."""
    count = draw(st.integers(1, 4))
    texts = [draw(st.text(st.sampled_from("ab\né😀"), max_size=6)) for _ in range(count)]
    sources: dict[int, SourceMap] = {}
    at = draw(st.integers(0, 3))
    for place in draw(st.permutations(range(count))):
        segments = []
        start = at
        for index, character in enumerate(texts[place]):
            length = ESCAPE if character == "\n" else 1
            segments.append(Segment(index, 1, at, length))
            at += length
        sources[place] = SourceMap(start, tuple(segments))
        at += draw(st.integers(0, 2))
    kinds = draw(st.lists(st.sampled_from(list(NAMES)), min_size=count, max_size=count))
    parts = [Part(kind, text, sources[i]) for i, (kind, text) in enumerate(zip(kinds, texts, strict=True))]
    which = tuple(sorted(draw(st.sets(st.integers(0, count - 1), min_size=1))))
    raw = "".join(texts[i] for i in which).encode()
    ends = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    pieces = [raw[a:b] for a, b in itertools.pairwise([0, *ends, len(raw)])]
    last = max((i for i, text in enumerate(texts) if text), default=0)
    return Case(turn(*parts), which, pieces, with_end=max(which) >= last)


@given(cases())
def test_every_character_of_the_parts_leads_to_its_tokens_wherever_it_stands_in_the_file(case: Case) -> None:
    shifts = [(at * 7) % 3 * 3 + 1 for at in range(len(case.pieces) + 1)]
    analysis = analysed(case.response, case.pieces, case.which, with_end=case.with_end, ranks=shifts)
    assert analysis.has_end == case.with_end
    edges = [0, *itertools.accumulate(map(len, case.pieces))]
    painted = {at: item for item in highlights(analysis) for at in range(item.start, item.end)}
    assert sum(item.end - item.start for item in highlights(analysis)) == len(painted)
    assert all(a.end <= b.start for a, b in itertools.pairwise(highlights(analysis)))
    byte = 0
    places: set[int] = set()
    for index in case.which:
        each = case.response.turn.parts[index]
        for at, character in enumerate(each.text):
            size = len(character.encode())
            rows = [row for row in range(len(case.pieces)) if case.pieces[row]]
            holders = [row for row in rows if edges[row] < byte + size and edges[row + 1] > byte]
            worst = max(ShiftClass(analysis.classes[row]) for row in holders)
            for place in range(each.source.start_of(at), each.source.end_of(at)):
                assert position_at(analysis, place) == holders[0]
                assert [row for row in positions_at(analysis, place) if case.pieces[row]] == holders
                assert painted[place].shift >= worst
                places.add(place)
            byte += size
    assert set(painted) == places
    for place in {*range(max(places, default=0) + 4)} - places:
        assert position_at(analysis, place) is None


@given(cases())
def test_the_rows_of_the_parts_are_all_rows_and_each_begins_in_its_part(case: Case) -> None:
    analysis = analysed(case.response, case.pieces, case.which, with_end=case.with_end)
    assert [row for p in analysis.parts for row in range(p.first, p.end)] == list(range(analysis.scored.rows))
    sizes = [len(case.response.turn.parts[index].text.encode()) for index in case.which]
    part_edges = [0, *itertools.accumulate(sizes)]
    edges = [0, *itertools.accumulate(map(len, case.pieces))]
    for place, p in enumerate(analysis.parts):
        assert p.kind == NAMES[case.response.turn.parts[p.index].kind]
        for row in range(p.first, p.end):
            if row < len(case.pieces) and case.pieces[row]:
                assert part_edges[place] <= edges[row] < part_edges[place + 1]
    assert sum(summary.tokens for _, summary in analysis.summary.by_part) == analysis.scored.rows


@given(cases())
def test_the_span_of_a_token_is_its_text_in_the_file_up_to_where_the_text_goes_back(case: Case) -> None:
    analysis = analysed(case.response, case.pieces, case.which, with_end=case.with_end)
    begin = 0
    for item, end in zip(tokens(analysis), analysis.text_ends, strict=True):
        assert item.start <= item.end
        if end > begin:
            assert item.start == analysis.source.start_of(begin)
            runs = [analysis.source.span(at, at + 1) for at in range(begin, end)]
            ascending = list(itertools.takewhile(lambda pair: pair[0][1] <= pair[1][0], itertools.pairwise(runs)))
            assert item.end == (ascending[-1][1][1] if ascending else runs[0][1])
        else:
            assert item.start == item.end
        begin = end


@pytest.mark.parametrize("rows", range(1, 5))
def test_first_rows_alone_are_of_their_parts_too(rows: int) -> None:
    pieces = [b"hm", b" so", b"y", b"es"][:rows]
    analysis = analysed(SORTED_KEYS, pieces, (0, 1), with_end=False)
    assert [p.end - p.first for p in analysis.parts] == [min(rows, 2), max(0, rows - 2)]
    assert not analysis.has_end
