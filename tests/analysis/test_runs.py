"""What a run of shifted tokens is, and where it stands in the file."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import of_parts, response, scored
from shiftlens.analysis.classify import build
from shiftlens.analysis.highlights import highlights
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.analysis.runs import MOST_APART, Run, densest, runs
from shiftlens.options.pair import ClassifyOptions
from shiftlens.text.source_map import Segment, SourceMap
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Turn

RANK = {"u": 1, "m": 2, "S": 9}


def analysed(shifts: str, pieces: list[bytes] | None = None, source: SourceMap | None = None) -> ResponseAnalysis:
    """A response of a token for each letter (u, m or S), each one letter long unless `pieces` say otherwise."""
    parts = pieces if pieces is not None else [b"x"] * len(shifts)
    text = b"".join(parts).decode()
    ranks = [*(RANK[s] for s in shifts), 1]
    return build(response(text, source), scored(parts, base_ranks=ranks), ClassifyOptions())


def found(shifts: str) -> list[tuple[int, int, int]]:
    return [(run.first, run.end, run.shifted) for run in runs(analysed(shifts))]


def test_a_lone_shifted_token_is_a_run_by_itself() -> None:
    assert found("uuSuu") == [(2, 3, 1)]


def test_up_to_two_others_between_shifted_tokens_are_of_the_run() -> None:
    assert MOST_APART == 3
    assert found("SumS") == [(0, 4, 2)]
    assert found("SumuS") == [(0, 1, 1), (4, 5, 1)]
    assert found("uSSumSmuuSu") == [(1, 6, 3), (9, 10, 1)]


def test_without_shifted_tokens_there_is_no_run() -> None:
    assert found("umum") == []
    assert densest(()) is None


def test_a_run_names_its_tokens_and_its_place() -> None:
    whole = analysed("uSuS")
    (run,) = runs(whole)
    assert run == Run(1, 4, 2, 101, 104)
    assert run.words_in(whole) == "3 tokens, 2 shifted"
    assert Run(0, 1, 1, 0, 1).words_in(whole) == "1 token, 1 shifted"


def test_the_end_of_a_response_is_in_no_run() -> None:
    ranks = [1, 9, 9]
    analysis = build(response("xx"), scored([b"x", b"x"], base_ranks=ranks), ClassifyOptions())
    assert analysis.has_end
    assert analysis.classes[2] == ShiftClass.SHIFTED
    assert runs(analysis) == (Run(1, 2, 1, 101, 102),)


def test_a_run_that_begins_inside_a_character_begins_with_it() -> None:
    analysis = analysed("uuSu", [b"a", b"\xf0\x9f", b"\x98\x80b", b"c"])
    assert runs(analysis) == (Run(2, 3, 1, 101, 103),)


def test_a_run_that_ends_inside_a_character_ends_with_it() -> None:
    analysis = analysed("Suu", [b"a\xf0\x9f", b"\x98\x80", b"b"])
    assert runs(analysis) == (Run(0, 1, 1, 100, 102),)


def test_the_place_of_a_run_is_that_of_the_escapes_in_the_file() -> None:
    source = SourceMap(10, (Segment(0, 1, 10, 6), Segment(1, 1, 16, 1)))
    assert runs(analysed("SS", ["é".encode(), b"a"], source)) == (Run(0, 2, 2, 10, 17),)


def test_a_token_without_text_makes_no_run() -> None:
    assert runs(analysed("uSuuuuS", [b"a", b"", b"b", b"c", b"d", b"e", b"f"])) == (Run(6, 7, 1, 105, 106),)


def test_a_run_is_of_one_part() -> None:
    thought, answer = (
        Part(kind, "xx", SourceMap.verbatim(at, 2)) for kind, at in ((PartKind.REASONING, 50), (PartKind.TEXT, 10))
    )
    one = Response(0, (), Turn(Role.ASSISTANT, (thought, answer)))
    numbers = scored([b"x"] * 4, base_ranks=[1, 9, 9, 1, 1])
    both = build(one, of_parts(numbers, (0, 1)), ClassifyOptions())
    assert runs(both) == (Run(1, 2, 1, 51, 52), Run(2, 3, 1, 10, 11))


def test_the_densest_run_has_many_shifted_tokens_close_together() -> None:
    close, loose, lone = Run(0, 12, 9, 0, 12), Run(20, 39, 9, 20, 39), Run(50, 51, 1, 50, 51)
    assert densest((lone, loose, close)) == close
    assert densest((lone, Run(60, 61, 1, 60, 61))) == lone


@given(st.text(st.sampled_from("umS"), max_size=60))
def test_runs_follow_the_rule(shifts: str) -> None:
    every = found(shifts)
    positions = [at for at, shift in enumerate(shifts) if shift == "S"]
    assert sum(shifted for *_, shifted in every) == len(positions)
    for first, end, shifted in every:
        inside = [at for at in positions if first <= at < end]
        assert (inside[0], inside[-1], len(inside)) == (first, end - 1, shifted)
        assert all(after - before <= MOST_APART for before, after in itertools.pairwise(inside))
        assert 3 * shifted >= end - first
    for (_, end, _), (first, _, _) in itertools.pairwise(every):
        assert first - (end - 1) > MOST_APART


@given(st.text(st.sampled_from("ab\né😀"), max_size=20), st.data())
def test_every_shifted_colour_is_in_one_run_and_runs_do_not_overlap(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    ends = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    pieces = [raw[a:b] for a, b in itertools.pairwise([0, *ends, len(raw)])]
    shifts = data.draw(st.text(st.sampled_from("umS"), min_size=len(pieces), max_size=len(pieces)))
    analysis = analysed(shifts, pieces)
    every = runs(analysis)
    for colour in highlights(analysis):
        if colour.shift == ShiftClass.SHIFTED:
            assert any(run.source_start <= colour.start and colour.end <= run.source_end for run in every)
    for before, after in itertools.pairwise(every):
        assert before.source_start <= after.source_start
        assert before.end <= after.first
