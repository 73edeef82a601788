"""Why nothing of a file is scored, in words that tell a prompt, a tool log and a broken file apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from shiftlens.errors import TranscriptError
from shiftlens.pipeline.reading import read_transcript
from shiftlens.pipeline.unscored import left_out, why_not, why_nothing
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Transcript, Turn

DEFAULT = ("answer", "reasoning")


def turn(role: Role, *parts: tuple[PartKind, str]) -> Turn:
    return Turn(role, tuple(Part(kind, text, SourceMap.verbatim(0, len(text))) for kind, text in parts))


ASKED = turn(Role.USER, (PartKind.TEXT, "Why?"))
CALLED = turn(Role.ASSISTANT, (PartKind.TOOL_CALL, "{}"))
THOUGHT = turn(Role.ASSISTANT, (PartKind.REASONING, "hm"))
SAID = turn(Role.ASSISTANT, (PartKind.REASONING, "hm"), (PartKind.TEXT, "yes"), (PartKind.TOOL_CALL, "{}"))
EMPTY = turn(Role.ASSISTANT, (PartKind.TEXT, ""))


def transcript(
    *said: Turn, problems: tuple[tuple[int, str], ...] = (), conversations: tuple[tuple[Turn, ...], ...] | None = None
) -> Transcript:
    responses = tuple(Response(at, (ASKED,), each) for at, each in enumerate(said))
    turns = conversations if conversations is not None else tuple((ASKED, each) for each in said)
    return Transcript("openai", "", responses, problems=problems, conversations=turns)


def why(of: Transcript, parts: tuple[str, ...] = DEFAULT) -> str:
    found = why_nothing(of, parts)
    assert found is not None
    return found[0]


def test_a_file_with_something_to_score_has_no_reason() -> None:
    assert why_nothing(transcript(CALLED, SAID), DEFAULT) is None
    assert why_nothing(transcript(CALLED), ("tool_call",)) is None


def test_turns_that_are_tool_calls_alone_are_counted() -> None:
    assert why(transcript(*[CALLED] * 500)).startswith("500 assistant turns are tool calls alone.")
    assert "`--score-parts`" in why(transcript(CALLED))
    assert why(transcript(CALLED)).startswith("1 assistant turn is a tool call alone.")
    assert left_out(transcript(CALLED, CALLED, THOUGHT).responses) == (
        "2 assistant turns are tool calls alone, 1 assistant turn is reasoning alone."
    )


def test_one_turn_of_which_nothing_is_scored_says_what_it_is() -> None:
    both = turn(Role.ASSISTANT, (PartKind.REASONING, "hm"), (PartKind.TOOL_CALL, "{}"))
    assert why_not(Response(0, (), both)).startswith("This turn is reasoning and a tool call alone.")


def test_prompts_without_answers_are_told_from_files_without_turns() -> None:
    assert why(transcript(conversations=((ASKED,),))).startswith("This is a prompt without an answer")
    assert why(transcript(conversations=((ASKED,), (ASKED,)))).startswith("These are 2 prompts without an answer")
    assert why(transcript(conversations=())) == "There is no turn in this file."


def test_empty_answers_are_called_empty() -> None:
    assert why(transcript(conversations=((ASKED, EMPTY),))) == "The assistant's turn is empty."
    assert why(transcript(conversations=((ASKED, EMPTY),) * 3)) == "All 3 turns of the assistant are empty."


def test_what_could_not_be_read_comes_with_its_line() -> None:
    broken = transcript(conversations=(), problems=((3, "Not JSON."), (4, "Not JSON.")))
    assert why_nothing(broken, DEFAULT) == ("Nothing of this file could be read. Not JSON. (And 1 more.)", 3)
    half = transcript(conversations=((ASKED,),), problems=((2, "Not JSON."),))
    assert why(half).endswith("Line 2: Not JSON.")


def test_examples_in_a_prompt_are_no_answer() -> None:
    assert "examples in a prompt" in why(transcript(conversations=((ASKED, SAID),)))


def test_a_file_of_a_prompt_alone_is_refused_with_these_words(tmp_path: Path) -> None:
    file = tmp_path / "prompt.jsonl"
    file.write_text('{"messages": [{"role": "user", "content": "Why?"}]}\n', encoding="utf-8")
    with pytest.raises(TranscriptError, match="prompt without an answer"):
        read_transcript(str(file), b"", format_name=None, max_bytes=1000)
