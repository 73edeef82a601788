"""Text that an unusual chat template wrote is read back by the marks that were found in that template."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.utils.chat_template_utils import render_jinja_template

from shiftlens.chat_templates.derive import derive
from shiftlens.errors import TranscriptError
from shiftlens.transcripts import Transcript, read
from shiftlens.transcripts.template_marks import ModelTemplate
from transcripts.transcript_checks import assert_verbatim, texts
from unusual_templates import (
    DATED,
    FOLDED,
    GUILLEMETS,
    INSTRUCTIONS,
    MERGED,
    ROUNDS,
    TEMPLATES,
    THOUGHTFUL,
    files,
)

Turns = list[tuple[str, str]]
FRONT = "---\ntitle: é\nshiftlens:\n  base: some/model\n---\n"
SYSTEMS = {"guillemets", "folded", "dated", "thoughtful", "parts", "open-ended"}
"""The templates with marks for a system prompt."""

# Texts that spell a mark, or begin or end with the blanks that templates trim, read otherwise for good reasons.
plain = texts.map(lambda text: text.translate(dict.fromkeys(map(ord, "«»<>[]{}⟦⟧#问答%~"))).strip()).filter(bool)
pairs = st.lists(st.tuples(plain, plain), min_size=1, max_size=4)


@cache
def template(text: str) -> ModelTemplate:
    return ModelTemplate("some/model", derive(files(text)))


def rendered(text: str, turns: Sequence[tuple[str, str]], *, prompt: bool = False) -> str:
    """What Transformers makes of the turns."""
    as_parts = text == TEMPLATES["parts"]
    chat = [{"role": role, "content": [{"type": "text", "text": said}] if as_parts else said} for role, said in turns]
    found: Any = render_jinja_template(
        [chat], chat_template=text, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>"
    )
    return str(found[0][0])


def by(text: str, written: str, format: str | None = None) -> Transcript:  # noqa: A002 (as `read` has it)
    found = read(written, own_template=lambda _: template(text), format=format)
    assert found is not None
    return found


def turns_of(found: Transcript) -> Turns:
    return [(turn.role.value, turn.text) for turns in found.conversations for turn in turns]


def lf(turns: Sequence[tuple[str, str]]) -> Turns:
    return [(role, text.replace("\r\n", "\n")) for role, text in turns]


@pytest.mark.parametrize("name", TEMPLATES)
@given(talk=pairs, system=st.one_of(st.none(), plain), front=st.sampled_from(["", FRONT, "\ufeff"]))
def test_what_a_template_writes_is_read_back_exactly(name: str, talk: Turns, system: str | None, front: str) -> None:
    turns = [turn for question, answer in talk for turn in (("user", question), ("assistant", answer))]
    if system is not None and name in SYSTEMS:
        turns.insert(0, ("system", system))
    text = front + rendered(TEMPLATES[name], turns)
    found = by(TEMPLATES[name], text, format="model-template")
    said = turns_of(found)
    if name == "dated" and system is None:
        assert said.pop(0) == ("system", "Be helpful.")
    assert said == lf(turns)
    assert_verbatim(text, found)
    assert found.problems == ()
    for response in found.responses:
        start = response.turn.parts[0].source.start_of(0)
        assert response.verbatim_prefix == text[len(front) : start].replace("\r\n", "\n")


TALK = [("user", "Why?"), ("assistant", "So."), ("user", "Really?"), ("assistant", "Yes.")]


@pytest.mark.parametrize("name", TEMPLATES)
def test_such_a_text_is_detected_where_no_other_format_fits(name: str) -> None:
    found = by(TEMPLATES[name], rendered(TEMPLATES[name], TALK))
    if name == "instructions":
        # Its headings are Markdown's, which goes first: the preamble is all that is lost.
        assert found.format == "markdown"
        return
    assert found.format == "model-template"
    assert "as the chat template of some/model writes them" in found.detected_by


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_newlines_of_either_kind_are_the_templates(name: str, newline: str) -> None:
    text = rendered(TEMPLATES[name], TALK).replace("\n", newline)
    said = turns_of(by(TEMPLATES[name], text, format="model-template"))
    assert said[-4:] == TALK


@pytest.mark.parametrize("name", TEMPLATES)
def test_blanks_that_an_editor_trims_are_not_needed(name: str) -> None:
    text = "\n".join(line.rstrip() for line in rendered(TEMPLATES[name], TALK).rstrip().split("\n"))
    assert turns_of(by(TEMPLATES[name], text, format="model-template"))[-4:] == TALK


@pytest.mark.parametrize("name", ["folded", "dated"])
def test_the_beginning_of_text_may_be_missing(name: str) -> None:
    text = rendered(TEMPLATES[name], TALK).removeprefix("<s>")
    assert turns_of(by(TEMPLATES[name], text))[-4:] == TALK


def test_another_beginning_of_text_begins_another_conversation() -> None:
    once = rendered(FOLDED, TALK)
    found = by(FOLDED, f"{once}\n{once}")
    assert [len(turns) for turns in found.conversations] == [4, 4]
    assert [r.verbatim_prefix for r in found.responses[:2]] == [r.verbatim_prefix for r in found.responses[2:]]


@pytest.mark.parametrize("text", [ROUNDS, INSTRUCTIONS], ids=["rounds", "instructions"])
def test_what_begins_first_turns_alone_begins_another_conversation(text: str) -> None:
    once = rendered(text, TALK)
    found = by(text, once + once, format="model-template")
    assert [len(turns) for turns in found.conversations] == [4, 4]
    assert turns_of(found) == TALK * 2


def test_two_beginnings_of_text_are_told() -> None:
    found = by(FOLDED, "<s>" + rendered(FOLDED, TALK))
    assert "begins with 2 `<s>`" in found.responses[0].notes[0]


def test_the_answer_names_its_end_and_an_unfinished_one_has_none() -> None:
    text = rendered(GUILLEMETS, TALK)
    assert [response.end_marker for response in by(GUILLEMETS, text).responses] == ["«over»", "«over»"]
    cut = by(GUILLEMETS, text[: text.rindex("«over»")] + "\n")
    assert [response.end_marker for response in cut.responses] == ["«over»", None]
    assert cut.responses[-1].text == "Yes."


def test_a_generation_prompt_at_the_end_is_no_answer() -> None:
    for text in (GUILLEMETS, MERGED, THOUGHTFUL):
        found = by(text, rendered(text, TALK[:3], prompt=True))
        assert [response.text for response in found.responses] == ["So."]


def test_an_empty_thought_of_the_template_is_no_part_of_the_answer() -> None:
    (response,) = by(THOUGHTFUL, rendered(THOUGHTFUL, TALK[:2])).responses
    assert response.text == "So."
    assert response.verbatim_prefix == "<~user~>\nWhy?<~stop~>\n<~assistant~>\n<think>\n\n</think>\n\n"


def test_a_thought_of_the_answer_is_its_reasoning() -> None:
    text = "<~user~>\nWhy?<~stop~>\n<~assistant~>\n<think>\nHm.\n</think>\n\nSo.<~stop~>\n"
    (response,) = by(THOUGHTFUL, text).responses
    assert [part.kind.value for part in response.turn.parts] == ["reasoning", "text"]
    assert response.text == "So."


def test_text_behind_an_end_that_begins_no_turn_is_left_out_and_told() -> None:
    text = rendered(GUILLEMETS, TALK).replace("«over»\n«user»", "«over»\n«notes» Mind.\n«user»", 1)
    found = by(GUILLEMETS, text)
    assert turns_of(found) == TALK
    assert found.problems == ((3, "Text outside of the turns was left out."),)


def test_a_control_token_before_no_known_role_is_told() -> None:
    text = rendered(ROUNDS, TALK)
    assert by(ROUNDS, text).problems == ()
    talk = "{U}Why?{/U}{A}So.{/A}{X}Hm.{/X}{U}Really?{/U}{A}Yes.{/A}"
    found = by(MERGED, talk)
    assert turns_of(found) == TALK
    assert [line for line, _ in found.problems] == [1]


def test_a_system_prompt_without_marks_is_said_to_be_part_of_the_question() -> None:
    (response,) = by(MERGED, rendered(MERGED, [("system", "Be brief."), *TALK[:2]])).responses
    assert response.context[0].text == "Be brief.\n\nWhy?"
    assert "no marks by which a system prompt can be told" in response.notes[0]


def test_another_day_is_read_too() -> None:
    text = "<s>%% Today is 3 March 2031. %%\n<#system#>Hi<#end#><#user#>Why?<#end#><#assistant#>So.<#end#>"
    assert turns_of(by(DATED, text)) == [("system", "Hi"), ("user", "Why?"), ("assistant", "So.")]


@pytest.mark.parametrize(
    "text",
    ["", "Prose.\n", "« quoted » words", "«user» A question alone.\n", "Notes.\n«user» Why?\n«assistant» So.«over»\n"],
)
def test_what_does_not_begin_as_the_template_does_or_has_no_answer_is_no_transcript(text: str) -> None:
    assert read(text, own_template=lambda _: template(GUILLEMETS)) is None


def test_a_named_format_begins_at_the_first_mark_and_tells_what_was_before() -> None:
    found = by(GUILLEMETS, "Notes.\n«user» Why?\n«assistant» So.«over»\n", format="model-template")
    assert turns_of(found) == TALK[:2]
    assert found.problems == ((1, "Text outside of the turns was left out."),)


def test_the_front_matter_names_the_format_and_is_given_to_who_finds_the_template() -> None:
    asked: list[object] = []

    def own_template(front_matter: object) -> ModelTemplate:
        asked.append(front_matter)
        return template(GUILLEMETS)

    text = "---\nshiftlens:\n  format: model-template\n  aligned: x\n---\nNotes.\n«user» Why?\n«assistant» So.«over»\n"
    found = read(text, own_template=own_template)
    assert found is not None
    assert turns_of(found) == TALK[:2]
    assert asked == [{"format": "model-template", "aligned": "x"}]


def test_no_template_is_looked_for_where_another_format_fits() -> None:
    def own_template(_: object) -> ModelTemplate:
        raise AssertionError

    found = read("User: a\nAssistant: b", own_template=own_template)
    assert found is not None
    assert found.format == "labels"


def test_a_named_format_without_a_model_or_with_another_text_is_an_error_that_says_so() -> None:
    with pytest.raises(TranscriptError, match="aligned model, and none is named"):
        read("«user» Why?\n", format="model-template")
    with pytest.raises(TranscriptError, match="not as the chat template of some/model writes"):
        by(GUILLEMETS, "Prose.", format="model-template")
    with pytest.raises(TranscriptError, match="because of that"):
        read("x", format="model-template", own_template=lambda _: ModelTemplate("m", reason="Not because of that."))


SIZE = 300_000


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("unit", ["<s>", "«user» ", "«over»", " \n", "[Q]", "{U}", "{/A}", "\n\n", "<~stop~>\n", "⟦/⟧"])
def test_a_flood_is_read_in_time_that_grows_as_it_does(name: str, unit: str) -> None:
    start = rendered(TEMPLATES[name], TALK)
    flood = unit * (SIZE // len(unit))
    for text in (f"«{flood}", start + flood):
        with contextlib.suppress(TranscriptError):
            found = by(TEMPLATES[name], text, format="model-template")
            assert sum(len(turn) for _, turn in turns_of(found)) <= len(text)
