"""What 41 real chat templates write, rendered by Transformers, is read back by the marks that are found in them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.utils import chat_template_utils

from oracles.oracle_parts import templates
from shiftlens.chat_templates.derive import derive
from shiftlens.chat_templates.files import TemplateFiles
from shiftlens.transcripts.conversation import Reading
from shiftlens.transcripts.template_marks import ModelTemplate
from shiftlens.transcripts.text.model_template import read_by_template

TEMPLATES = {**templates(training=False), **templates(training=True)}
TOKENS = (("bos_token", "<s>"), ("eos_token", "</s>"))
FOLDS = {"gemma3", "gemma3_training"}
"""Templates that put a system prompt before the first question, with nothing between that tells them apart."""
TAKE_NONE = {"gemma", "gemma_training"}
"""Templates that refuse a system prompt."""
MARKS = {name: ModelTemplate(name, derive(TemplateFiles(text, TOKENS))) for name, text in TEMPLATES.items()}
WANT_LISTS = ("idefics3", "llava_next", "smolvlm")

words = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="<>[]{}|｜"), min_size=1)
said = st.lists(words, min_size=1, max_size=3).map(lambda lines: "\n".join(lines).strip()).filter(bool)
talks = st.lists(st.tuples(said, said), min_size=1, max_size=3)


class _AnotherDay(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _AnotherDay:
        return cls(2031, 3, 9, tzinfo=tz)


@pytest.fixture(autouse=True, scope="module")
def another_day() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat_template_utils, "datetime", _AnotherDay)
        yield


def rendered(name: str, turns: list[tuple[str, str]]) -> str:
    lists = name.startswith(WANT_LISTS)
    chat = [{"role": role, "content": [{"type": "text", "text": text}] if lists else text} for role, text in turns]
    render: Any = chat_template_utils.render_jinja_template
    return str(render([chat], chat_template=TEMPLATES[name], **dict(TOKENS))[0][0])


def turns_of(reading: Reading) -> list[tuple[str, str]]:
    return [
        (said.turn.role.value, said.turn.text.strip())
        for conversation in reading.conversations
        for said in conversation.said
    ]


@pytest.mark.parametrize("name", TEMPLATES)
@given(talk=talks, system=st.one_of(st.none(), said))
def test_what_a_real_template_writes_is_read_back(name: str, talk: list[tuple[str, str]], system: str | None) -> None:
    turns = [turn for question, answer in talk for turn in (("user", question), ("assistant", answer))]
    if system is not None and name not in TAKE_NONE:
        turns.insert(0, ("system", system))
    text = rendered(name, turns)
    reading = read_by_template(MARKS[name], text, 0, False)
    assert reading is not None
    assert reading.problems == ()
    found = turns_of(reading)
    if turns[0][0] == "system" and name in FOLDS:
        assert found[0] == ("user", f"{system}\n\n{turns[1][1]}")
        found, turns = found[1:], turns[2:]
    elif turns[0][0] != "system" and found[0][0] == "system":
        found = found[1:]  # The template's own system prompt.
    assert found == turns
    for conversation in reading.conversations:
        for each in conversation.said:
            for part in each.turn.parts:
                source = part.source
                assert all(
                    text[source.start_of(at) : source.end_of(at)] == character for at, character in enumerate(part.text)
                )
