"""Lenses, hints, navigation, selections and highlights of scores made by hand."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from lsp.test_lsp_views import PAIR, scored
from shiftlens.analysis.runs import MOST_APART
from shiftlens.analysis.tokens import kl_of_positions
from shiftlens.lsp.documents.locate import place_at
from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.lsp.views.build import build_view
from shiftlens.lsp.views.hints import inlay_hints
from shiftlens.lsp.views.lenses import OWN_COMMANDS, code_lenses
from shiftlens.lsp.views.navigation import Stop, densest_run, first_shifted, next_run, next_token
from shiftlens.lsp.views.occurrences import occurrences
from shiftlens.lsp.views.run_diagnostics import MOST_RUNS, run_diagnostics
from shiftlens.lsp.views.selection import TurnSpans, selection_range
from shiftlens.lsp.views.token_table import token_table
from shiftlens.options.pair import ClassifyOptions, ScoreOptions
from shiftlens.scores.outcomes import Refusal, Result
from shiftlens.scores.records import ScoredResponse
from shiftlens.text.edits import Edit
from shiftlens.text.lines import LineIndex
from shiftlens.text.trail import Edits
from shiftlens.transcripts.model import Turn
from shiftlens.transcripts.read import read

RANKS = {"u": 1, "m": 2, "S": 9, "?": 0}
URI = "file:///talk.txt"


def scores(shifts: str, *, whole: bool = True) -> ScoredResponse:
    """Of a response of two-letter tokens "a ", one for each letter of `shifts`: u, m, S or ? (unknown)."""
    return scored(["a "] * (len(shifts) - 1) + ["a"], [*(RANKS[s] for s in shifts), 1], whole=whole)


def talk(*shifts: str) -> str:
    """A conversation with such a response in each turn of the assistant."""
    return "".join(f"User: q\nAssistant: {'a ' * len(each)}\n" for each in shifts)


def analysed(text: str, results: Sequence[Result | None]) -> DocumentAnalysis:
    transcript = read(text, filename="talk.txt")
    assert transcript is not None
    return build_view(
        None,
        results,
        version=1,
        text=text,
        transcript=transcript,
        pair=PAIR,
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
    )


def of(*shifts: str) -> DocumentAnalysis:
    return analysed(talk(*shifts), [Result(scores(each)) for each in shifts])


def unchanged(analysis: DocumentAnalysis) -> Edits:
    return Edits.between(analysis.text, analysis.text)


def opened(analysis: DocumentAnalysis) -> OpenDocument:
    return OpenDocument(URI, 1, analysis.text)


def titles(analysis: DocumentAnalysis, own: Sequence[str] = ()) -> list[tuple[int, str, str]]:
    """(line, title, command) of each lens."""
    lenses = code_lenses(URI, analysis, unchanged(analysis), LineIndex(analysis.text), "utf-16", own)
    assert all(lens.command is not None for lens in lenses)
    return [(lens.range.start.line, lens.command.title, lens.command.command) for lens in lenses if lens.command]


def test_a_lens_counts_the_tokens_and_their_shares() -> None:
    # The end of the response is a position as well, so that four tokens are five.
    assert titles(of("umuu", "SmSS")) == [
        (1, "5 tokens: 0.0% shifted, 20.0% marginal, 80.0% unshifted", "shiftlens.goToFirstShifted"),
        (3, "5 tokens: 60.0% shifted, 20.0% marginal, 20.0% unshifted", "shiftlens.goToFirstShifted"),
        (3, "densest run: 4 tokens, 3 shifted", "shiftlens.goToDensestRun"),
    ]


def test_a_lone_shifted_token_is_no_densest_run_to_tell_of() -> None:
    assert [title for _, title, _ in titles(of("uSuu"))] == ["5 tokens: 20.0% shifted, 0.0% marginal, 80.0% unshifted"]


def test_a_lens_tells_of_tokens_whose_class_is_unknown() -> None:
    ((_, title, _),) = titles(of("u?uS"))
    assert title == "4 tokens: 25.0% shifted, 0.0% marginal, 75.0% unshifted; 1 of unknown class"


def test_a_client_with_commands_of_its_own_is_offered_these() -> None:
    assert [(title, command) for _, title, command in titles(of("SSu"), OWN_COMMANDS)] == [
        ("4 tokens: 50.0% shifted, 0.0% marginal, 50.0% unshifted", "shiftlens.showDistributions"),
        ("first shifted", "shiftlens.goToFirstShifted"),
        ("densest run: 2 tokens, 2 shifted", "shiftlens.goToDensestRun"),
        ("did they matter?", "shiftlens.crossSample"),
        ("report", "shiftlens.openReport"),
    ]


def test_a_lens_of_first_scores_says_that_there_will_be_more() -> None:
    partial = analysed(talk("SSuu"), [Result(scores("SS", whole=False), partial=True)])
    assert [title for _, title, _ in titles(partial, OWN_COMMANDS)] == [
        "2 tokens so far: 100.0% shifted, 0.0% marginal, 0.0% unshifted",
        "first shifted",
        "densest run: 2 tokens, 2 shifted",
    ]


def test_a_response_without_scores_has_a_lens_to_score_it() -> None:
    text = talk("uu", "uu", "uu")
    refused, by_choice = Result(Refusal("Too long.", "Cut it.")), Result(Refusal("No part.", "", by_choice=True))
    found = titles(analysed(text, [None, refused, by_choice]))
    assert found == [
        (1, "no scores yet: score this response", "shiftlens.scoreResponses"),
        (3, "not scored, try again: Too long.", "shiftlens.scoreResponses"),
    ]


def test_a_lens_stays_with_its_response_when_lines_come_above_it() -> None:
    analysis = of("uS")
    document = opened(analysis)
    document.update(2, [types.TextDocumentContentChangeWholeDocument("\n\n" + analysis.text)], "utf-16")
    (lens,) = code_lenses(URI, analysis, document.edits_since(analysis), document.lines, "utf-16", ())
    assert (lens.range.start.line, lens.range.start.character) == (3, len("Assistant: "))


def test_hints_stand_behind_the_shifted_tokens_that_were_asked_for() -> None:
    analysis = of("uSuS", "S")
    lines = LineIndex(analysis.text)
    first = analysis.text.index("a a")

    def hinted(start: int, end: int) -> list[tuple[int, int]]:
        found = inlay_hints(analysis, unchanged(analysis), lines, start, end, "utf-16")
        return [(hint.position.line, hint.position.character) for hint in found]

    begun = len("Assistant: ")
    assert hinted(0, len(analysis.text)) == [(1, begun + 4), (1, begun + 7), (3, begun + 1)]
    assert hinted(first, first + 4) == [(1, begun + 4)]
    assert hinted(first + 5, first + 6) == []


def test_a_hint_says_what_the_base_model_would_have_said() -> None:
    analysis = of("uS")
    (hint,) = inlay_hints(analysis, unchanged(analysis), LineIndex(analysis.text), 0, len(analysis.text), "utf-16")
    # In these scores the most likely token of each model is that of the row, with probability 1.
    assert hint.label == "base: a 100.00%"
    assert isinstance(hint.tooltip, str)
    assert "base rank 9 (100.00%), aligned rank 1 (100.00%)" in hint.tooltip


def test_a_hint_is_short_and_of_visible_characters() -> None:
    pieces = ["\u202e" + "w" * 30, " b"]
    text = f"User: q\nAssistant: {''.join(pieces)}\n"
    analysis = analysed(text, [Result(scored(pieces, [9, 1, 1]))])
    (hint,) = inlay_hints(analysis, unchanged(analysis), LineIndex(text), 0, len(text), "utf-16")
    assert hint.label == "base: U+202Ewwwwwwwwwwwww… 100.00%"


def test_the_hint_of_a_token_that_ends_a_line_stands_on_that_line() -> None:
    text = "User: q\nAssistant: one\ntwo\n\nsix\n"
    analysis = analysed(text, [Result(scored(["one\n", "two", "\n\n", "six"], [9, 1, 9, 1, 1]))])
    found = inlay_hints(analysis, unchanged(analysis), LineIndex(text), 0, len(text), "utf-16")
    assert [(hint.position.line, hint.position.character) for hint in found] == [(1, 14), (2, 3)]


def test_a_token_whose_base_candidates_are_not_known_has_no_hint() -> None:
    numbers = scores("uS")
    none = replace(numbers.base, top_ids=array("i", [0, -1, 2]).tobytes())
    analysis = analysed(talk("uS"), [Result(replace(numbers, base=none))])
    assert inlay_hints(analysis, unchanged(analysis), LineIndex(analysis.text), 0, len(analysis.text), "utf-16") == []


def test_the_next_shifted_token_goes_round_the_end_of_the_file() -> None:
    analysis = of("SuuuS", "uS")
    starts = [found.start for found in analysis.paints if found.type_index == 0]
    nothing = unchanged(analysis)

    def walk(offset: int, *, back: bool) -> list[tuple[int, bool]]:
        found = []
        for _ in starts:
            stop = next_token(analysis, nothing, offset, back=back)
            assert stop is not None
            offset = stop.start
            found.append((offset, stop.wrapped))
        return found

    assert walk(0, back=False) == [(at, False) for at in starts]
    assert walk(starts[-1], back=False) == [(starts[0], True), (starts[1], False), (starts[2], False)]
    assert walk(starts[0], back=True) == [(starts[2], True), (starts[1], False), (starts[0], False)]


def test_the_only_shifted_token_is_next_to_itself() -> None:
    analysis = of("uSu")
    (at,) = [found.start for found in analysis.paints if found.type_index == 0]
    assert next_token(analysis, unchanged(analysis), at, back=False) == Stop(at, at + 2, wrapped=True)
    assert next_token(analysis, unchanged(analysis), at + 1, back=True) == Stop(at, at + 2)


def test_without_shifted_tokens_there_is_nowhere_to_go() -> None:
    analysis = of("um")
    for back in (False, True):
        assert next_token(analysis, unchanged(analysis), 0, back=back) is None
        assert next_run(analysis, unchanged(analysis), 0, back=back) is None
    assert first_shifted(analysis, unchanged(analysis), 0) is None
    assert densest_run(analysis, unchanged(analysis), 0) is None
    assert first_shifted(analysis, unchanged(analysis), 7) is None


def test_the_next_run_says_how_many_of_its_tokens_are_shifted() -> None:
    analysis = of("SuSuuuS", "SS")
    first, second = (analysis.text.index("a a", at) for at in (0, analysis.text.index("User", 1)))
    runs = [Stop(first, first + 6, 3, 2), Stop(first + 12, first + 13, 1, 1), Stop(second, second + 3, 2, 2)]
    nothing = unchanged(analysis)
    assert [next_run(analysis, nothing, at, back=False) for at in (0, first, first + 12)] == runs
    assert next_run(analysis, nothing, first + 1, back=True) == runs[0]
    wrapped = next_run(analysis, nothing, second, back=False)
    assert wrapped is not None
    assert (wrapped.start, wrapped.wrapped) == (first, True)
    assert densest_run(analysis, nothing, 0) == runs[0]
    assert first_shifted(analysis, nothing, 1) == Stop(second, second + 2)


@given(st.lists(st.text(st.sampled_from("umS"), min_size=1, max_size=12), min_size=1, max_size=3), st.data())
def test_next_and_previous_agree_with_a_plain_search_in_an_edited_text(shifts: list[str], data: st.DataObject) -> None:
    analysis = of(*shifts)
    text = analysis.text
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 6)))
    new = text[:start] + data.draw(st.text("xy\n", max_size=4)) + text[end:]
    edits = Edits(len(text), len(text)).then(Edit(len(text), len(new), start, len(text) - end))
    offset = data.draw(st.integers(0, len(new)))
    left = [
        span
        for paint in analysis.paints
        if paint.type_index == 0 and (span := edits.span_to_new(paint.start, paint.end)) is not None
    ]
    behind, before = [span for span in left if span[0] > offset], [span for span in left if span[0] < offset]
    onward = next_token(analysis, edits, offset, back=False)
    backward = next_token(analysis, edits, offset, back=True)
    assert onward == (Stop(*behind[0]) if behind else Stop(*left[0], wrapped=True) if left else None)
    assert backward == (Stop(*before[-1]) if before else Stop(*left[-1], wrapped=True) if left else None)


def test_a_selection_grows_from_the_token_to_its_run_its_turn_and_the_conversation() -> None:
    analysis = of("uSuS", "uu")
    document = opened(analysis)
    at = analysis.text.index("a a") + 4
    position = types.Position(1, len("Assistant: ") + 4)
    place = place_at(document, analysis, position, "utf-16")
    found: types.SelectionRange | None = selection_range(
        TurnSpans.of(analysis.transcript), place, document.lines, at, "utf-16"
    )
    selected = []
    while found is not None:
        start, end = (document.lines.offset(p.line, p.character) for p in (found.range.start, found.range.end))
        selected.append(analysis.text[start:end])
        found = found.parent
    assert selected == ["a ", "a a a", "a a a a", analysis.text[len("User: ") :].rstrip()]


def test_a_selection_without_scores_is_of_turns() -> None:
    analysis = of("uS")
    found = selection_range(TurnSpans.of(analysis.transcript), None, LineIndex(analysis.text), len("User: "), "utf-16")
    assert (found.range.start.character, found.range.end.character) == (6, 7)
    empty = selection_range(TurnSpans(), None, LineIndex(analysis.text), 3, "utf-16")
    assert (empty.range.start, empty.range.end, empty.parent) == (types.Position(0, 3), types.Position(0, 3), None)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=12), st.integers(0, 35), st.integers(0, 4))
def test_the_turns_around_a_place_are_found_as_by_a_walk_through_all(
    starts: list[tuple[int, int]], first: int, length: int
) -> None:
    spans = sorted((start, start + of) for start, of in starts)
    reach = tuple(max(end for _, end in spans[: at + 1]) for at in range(len(spans)))
    turns = TurnSpans(((tuple(spans), reach),))
    past = first + length
    found = sorted(turns.around(first, past))
    assert found == [span for span in spans if span[0] <= first and past <= span[1]]


def test_a_token_whose_class_is_not_known_has_its_numbers_in_the_table() -> None:
    analysis = of("u?S")
    table = token_table(analysis, unchanged(analysis), LineIndex(analysis.text), "utf-16")
    assert table["classes"] == [2, None, 0]
    assert table["ranges"] == [1, 11, 13, 1, 13, 15, 1, 15, 16]
    numbers = analysis.results[0].analysis
    assert numbers is not None
    assert table["kl"] == [float(f"{kl:.4g}") for kl in kl_of_positions(numbers.scored)[:3]]
    assert None not in (table["baseProb"])  # type: ignore[operator]


def test_many_cursors_read_the_turns_of_a_file_once() -> None:
    reads = 0

    class Counted(tuple[Turn, ...]):
        def __iter__(self) -> Iterator[Turn]:
            nonlocal reads
            reads += 1
            return super().__iter__()

    analysis = of("uSuS", "uu")
    transcript = replace(analysis.transcript, conversations=tuple(map(Counted, analysis.transcript.conversations)))
    turns = TurnSpans.of(transcript)
    once = reads
    for at in range(len(analysis.text)):
        selection_range(turns, None, LineIndex(analysis.text), at, "utf-16")
    assert once > 0
    assert reads == once


def test_the_same_token_is_highlighted_wherever_it_stands_by_class() -> None:
    pieces, ranks = ["b", " b", " c", " b"], [1, 9, 1, 2, 1]
    numbers = scored(pieces, ranks)
    ids = array("i", [7, 8, 9, 8, 5]).tobytes()
    pieces_of = {7: b"b", 8: b" b", 9: b" c", 5: b""}
    base, aligned = (replace(side, ids=ids, pieces=pieces_of) for side in (numbers.base, numbers.aligned))
    named = replace(numbers, base=base, aligned=aligned)
    text = "User: q\nAssistant: b b c b\nUser: r\nAssistant: b b c b\n"
    analysis = analysed(
        text, [Result(named), Result(replace(named, base=replace(named.base, rank=named.aligned.rank)))]
    )
    place = place_at(OpenDocument(URI, 1, text), analysis, types.Position(1, len("Assistant: b")), "utf-16")
    assert place is not None
    found = occurrences(place, LineIndex(text), "utf-16")
    kind = types.DocumentHighlightKind
    begun = len("Assistant: ")
    assert [(one.range.start.line, one.range.start.character - begun, one.kind) for one in found] == [
        (1, 1, kind.Write),
        (1, 5, kind.Read),
        (3, 1, kind.Text),
        (3, 5, kind.Text),
    ]


def test_each_run_is_one_piece_of_information() -> None:
    analysis = of("uSSu", "S")
    found = run_diagnostics(analysis, unchanged(analysis), LineIndex(analysis.text), "utf-16")
    assert {one.severity for one in found} == {types.DiagnosticSeverity.Information}
    assert [(one.range.start.line, one.message) for one in found] == [
        (1, "2 tokens, 2 shifted: a a. The base model's most likely token where it begins: a␣ 100.00%."),
        (3, "1 token, 1 shifted: a. The base model's most likely token where it begins: a 100.00%."),
    ]


def test_of_very_many_runs_the_rest_is_counted() -> None:
    shifts = ("S" + "u" * MOST_APART) * (MOST_RUNS + 2) + "u"
    analysis = of(shifts)
    found = run_diagnostics(analysis, unchanged(analysis), LineIndex(analysis.text), "utf-16")
    assert len(found) == MOST_RUNS + 1
    assert found[-1].message == "And 2 more runs of shifted tokens, from here on."
    assert found[-1].range.start.character > found[-2].range.start.character
