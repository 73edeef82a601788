"""Responses of several parts in the editor: where the file has them in another order than the model wrote them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from lsprotocol import types

from analysis.hand_made import asked, of_parts, scored
from shiftlens.lsp.documents.diagnostics import MOST_PROBLEMS, diagnostics_of
from shiftlens.lsp.documents.locate import Place, place_at
from shiftlens.lsp.documents.open import OpenDocument, ParsedDocument, Reading
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.lsp.jobs.document_work import touched
from shiftlens.lsp.views.build import build_view
from shiftlens.lsp.views.hover import hover_cards
from shiftlens.lsp.views.report_html import report_html
from shiftlens.lsp.views.requests import analysis_answer, token_answer
from shiftlens.lsp.views.token_table import token_table
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.options.pair_choice import StagesChoice
from shiftlens.scores.outcomes import Refusal, Result
from shiftlens.scores.records import ScoredResponse
from shiftlens.text.source_map import SourceMap
from shiftlens.text.trail import Edits
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Transcript, Turn

#       0123456789012345678901234567890
TEXT = "answer yes; thought hm so; call f()."
URI = "file:///talk.jsonl"


def part(kind: PartKind, text: str) -> Part:
    return Part(kind, text, SourceMap.verbatim(TEXT.index(text), len(text)))


THOUGHT, SAID, CALLED = (
    part(PartKind.REASONING, "hm so"),
    part(PartKind.TEXT, "yes"),
    part(PartKind.TOOL_CALL, "f()"),
)


def response(*parts: Part, **more: Any) -> Response:
    return dataclasses.replace(Response(0, (asked("Why?"),), Turn(Role.ASSISTANT, parts)), **more)


def scores(
    pieces: list[bytes], which: tuple[int, ...], *, with_end: bool = True, ranks: list[int] | None = None
) -> ScoredResponse:
    return of_parts(scored(pieces, with_end=with_end, base_ranks=ranks), which)


def view(one: Response, result: Result | None, before: DocumentAnalysis | None = None) -> DocumentAnalysis:
    return build_view(
        before,
        (result,),
        version=1,
        text=TEXT,
        transcript=Transcript("openai", "", (one,), conversations=((),)),
        pair=PairSpec(base="b", aligned="a"),
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
    )


def at(shown: DocumentAnalysis, offset: int) -> Place | None:
    document = OpenDocument(URI, 1, TEXT)
    return place_at(document, shown, types.Position(0, offset), "utf-16")


def texts(place: Place | None) -> list[str]:
    assert place is not None
    return ["END" if item.is_end else item.text for item in place.tokens]


PIECES = [b"hm", b" so", b"y", b"es"]
WHOLE = scores(PIECES, (0, 1), ranks=[1, 9, 2, 9, 1])


def test_colours_come_in_the_order_of_the_file() -> None:
    shown = view(response(THOUGHT, SAID), Result(WHOLE))
    assert [TEXT[p.start : p.end] for p in shown.paints] == ["y", "es", "hm", " so"]


def test_every_character_leads_to_its_token_and_the_end_stands_behind_the_answer() -> None:
    shown = view(response(THOUGHT, SAID), Result(WHOLE))
    assert texts(at(shown, TEXT.index("yes"))) == ["y"]
    assert texts(at(shown, TEXT.index("hm") + 1)) == ["hm"]
    assert texts(at(shown, TEXT.index("yes") + 3)) == ["es", "END"]
    assert texts(at(shown, TEXT.index("hm so") + 5)) == [" so"]
    assert at(shown, TEXT.index("thought")) is None
    assert at(shown, 0) is None


def test_first_rows_leave_old_colours_where_there_are_no_scores_yet() -> None:
    one = response(THOUGHT, SAID)
    before = view(one, Result(WHOLE))
    first = Result(scores([b"hm"], (0, 1), with_end=False, ranks=[9]), partial=True)
    shown = view(one, first, before)
    assert [TEXT[p.start : p.end] for p in shown.paints] == ["y", "es", "hm", " so"]
    assert shown.paints[2].type_index != before.paints[2].type_index
    assert (*shown.paints[:2], shown.paints[3]) == (*before.paints[:2], before.paints[3])
    waiting = at(shown, TEXT.index("yes"))
    assert waiting is not None
    assert waiting.tokens == ()


def test_responses_that_lie_one_within_another_are_coloured_in_order_and_once() -> None:
    outer, inner = response(THOUGHT, SAID), response(part(PartKind.TEXT, "thought"), index=1)
    shown = build_view(
        None,
        (Result(WHOLE), Result(scores([b"thought"], (0,)))),
        version=1,
        text=TEXT,
        transcript=Transcript("openai", "", (outer, inner)),
        pair=PairSpec(base="b", aligned="a"),
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
    )
    assert [TEXT[p.start : p.end] for p in shown.paints] == ["y", "es", "thought", "hm", " so"]
    assert texts(at(shown, TEXT.index("thought"))) == ["thought"]


def test_a_hover_names_the_part_and_the_turn() -> None:
    one = response(THOUGHT, SAID, conversation=1, turn_index=2, label="chosen")
    shown = build_view(
        None,
        (Result(WHOLE),),
        version=1,
        text=TEXT,
        transcript=Transcript("openai", "", (one,), conversations=((), tuple(one.context))),
        pair=PairSpec(base="b", aligned="a"),
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
    )
    place = at(shown, TEXT.index("hm"))
    assert place is not None
    (card,) = hover_cards(place, "")
    assert "Part: reasoning" in card.facts
    assert "Response 1: conversation 2, turn 3, chosen" in card.facts
    answered = at(shown, TEXT.index("yes"))
    assert answered is not None
    assert not any("Part" in fact for fact in hover_cards(answered, "")[0].facts)
    found: Any = token_answer(OpenDocument(URI, 1, TEXT), place, "utf-16")
    assert found["turn"] == "conversation 2, turn 3, chosen"
    assert found["tokens"][0]["part"] == "reasoning"


def test_the_list_of_responses_tells_which_answer_each_is_and_how_much_of_the_file_was_not_read() -> None:
    transcript = Transcript(
        "openai", "", (response(THOUGHT, SAID, label="chosen"),), problems=((2, "One."), (3, "Another."))
    )
    shown = build_view(
        None,
        (Result(WHOLE),),
        version=1,
        text=TEXT,
        transcript=transcript,
        pair=PairSpec(base="b", aligned="a"),
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
    )
    document = OpenDocument(URI, 1, TEXT, parsed=ParsedDocument(1, TEXT, Reading("talk.jsonl", "", 1000), transcript))
    answer: Any = analysis_answer(document, shown, "utf-16")
    assert answer["problems"] == 2
    assert [each["label"] for each in answer["responses"]] == ["chosen"]
    assert analysis_answer(OpenDocument(URI, 1, TEXT), None, "utf-16")["problems"] == 0


def test_a_part_that_is_not_scored_says_so_and_the_response_has_no_end() -> None:
    shown = view(response(SAID, CALLED), Result(scores([b"y", b"es"], (0,), with_end=False)))
    place = at(shown, TEXT.index("f()") + 1)
    assert place is not None
    assert (place.tokens, place.left_out) == ((), "tool_call")
    (card,) = hover_cards(place, "")
    assert "This is a tool call, which is not scored here." in card.facts[0]
    assert "tool call" in str(token_answer(OpenDocument(URI, 1, TEXT), place, "utf-16")["refusal"])
    assert texts(at(shown, TEXT.index("yes") + 3)) == ["es"]
    answered = at(shown, TEXT.index("yes"))
    assert answered is not None
    assert token_answer(OpenDocument(URI, 1, TEXT), answered, "utf-16")["tokenCount"] == 2


def test_the_list_of_responses_has_shares_by_part() -> None:
    shown = view(response(THOUGHT, SAID), Result(WHOLE))
    document = OpenDocument(URI, 1, TEXT)
    answer: Any = analysis_answer(document, shown, "utf-16")
    found = answer["responses"][0]
    assert [(p["kind"], p["tokens"], p["shifted"]) for p in found["summary"]["byPart"]] == [
        ("answer", 3, 1),
        ("reasoning", 2, 1),
    ]
    plain = view(response(SAID), Result(scores([b"yes"], (0,))))
    answer = analysis_answer(document, plain, "utf-16")
    assert "byPart" not in answer["responses"][0]["summary"]


def test_the_list_of_responses_has_shares_by_kind_and_a_token_its_kind() -> None:
    shown = view(response(THOUGHT, SAID), Result(WHOLE))
    document = OpenDocument(URI, 1, TEXT)
    answer: Any = analysis_answer(document, shown, "utf-16")
    summary = answer["responses"][0]["summary"]
    assert {of["kind"]: of["tokens"] for of in summary["byKind"]} == {
        "opener": 2,
        "special or tool syntax": 1,
        "reasoning": 2,
    }
    place = at(shown, TEXT.index("yes"))
    assert place is not None
    answer = token_answer(document, place, "utf-16")
    (one,) = answer["tokens"]
    assert one["kind"] == "opener"
    assert "Kind: opener" in [fact["sentence"] for fact in one["facts"]]


def test_a_response_that_is_not_to_be_scored_is_no_refusal() -> None:
    shown = view(response(CALLED), Result(Refusal("This turn is a tool call alone.", by_choice=True)))
    answer: Any = analysis_answer(OpenDocument(URI, 1, TEXT), shown, "utf-16")
    found = answer["responses"][0]
    assert (found["state"], found["message"]) == ("notScored", "This turn is a tool call alone.")


def test_a_report_of_an_open_file_says_once_what_is_not_scored() -> None:
    one, two = response(THOUGHT, SAID), response(CALLED, index=1)
    shown = build_view(
        None,
        (Result(WHOLE), Result(Refusal("This turn is a tool call alone.", by_choice=True))),
        version=1,
        text=TEXT,
        transcript=Transcript("openai", "", (one, two)),
        pair=PairSpec(base="b", aligned="a"),
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
    )
    page = report_html(URI, shown, StagesChoice(), changed=False)
    assert page is not None
    assert "1 assistant turn is a tool call alone." in page
    assert "has no scores" not in page


def test_a_selection_touches_the_responses_whose_parts_it_touches() -> None:
    outer, inner = response(THOUGHT, SAID), response(part(PartKind.TEXT, "thought"), index=1)
    transcript = Transcript("openai", "", (outer, inner))
    here = TEXT.index("thought")
    assert touched(transcript, here + 1, here + 1) == {1}
    assert touched(transcript, TEXT.index("hm"), TEXT.index("hm") + 1) == {0}
    assert touched(transcript, TEXT.index("yes") + 4, TEXT.index("yes") + 4) == {0}
    assert touched(transcript, 0, len(TEXT)) == {0, 1}
    assert touched(transcript, 0, 0) == frozenset()


def test_the_table_of_tokens_has_every_token_at_its_place() -> None:
    shown = view(response(THOUGHT, SAID), Result(WHOLE))
    document = OpenDocument(URI, 1, TEXT)
    table: Any = token_table(shown, Edits.between(TEXT, TEXT), document.lines, "utf-16")
    ranges = table["ranges"]
    spans = list(zip(ranges[1::3], ranges[2::3], strict=True))
    assert [TEXT[a:b] for a, b in spans] == ["y", "es", "hm", " so"]


@pytest.mark.parametrize("count", [1, MOST_PROBLEMS, MOST_PROBLEMS + 1, 5_000])
def test_the_problems_of_a_file_are_capped_and_the_rest_counted(count: int) -> None:
    text = "broken\n" * count
    problems = tuple((line + 1, "Not JSON.") for line in range(count))
    transcript = Transcript("openai", "", (), problems=problems)
    parsed = ParsedDocument(1, text, Reading("a.jsonl", "", 10**6), transcript)
    found = diagnostics_of(parsed, (), "utf-16")
    warnings = [each for each in found if each.severity == types.DiagnosticSeverity.Warning]
    assert len(warnings) == min(count, MOST_PROBLEMS)
    rest = [each for each in found if each.severity == types.DiagnosticSeverity.Information]
    assert len(rest) == (count > MOST_PROBLEMS)
    if rest:
        assert rest[0].message.startswith(f"{count - MOST_PROBLEMS:,} more")
        assert rest[0].range.start.line == MOST_PROBLEMS
