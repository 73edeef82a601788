"""What there is to know of a token is said in one place."""

from __future__ import annotations

import dataclasses

import pytest

from analysis.hand_made import response, scored
from analysis.told import CUT, NUMBERS, TOLD, cut_otherwise, flagged
from shiftlens.analysis.classify import build
from shiftlens.analysis.facts import KINDS, facts
from shiftlens.analysis.model import ResponseAnalysis, Token
from shiftlens.analysis.tokens import token, tokens
from shiftlens.options.pair import ClassifyOptions, ScoreOptions
from shiftlens.transcripts.model import Trained, Transcript


def sentences(
    analysis: ResponseAnalysis, row: int, options: ScoreOptions | None = None, *, label: str = ""
) -> list[str]:
    one = dataclasses.replace(analysis.response, label=label)
    found = dataclasses.replace(analysis, response=one)
    told = facts(token(found, row), found, Transcript("labels", "", (one,)), options or ScoreOptions())
    return [fact.sentence for fact in told]


@pytest.mark.parametrize("name", TOLD)
def test_a_fact_is_told_of_the_token_that_has_it(name: str) -> None:
    row, sentence = TOLD[name]
    assert sentence in sentences(flagged(), row)


@pytest.mark.parametrize("name", sorted(TOLD.keys() - {"entropy"}))
def test_a_fact_is_told_of_no_other_token(name: str) -> None:
    row, sentence = TOLD[name]
    assert not any(sentence in sentences(flagged(), other) for other in range(5) if other != row)


@pytest.mark.parametrize("name", CUT)
def test_a_token_that_the_base_model_cuts_otherwise_has_facts_without_numbers_that_are_none(name: str) -> None:
    row, beginning = CUT[name]
    told = sentences(cut_otherwise(), row)
    assert any(sentence.startswith(beginning) for sentence in told)
    assert not any("nan" in sentence for sentence in told)


def test_every_token_has_its_numbers_and_its_context() -> None:
    for row in range(5):
        told = sentences(flagged(), row)
        for beginning in NUMBERS:
            assert any(sentence.startswith(beginning) for sentence in told)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ScoreOptions(base_context="aligntds"), "aligntds (AlignTDS query and answer fence)"),
        (ScoreOptions(base_context="chat"), "chat (the aligned model's chat template)"),
        (ScoreOptions(base_context="raw"), "raw (the turns' text alone)"),
        (ScoreOptions(base_context="few-shot"), "few-shot (few-shot examples)"),
        (ScoreOptions(base_context="template:x"), "a template of the user's"),
    ],
)
def test_the_base_context_is_named(options: ScoreOptions, said: str) -> None:
    assert f"Base context: {said}" in sentences(flagged(), 0, options)


def test_a_label_of_the_file_is_shown_with_all_that_is_hidden_in_it() -> None:
    assert "Response 1: cho\\x1bsen U+202E" in sentences(flagged(), 0, label="cho\x1bsen \u202e")


def test_what_a_template_marks_for_training_is_told_and_nothing_where_it_marks_nothing() -> None:
    masked = build(response("ab"), scored([b"a", b"b"], loss_mask=[1, 0, 2]), ClassifyOptions())
    assert "Loss mask: counted: the chat template marks this token as the assistant's" in sentences(masked, 0)
    assert "Loss mask: left out: the chat template does not mark this token as the assistant's" in sentences(masked, 1)
    assert "Loss mask: unknown: the chat template does not write this token" in sentences(masked, 2)
    assert not any(sentence.startswith("Loss mask") for sentence in sentences(flagged(), 0))


def test_facts_come_in_the_order_of_their_kinds_and_each_has_a_name_and_a_text() -> None:
    analysis = flagged()
    for item in tokens(analysis):
        found = facts(item, analysis, Transcript("labels", "", (analysis.response,)), ScoreOptions())
        order = [KINDS.index(fact.kind) for fact in found]
        assert order == sorted(order)
        assert all(fact.label and fact.text and fact.sentence.endswith(fact.text) for fact in found)


def test_the_kind_of_a_token_is_told_in_words() -> None:
    assert [next(said for said in sentences(flagged(), row) if said.startswith("Kind")) for row in (0, 1)] == [
        "Kind: special or tool syntax",
        "Kind: content",
    ]


def test_the_loss_mask_of_the_file_is_told_where_it_has_one() -> None:
    analysis = flagged()
    turn = dataclasses.replace(analysis.response.turn, trained=Trained.NO)
    masked = dataclasses.replace(analysis, response=dataclasses.replace(analysis.response, turn=turn))
    said = "Training: the file says that this turn is not trained on"
    assert said in sentences(masked, 0)
    assert not any(sentence.startswith("Training") for sentence in sentences(analysis, 0))


def test_the_tokens_of_one_character_are_listed_with_each() -> None:
    analysis = build(response("\N{EURO SIGN}"), scored([b"\xe2", b"\x82", b"\xac"]), ClassifyOptions())
    character: list[Token] = list(tokens(analysis))[:3]
    transcript = Transcript("labels", "", (analysis.response,))
    for row in range(3):
        told = [f.sentence for f in facts(character[row], analysis, transcript, ScoreOptions(), character)]
        assert f"Part {row + 1} of 3 of one character: <0xE2>, <0x82>, <0xAC>" in told
    end = facts(token(analysis, 3), analysis, transcript, ScoreOptions(), character)
    assert "character" not in {fact.kind for fact in end}
