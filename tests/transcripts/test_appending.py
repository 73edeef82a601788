"""An answer put behind a conversation reads back as the same turns with the answer behind them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.appending import unanswered, with_answer
from shiftlens.transcripts.read import read

OPEN = {
    "labels": "User: Why?\n\nAssistant:\n",
    "labels without a label": "User: a?\n\nAssistant: b\n\nUser: c?\n",
    "own labels": "**Human:** a?\n\n**Assistant:** b\n\n**Human:** c?\n",
    "headings": "## User\n\nWhy?\n\n## Assistant\n\nSo.\n\n## User\n\nAnd?\n",
    "chatml": "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n",
    "chatml in the middle": "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nSo.<|im_end|>\n"
    "<|im_start|>user\nAnd?<|im_end|>\n",
    "messages": '{"id": 1.50, "messages": [{"role": "user", "content": "Why \\"so\\"?"}],\n "more": [1, {}]}',
    "list": '[{"content": "Why?", "role": "user"}]\n',
    "lines": '{"messages": [{"role": "user", "content": "Why?"}]}\n'
    '{"messages": [{"role": "user", "content": "How?"}]}\n',
}


@pytest.mark.parametrize("name", OPEN)
def test_the_answer_is_the_last_turn_and_nothing_else_changes(name: str) -> None:
    text, answer = OPEN[name], 'It is "blue".\nAnd\\or éλ🙂.'
    before = read(text)
    assert before is not None
    at = unanswered(before)[0]
    after = read(with_answer(text, before, at, answer), format=before.format)
    assert after is not None
    assert [turn.text for turn in after.conversations[at]][-1] == answer
    assert at not in unanswered(after)


def test_the_rest_of_a_json_file_stays_as_it_is_written() -> None:
    text = OPEN["messages"]
    before = read(text)
    assert before is not None
    written = with_answer(text, before, 0, "So.")
    assert written == text.replace('?"}]', '?"}, {"role": "assistant", "content": "So."}]')
    assert json.loads(written)["id"] == 1.5


def test_a_file_that_ended_with_a_line_break_still_does() -> None:
    for name, text in OPEN.items():
        before = read(text)
        assert before is not None
        assert with_answer(text, before, unanswered(before)[0], "So.").endswith("\n") == text.endswith("\n"), name


def test_an_answer_that_would_read_as_more_turns_is_refused() -> None:
    text = "User: Why?\n\nAssistant:\n"
    before = read(text)
    assert before is not None
    with pytest.raises(TranscriptError, match="reads back"):
        with_answer(text, before, 0, "So.\n\nUser: And?\n\nAssistant: Yes.")


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.sampled_from(sorted(OPEN)))
def test_whatever_is_written_reads_back(answer: str, name: str) -> None:
    text = OPEN[name]
    before = read(text)
    assert before is not None
    at = unanswered(before)[0]
    try:
        written = with_answer(text, before, at, answer)
    except TranscriptError:
        assert not name.startswith(("messages", "list", "lines"))
        return
    after = read(written, format=before.format)
    assert after is not None
    assert "".join(part.text for part in after.conversations[at][-1].parts) == answer


def test_an_answer_that_thinks_first_is_written_with_its_marks() -> None:
    text, answer = OPEN["messages"], "<think>\nHm.\n</think>\n\nSo."
    before = read(text)
    assert before is not None
    after = read(with_answer(text, before, 0, answer))
    assert after is not None
    assert [part.kind.value for part in after.conversations[0][-1].parts] == ["reasoning", "text"]


def test_a_conversation_with_an_answer_waits_for_none() -> None:
    found = read("User: Why?\n\nAssistant: So.\n")
    assert found is not None
    assert unanswered(found) == ()


def test_a_conversation_without_an_answer_has_the_tools_that_the_file_offers() -> None:
    line = '{"messages": [{"role": "user", "content": "Why?"}%s], "tools": [{"name": "%s"}]}\n'
    found = read(line % ("", "a") + line % (', {"role": "assistant", "content": "So."}', "b") + OPEN["list"])
    assert found is not None
    assert [json.loads(tools)[0]["name"] if tools else "" for tools in found.tools] == ["a", "b", ""]
    assert (found.tools[1], found.notes[1]) == (found.responses[0].tools, found.responses[0].notes)
