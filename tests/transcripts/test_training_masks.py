"""Which turns a file says are trained on: the loss mask of supervised fine-tuning."""

from __future__ import annotations

import json

import pytest

from shiftlens.transcripts import Transcript
from shiftlens.transcripts.model import Role, Trained
from transcripts.transcript_checks import readable

USER = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}


def found_in(value: object) -> Transcript:
    return readable(json.dumps(value), filename="x.json")


def masks(transcript: Transcript) -> list[str]:
    return [response.turn.trained.value for response in transcript.responses]


PIECES = [{"begin_offset": 0, "end_offset": 0, "train": False}, {"begin_offset": 1, "end_offset": 2, "train": True}]


@pytest.mark.parametrize(
    ("flags", "trained"),
    [
        ({}, Trained.UNKNOWN),
        ({"weight": 0}, Trained.NO),
        ({"weight": 1}, Trained.YES),
        ({"weight": 0.5}, Trained.YES),
        ({"weight": None}, Trained.UNKNOWN),
        ({"train": False}, Trained.NO),
        ({"training": True}, Trained.YES),
        ({"loss": False}, Trained.NO),
        ({"loss_mask": 1}, Trained.YES),
        ({"train_detail": PIECES}, Trained.PARTLY),
        ({"train_detail": PIECES[:1]}, Trained.NO),
        ({"train": True, "train_detail": PIECES}, Trained.PARTLY),
        ({"train": False, "weight": 0}, Trained.NO),
        ({"loss": None}, Trained.UNKNOWN),
    ],
)
@pytest.mark.parametrize("shape", ["openai", "sharegpt", "message-lines"])
def test_a_message_says_whether_it_is_trained_on(shape: str, flags: dict[str, object], trained: Trained) -> None:
    if shape == "sharegpt":
        said = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a", **flags}]
        found = found_in({"conversations": said})
    elif shape == "openai":
        found = found_in({"messages": [USER, {**ANSWER, **flags}]})
    else:
        found = readable("".join(json.dumps(each) + "\n" for each in (USER, {**ANSWER, **flags})), filename="x.jsonl")
    assert found.format == shape
    assert masks(found) == [trained.value]
    assert found.problems == ()


@pytest.mark.parametrize("key", ["loss", "loss_mask", "train", "training"])
def test_a_number_that_is_no_mask_such_as_the_loss_of_an_evaluation_is_told_once(key: str) -> None:
    found = found_in({"messages": [USER, {**ANSWER, key: 2.31}, USER, {**ANSWER, key: -1}]})
    assert masks(found) == [Trained.UNKNOWN.value] * 2
    ((line, problem),) = found.problems
    assert line == 1
    assert problem.startswith(f"`{key}` is a number other than 0 and 1, so it was taken for no loss mask.")
    assert problem.endswith("(The same holds 1 times more.)")


def test_only_what_the_assistant_says_is_trained_on() -> None:
    found = found_in({"messages": [{**USER, "weight": 1}, {**ANSWER, "weight": 0}]})
    assert [(turn.role, turn.trained) for turn in found.conversations[0]] == [
        (Role.USER, Trained.UNKNOWN),
        (Role.ASSISTANT, Trained.NO),
    ]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"weight": -1}, "`weight` says neither that the turn is trained on nor that it is not."),
        ({"train": "no"}, "`train` says neither that the turn is trained on nor that it is not."),
        ({"weight": 0, "train": True}, "`weight`, `train` say different things of whether the turn is trained on."),
        ({"train_detail": [{"train": 1}]}, "`train_detail` is no list of pieces that say whether they are trained on."),
        ({"train_detail": 3}, "`train_detail` is no list of pieces that say whether they are trained on."),
    ],
)
def test_a_mask_that_cannot_be_followed_is_told_of_and_leaves_the_turn_unknown(
    flags: dict[str, object], said: str
) -> None:
    found = found_in({"messages": [USER, {**ANSWER, **flags}]})
    assert masks(found) == ["unknown"]
    assert found.problems == ((1, said),)


def test_what_is_something_else_under_such_a_name_is_named_as_before() -> None:
    found = found_in({"messages": [USER, {**ANSWER, "training": {"run": "third"}}]})
    assert masks(found) == ["unknown"]
    assert found.problems == ((1, "`messages.training` was not read."),)


@pytest.mark.parametrize(("speaker", "trained"), [("User", "yes"), ("Assistant", "no"), ("gpt", "no")])
def test_the_mask_of_a_record_names_the_speaker_that_is_not_trained_on(speaker: str, trained: str) -> None:
    said = [{"from": "User", "value": "q"}, {"from": "Assistant", "value": "a"}]
    found = found_in({"mask": speaker, "type": "VALUE_TO_TEXT", "conversations": said})
    assert masks(found) == [trained]
    assert found.problems == ()


def test_a_mask_that_names_no_speaker_is_named() -> None:
    assert found_in({"mask": "####", "messages": [USER, ANSWER]}).problems == ((1, "`mask` was not read."),)


def test_with_the_history_masked_the_last_answer_alone_is_trained_on() -> None:
    talk = [USER, ANSWER, USER, {**ANSWER, "weight": 1}, USER, ANSWER]
    assert masks(found_in({"messages": talk, "mask_history": True})) == ["no", "yes", "yes"]
    assert masks(found_in({"messages": talk, "mask_history": False})) == ["unknown", "yes", "unknown"]
    assert found_in({"messages": talk, "mask_history": 3}).problems == (
        (1, "`mask_history` is neither true nor false."),
    )


def test_the_marks_of_reasoning_in_a_turn_leave_its_mask() -> None:
    (response,) = found_in({"messages": [USER, {**ANSWER, "content": "<think>h</think>a", "weight": 0}]}).responses
    assert [part.text for part in response.turn.parts] == ["<think>h</think>", "a"]
    assert response.turn.trained is Trained.NO


def test_pieces_of_one_turn_with_masks_of_their_own_are_trained_on_in_part() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    calls = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "1", "train": False}
    (response,) = found_in(
        {
            "messages": [
                USER,
                thought,
                {**calls},
            ]
        }
    ).responses
    assert response.turn.trained is Trained.NO
    channels = [{**ANSWER, "channel": "analysis", "weight": 0}, {**ANSWER, "channel": "final", "weight": 1}]
    (response,) = found_in({"messages": [USER, *channels]}).responses
    assert response.turn.trained is Trained.PARTLY
