"""An alternative to a response is written beside it so that it reads back, and nothing else changes its meaning."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.alternatives import Written, with_alternative
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

MESSAGES = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "One."}]
CHATML = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nOne.<|im_end|>\n"


def transcript_of(text: str) -> Transcript:
    found = read(text)
    assert found is not None
    return found


def said(text: str) -> list[list[tuple[str, str]]]:
    """Each turn's role and text, with reasoning, calls and their marks."""
    return [
        [(turn.role.value, "".join(part.text for part in turn.parts)) for turn in turns]
        for turns in transcript_of(text).conversations
    ]


def written(text: str, answer: str, response: int = 0) -> tuple[Written, str]:
    """How an alternative is written, and the text with it."""
    transcript = transcript_of(text)
    made = with_alternative(text, transcript, transcript.responses[response], answer)
    return made.written, text[: made.prefix] + made.new_text + text[len(text) - made.suffix :]


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_record_of_a_line_gets_a_copy_in_the_next_line(end: str) -> None:
    line = json.dumps({"messages": MESSAGES, "id": 7})
    other = json.dumps({"messages": [{**MESSAGES[0], "content": "And?"}, MESSAGES[1]]})
    how, text = written(f"{line}\n{other}{end}", 'Two "x"\nand.')
    assert how is Written.CONVERSATION
    lines = text.splitlines()
    assert (lines[0], lines[2]) == (line, other)
    assert json.loads(lines[1]) == {"messages": [MESSAGES[0], {**MESSAGES[1], "content": 'Two "x"\nand.'}], "id": 7}


def test_a_response_that_is_answered_in_its_line_gets_a_turn_behind_it() -> None:
    more = [*MESSAGES, {"role": "user", "content": "And?"}, {"role": "assistant", "content": "So."}]
    how, text = written(json.dumps({"messages": more}), "Two.")
    assert how is Written.TURN
    assert said(text) == [
        [("user", "Why?"), ("assistant", "One."), ("assistant", "Two."), ("user", "And?"), ("assistant", "So.")]
    ]


def test_marked_turns_may_follow_one_another() -> None:
    assert written(CHATML, "Two.") == (Written.TURN, CHATML + "<|im_start|>assistant\nTwo.<|im_end|>\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("User: Why?\n\nAssistant: One.\n", "User: Why?\n\nAssistant: One.\n\nUser: Why?\n\nAssistant: Two.\n"),
        (
            "## User\n\nWhy?\n\n## Assistant\n\nOne.\n",
            "## User\n\nWhy?\n\n## Assistant\n\nOne.\n\n## User\n\nWhy?\n\n## Assistant\n\nTwo.\n",
        ),
    ],
)
def test_where_turns_take_turns_the_exchange_is_written_once_more(text: str, expected: str) -> None:
    assert written(text, "Two.") == (Written.EXCHANGE, expected)


def test_what_stands_around_a_response_in_the_middle_stays() -> None:
    text = "---\nshiftlens:\n  base: x\n---\n\nUser: Why?\n\nAssistant: One.\n\nUser: And?\n\nAssistant: So.\n"
    for response, expected in ((0, 1), (1, 3)):
        how, found = written(text, "Two.", response)
        assert how is Written.EXCHANGE
        (turns,) = said(found)
        assert turns.pop(expected + 2) == ("assistant", "Two.")
        assert turns.pop(expected + 1)[0] == "user"
        assert [turns] == said(text)


def test_what_does_not_read_back_is_refused() -> None:
    with pytest.raises(TranscriptError, match="No way to write this alternative into a file of the format labels"):
        written("User: Why?\n\nAssistant: One.\n", "Two.\n\nUser: And?\n\nAssistant: Three.")


@example("[TOOL_CALLS]", "User: Why?\n\nAssistant: One.\n")
@given(st.text(), st.sampled_from(["User: Why?\n\nAssistant: One.\n", CHATML, json.dumps({"messages": MESSAGES})]))
def test_an_alternative_reads_back_or_is_refused(answer: str, text: str) -> None:
    try:
        _, found = written(text, answer)
    except TranscriptError:
        return
    before, after = said(text), said(found)
    assert sum(map(len, after)) > sum(map(len, before))
    assert ("assistant", answer) in [turn for turns in after for turn in turns]
