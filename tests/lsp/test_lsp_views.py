"""What a document shows while some of its responses are still to be scored."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace

from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.lsp.views.build import build_view
from shiftlens.lsp.views.semantic_tokens import TOKEN_TYPES
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.outcomes import Refusal, Result
from shiftlens.scores.records import Comparison, ScoredResponse, ScoringModel, SideScores
from shiftlens.transcripts.read import read

PAIR = PairSpec(base="b", aligned="a")
TEXT = "User: q\nAssistant: one two six\n"


def scored(pieces: list[str], ranks: list[int], *, whole: bool = True) -> ScoredResponse:
    """Scores of a response of these pieces; with `whole`, its end is the last row."""
    rows = [*pieces, ""] if whole else pieces
    ends, total = [], 0
    for piece in rows:
        total += len(piece.encode())
        ends.append(total)
    n = len(rows)
    floats = array("f", [0.0] * n).tobytes()
    ints = array("i", range(n)).tobytes()
    side = SideScores(
        model=ScoringModel(),
        prefix_text="",
        prefix_ids=(),
        end_id=n - 1,
        k=1,
        ids=ints,
        byte_ends=array("I", ends).tobytes(),
        special=bytes(n),
        logprob=floats,
        rank=array("i", ranks[:n]).tobytes(),
        entropy=floats,
        top_ids=ints,
        top_logprobs=floats,
        pieces={i: piece.encode() for i, piece in enumerate(rows)},
        decoded={},
    )
    return ScoredResponse(
        base=side,
        aligned=replace(side, rank=array("i", [1] * n).tobytes()),
        comparison=Comparison(base_rank_of_aligned_top=side.rank, kl=floats, boundary=bytes(n)),
    )


def view(
    text: str, result: Result | None, before: DocumentAnalysis | None = None, pair: PairSpec = PAIR
) -> DocumentAnalysis:
    transcript = read(text, filename="talk.txt")
    assert transcript is not None
    return build_view(
        before,
        (result,),
        version=1,
        text=text,
        transcript=transcript,
        pair=pair,
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
    )


def shown(analysis: DocumentAnalysis) -> list[tuple[str, str]]:
    return [(analysis.text[p.start : p.end], TOKEN_TYPES[p.type_index]) for p in analysis.paints]


PIECES = ["one", " two", " six"]
WHOLE = Result(scored(PIECES, [1, 2, 9, 1]))
COLOURS = [("one", "unshifted"), (" two", "marginal"), (" six", "shifted")]


def test_scores_are_shown_where_they_belong() -> None:
    assert shown(view(TEXT, WHOLE)) == COLOURS
    assert view(TEXT, WHOLE).is_complete


def test_nothing_known_shows_nothing() -> None:
    nothing = view(TEXT, None)
    assert nothing.paints == ()
    assert not nothing.is_complete


def test_an_edited_response_keeps_the_colours_around_the_edit() -> None:
    edited = view("User: Q?\nAssistant: one tWo six\n", None, view(TEXT, WHOLE))
    assert shown(edited) == [(" six", "shifted")]
    assert not edited.is_complete
    typed = view(TEXT.replace("six", "sixty"), None, view(TEXT, WHOLE))
    assert shown(typed) == COLOURS


def test_the_first_rows_come_before_old_colours_of_the_rest() -> None:
    first = Result(scored(["one"], [9], whole=False), partial=True)
    assert shown(view(TEXT, first, view(TEXT, WHOLE))) == [("one", "shifted"), *COLOURS[1:]]
    assert shown(view(TEXT, first)) == [("one", "shifted")]
    assert not view(TEXT, first).is_complete


def test_colours_of_another_pair_are_not_kept() -> None:
    assert view(TEXT, None, view(TEXT, WHOLE), pair=replace(PAIR, base="c")).paints == ()


def test_a_refused_response_has_no_colours_and_is_final() -> None:
    refused = view(TEXT, Result(Refusal("Too long.")), view(TEXT, WHOLE))
    assert refused.paints == ()
    assert refused.is_complete


def test_an_analysis_that_still_holds_is_not_made_again() -> None:
    before = view(TEXT, WHOLE)
    again = view(TEXT, WHOLE, before)
    assert again.results[0].analysis is before.results[0].analysis
    moved = view("\n" + TEXT, WHOLE, before)
    assert moved.results[0].analysis is not before.results[0].analysis
    assert shown(moved) == COLOURS


def test_a_response_that_is_as_it_was_is_not_built_anew() -> None:
    outcome = scored(["one", " two", " six"], [1, 2, 9, 1])
    first = view(TEXT, Result(outcome))
    again = view(TEXT, Result(outcome), first)
    assert again.results[0] is first.results[0]
    assert all(one is other for one, other in zip(again.paints, first.paints, strict=True))
    other = view(TEXT, Result(scored(["one", " two", " six"], [1, 1, 1, 1])), first)
    assert [paint.type_index for paint in other.paints] != [paint.type_index for paint in first.paints]


def test_a_response_whose_file_holds_other_logprobs_is_built_anew() -> None:
    """What it says of them is told; the models' scores are the same."""
    outcome = scored(["one", " two", " six"], [1, 2, 9, 1], whole=False)
    values: list[object] = [[], [{"token": "one two six", "logprob": -1.0}]]
    before: DocumentAnalysis | None = None
    found: list[DocumentAnalysis] = []
    for logprobs in values:
        text = json.dumps({"prompt": "q", "completion": "one two six", "logprobs": logprobs})
        before = view(text, Result(outcome), before)
        found.append(before)
    first, second = (each.results[0].analysis for each in found)
    assert first is not None
    assert second is not None
    assert not first.response.turn.saved
    assert second.response.turn.saved
    assert first.response == second.response


def test_of_a_conversation_the_responses_before_an_edit_stay_and_those_behind_it_are_built_anew() -> None:
    talk = "User: q\nAssistant: one two six\n\nUser: r\nAssistant: one two six\n\nUser: {}\nAssistant: one two six\n"
    result = Result(scored(["one", " two", " six"], [1, 2, 9, 1]))
    before: DocumentAnalysis | None = None
    views: list[DocumentAnalysis] = []
    for question in ("s", "t"):
        transcript = read(talk.format(question), filename="talk.txt")
        assert transcript is not None
        before = build_view(
            before,
            (result,) * 3,
            version=1,
            text=talk.format(question),
            transcript=transcript,
            pair=PAIR,
            score_options=ScoreOptions(),
            classify_options=ClassifyOptions(),
        )
        views.append(before)
    first, second = views
    assert [one is other for one, other in zip(first.results, second.results, strict=True)] == [True, True, False]
