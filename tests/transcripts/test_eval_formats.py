"""Evaluations' and servers' records: each is read back exactly, and what can't be scored is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.transcripts import PartKind, Role, Transcript
from transcripts.transcript_checks import assert_escaped, conversations, decoded, readable, said, texts

Pairs = list[tuple[str, str]]


def lf(text: str) -> str:
    """CRLF is one newline."""
    return text.replace("\r\n", "\n")


def turns_of(pairs: Pairs) -> list[dict[str, Any]]:
    return [
        {"role": role, "content": content}
        for pair in pairs
        for role, content in zip(("user", "assistant"), pair, strict=True)
    ]


def docent(pairs: Pairs) -> list[Any]:
    return [{"id": "r", "transcripts": [{"id": "t", "name": "n", "messages": turns_of(pairs), "metadata": {"a": "b"}}]}]


def docent_named(pairs: Pairs) -> list[Any]:
    return [{"name": "r", "transcripts": {"main": {"messages": turns_of(pairs)}}}]


def lmsys(pairs: Pairs) -> list[Any]:
    moderation = [{"flagged": False, "categories": {"violence": False}}]
    more = {"conversation_id": "x", "model": "m", "openai_moderation": moderation, "redacted": True}
    return [{**more, "conversation": turns_of(pairs)}]


def wildchat(pairs: Pairs) -> list[Any]:
    more = {"hashed_ip": "x", "header": {"user-agent": "y"}, "country": "Norway", "toxic": False, "turn_identifier": 7}
    messages = [{**message, **more} for message in turns_of(pairs)]
    return [{"conversation_hash": "h", "conversation": messages, "state": "Oslo", "timestamp": "t", **more}]


def mt_bench(pairs: Pairs) -> list[Any]:
    answer = {"question_id": 1, "answer_id": "x", "model_id": "m", "tstamp": 1.5}
    return [
        {**answer, "choices": [{"index": 0, "turns": [answer for _, answer in pairs]}]},
        {"question_id": 1, "category": "c", "turns": [question for question, _ in pairs], "reference": ["r"]},
    ]


def helm(pairs: Pairs) -> list[Any]:
    states = [
        {
            "instance": {"id": "i", "input": {"text": "x"}},
            "request": {"model": "m", "prompt": question, "stop_sequences": ["\n"], "random": "1"},
            "result": {"success": True, "completions": [{"text": answer, "logprob": -1.0, "tokens": [{"text": "x"}]}]},
        }
        for question, answer in pairs
    ]
    return [{"adapter_spec": {"method": "generation"}, "request_states": states}]


def batch(pairs: Pairs) -> list[Any]:
    asked = turns_of(pairs)
    answer = {"model": "m", "choices": [{"index": 0, "message": asked.pop()}], "usage": {"total_tokens": 1}}
    return [
        {
            "id": "b",
            "custom_id": "c",
            "response": {"status_code": 200, "request_id": "x", "body": answer},
            "error": None,
        },
        {"custom_id": "c", "method": "POST", "url": "/v1", "body": {"model": "m", "messages": asked, "max_tokens": 5}},
    ]


def batch_of_responses(pairs: Pairs) -> list[Any]:
    asked = turns_of(pairs)
    body = {"output": [item(asked.pop()["content"])], "object": "response", "status": "completed"}
    return [
        {"custom_id": "c", "method": "POST", "url": "/v1/responses", "body": {"model": "m", "input": asked}},
        {"custom_id": "c", "response": {"status_code": 200, "body": body}},
    ]


def item(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": content}


def responses(pairs: Pairs) -> list[Any]:
    asked = turns_of(pairs)
    answer = item(asked.pop()["content"])
    settings = {"text": {"format": {"type": "text"}}, "reasoning": {"effort": "low"}, "tool_choice": "auto"}
    return [{"object": "response", "input": asked, "output": [answer], **settings, "error": None}]


def calls(pairs: Pairs) -> list[Any]:
    asked = turns_of(pairs)
    answer = {"choices": [{"message": asked.pop()}], "object": "chat.completion"}
    return [{"timestamp": "t", "request": {"messages": asked, "stop": ["x"]}, "response": answer}]


def lm_eval_of_messages(pairs: Pairs) -> list[Any]:
    asked = turns_of(pairs)
    answer = asked.pop()["content"]
    arguments = {"gen_args_0": {"arg_0": [json.dumps(asked)], "arg_1": {"until": ["x"]}}}
    return [{"doc_id": 0, "doc": {"q": "x"}, "target": "t", "arguments": arguments, "resps": [[answer]]}]


WRITERS = [
    ("docent", docent),
    ("docent", docent_named),
    ("lmsys", lmsys),
    ("lmsys", wildchat),
    ("mt-bench", mt_bench),
    ("helm", helm),
    ("openai-batch", batch),
    ("openai-batch", batch_of_responses),
    ("exchange", responses),
    ("exchange", calls),
    ("lm-eval", lm_eval_of_messages),
]
LABELS: dict[Callable[[Pairs], list[Any]], str] = {docent: "n", docent_named: "main"}
LAST_ONLY = {"exchange", "lm-eval", "openai-batch"}
"""Formats of which all earlier answers are part of the prompt."""


@pytest.mark.parametrize(("name", "write"), WRITERS, ids=[write.__name__ for _, write in WRITERS])
@given(
    pairs=conversations(texts),
    ascii_only=st.booleans(),
    front=st.sampled_from(["", "\ufeff"]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_records_are_read_back_exactly(
    name: str, write: Callable[[Pairs], list[Any]], pairs: Pairs, ascii_only: bool, front: str, newline: str
) -> None:
    text = front + newline.join(json.dumps(row, ensure_ascii=ascii_only) for row in write(pairs)) + newline
    found = readable(text, filename="x.jsonl")
    assert found.format == name
    assert found.problems == ()
    expected = decoded(pairs)
    assert said(found) == (expected[-1:] if name in LAST_ONLY else expected)
    assert {response.label for response in found.responses} == ({LABELS.get(write, "")})
    heard = [turn.text for conversation in found.conversations for turn in conversation]
    assert heard == [text for pair in expected for text in pair]
    (assert_escaped_twice if name == "lm-eval" else assert_escaped)(text, found)


def pair_rows(question: str, one: str, two: str) -> dict[str, list[Any]]:
    battle = {"id": 1, "model_a": "one", "model_b": "two", "winner": "tie"}
    return {
        "arena": [
            {**battle, "conversation_a": turns_of([(question, one)]), "conversation_b": turns_of([(question, two)])},
            {
                **battle,
                "prompt": json.dumps([question]),
                "response_a": json.dumps([one], ensure_ascii=False),
                "response_b": json.dumps([two]),
            },
        ],
        "alpaca-eval": [
            {"instruction": question, "output_1": one, "output_2": two, "generator_1": "one", "generator_2": "two"}
        ],
    }


@given(texts.filter(bool), texts.filter(bool), texts.filter(bool), st.booleans())
def test_pairs_are_two_conversations_labelled_by_their_models(q: str, one: str, two: str, ascii_only: bool) -> None:
    for name, rows in pair_rows(q, one, two).items():
        for row in rows:
            text = json.dumps(row, ensure_ascii=ascii_only)
            found = readable(text)
            assert (found.format, found.problems) == (name, ())
            assert [(r.label, r.context[-1].text, r.text) for r in found.responses] == [
                ("one", lf(q), lf(one)),
                ("two", lf(q), lf(two)),
            ]
            assert_escaped_twice(text, found)


def assert_escaped_twice(text: str, transcript: Transcript) -> None:
    """Each character's span spells it in a string, or in a string inside a string."""
    for response in transcript.responses:
        for part in (part for turn in (*response.context, response.turn) for part in turn.parts):
            for at, character in enumerate(part.text):
                once = json.loads(f'"{text[part.source.start_of(at) : part.source.end_of(at)]}"')
                assert lf(once) == character or lf(json.loads(f'"{once}"')) == character


def test_a_model_against_itself_is_labelled_by_its_side() -> None:
    (row, _) = pair_rows("q", "1", "2")["arena"]
    row["model_b"] = "one"
    assert [response.label for response in readable(json.dumps(row)).responses] == ["one (a)", "one (b)"]


def lm_eval(arguments: object, resps: object) -> str:
    return json.dumps({"doc_id": 0, "doc": {}, "target": "", "arguments": arguments, "resps": resps})


CHATML = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
# A CR before CRLF would be read as CRLF twice: in the string, and in the text that it spells.
no_marker = texts.filter(lambda text: "<|" not in text and "\r\r\n" not in text)


@given(no_marker, st.lists(texts.filter(bool), min_size=1, max_size=3))
def test_a_prompt_in_a_chat_template_is_read_as_its_turns(question: str, repeats: list[str]) -> None:
    context = CHATML.format(question)
    text = lm_eval({"gen_args_0": {"arg_0": context, "arg_1": {"until": []}}}, [repeats])
    found = readable(text)
    assert (found.format, found.problems) == ("lm-eval", ())
    assert [response.text for response in found.responses] == [lf(repeat) for repeat in repeats]
    for response in found.responses:
        assert [(turn.role, turn.text) for turn in response.context] == [
            (Role.SYSTEM, "Be brief."),
            (Role.USER, lf(question)),
        ]
        assert response.verbatim_prefix == lf(context)
        assert response.notes == ()
    assert_escaped(text, found)
    labels = [response.label for response in found.responses]
    assert labels == ([f"repeat {n}" for n in range(1, len(repeats) + 1)] if len(repeats) > 1 else [""])


@given(no_marker.filter(lambda text: text.lstrip()[:1] not in ("[", "{")), texts.filter(bool))
def test_a_bare_prompt_is_one_turn_and_the_response_says_so(question: str, answer: str) -> None:
    prompt = f"Question: {question}\nAnswer:"
    text = lm_eval([[prompt, {"until": ["\n"]}]], [[answer]])
    found = readable(text)
    assert said(found) == [(lf(prompt), lf(answer))]
    assert "without a chat template" in found.responses[0].notes[0]
    assert found.responses[0].verbatim_prefix is None
    assert_escaped(text, found)


def test_continuations_that_a_task_scores_are_answers_and_say_that_no_model_wrote_them() -> None:
    found = readable(lm_eval([["The sky is", " blue"], ["The sky is", " green"]], [[[-1.0, True]], [[-3.0, False]]]))
    assert said(found) == [("The sky is", " blue"), ("The sky is", " green")]
    assert [response.label for response in found.responses] == ["continuation 1", "continuation 2"]
    assert all("did not write" in response.notes[-1] for response in found.responses)


def test_the_values_of_a_samples_metrics_are_of_no_matter() -> None:
    row = json.loads(lm_eval([["The sky is", {}]], [["blue"]]))
    found = readable(json.dumps({**row, "metrics": ["bleu"], "bleu": [["grey"], ["blue"]]}))
    assert (said(found), found.problems) == ([("The sky is", "blue")], ())


def test_likelihoods_that_the_log_keeps_as_texts_are_no_answers() -> None:
    arguments = {"gen_args_0": {"arg_0": "The sky is", "arg_1": " blue"}}
    assert said(readable(lm_eval(arguments, [[["-1.5", "True"]]]))) == [("The sky is", " blue")]


def test_an_answer_that_the_prompt_begins_is_noted() -> None:
    context = CHATML.format("q") + "The answer is"
    (response,) = readable(lm_eval([[context, {}]], [[" 4."]])).responses
    assert (response.text, response.verbatim_prefix) == (" 4.", context)
    assert "begins the answer" in response.notes[0]


def test_a_text_without_a_prompt_is_told() -> None:
    found = readable(lm_eval([["All of it."]], [[-12.5]]))
    assert found.responses == ()
    assert found.problems == ((1, "`arguments` holds a text without a prompt; it was not read."),)


def test_answers_without_their_questions_are_told_and_not_scored() -> None:
    found = readable(json.dumps(mt_bench([("q", "a")])[0]), filename="answers.jsonl")
    assert found.responses == ()
    assert "question.jsonl" in found.problems[0][1]


def test_more_answers_than_questions_are_refused() -> None:
    answer, question = mt_bench([("q", "a"), ("r", "b")])
    question["turns"] = ["q"]
    found = readable(f"{json.dumps(answer)}\n{json.dumps(question)}\n", filename="x.jsonl")
    assert found.responses == ()
    assert "2 answers to 1 questions" in found.problems[0][1]


def test_questions_alone_are_no_transcript() -> None:
    from shiftlens.transcripts import read

    assert read(json.dumps(mt_bench([("q", "a")])[1]), filename="question.jsonl") is None


def test_answers_of_a_batch_without_their_requests_are_told_and_not_scored() -> None:
    found = readable(json.dumps(batch([("q", "a")])[0]), filename="x.jsonl")
    assert found.responses == ()
    assert "batch's input" in found.problems[0][1]


def test_requests_of_a_batch_without_answers_are_told() -> None:
    found = readable(json.dumps(batch([("q", "a")])[1]), filename="x.jsonl")
    assert found.responses == ()
    assert [turn.text for turn in found.conversations[0]] == ["q"]
    assert "batch's output" in found.problems[0][1]


def test_a_failed_request_of_a_batch_is_told() -> None:
    failed = {"custom_id": "d", "response": None, "error": {"code": "expired", "message": "Too late."}}
    rows = [*batch([("q", "a")]), failed]
    found = readable("\n".join(json.dumps(row) for row in rows), filename="x.jsonl")
    assert said(found) == [("q", "a")]
    assert found.problems == ((3, "A request failed, so it has no answer."),)


def test_an_answer_alone_is_told_and_not_scored() -> None:
    for row in ({"object": "response", "output": [item("a")]}, {**calls([("q", "a")])[0]["response"]}):
        found = readable(json.dumps(row))
        assert (found.format, found.responses) == ("exchange", ())
        assert "can't be scored" in found.problems[0][1]


def test_instructions_reasoning_calls_and_tools_of_the_responses_api_are_read() -> None:
    row = {
        "object": "response",
        "instructions": "Be brief.",
        "input": "Why is the sky blue?",
        "tools": [{"type": "function", "name": "search", "parameters": {"type": "object"}}],
        "output": [
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Look it up."}], "summary": []},
            {"type": "function_call", "call_id": "c", "name": "search", "arguments": '{"q": "sky"}'},
        ],
    }
    found = readable(json.dumps(row))
    (response,) = found.responses
    assert [(turn.role, turn.text) for turn in response.context] == [
        (Role.SYSTEM, "Be brief."),
        (Role.USER, "Why is the sky blue?"),
    ]
    assert [(part.kind, part.text) for part in response.turn.parts] == [
        (PartKind.REASONING, "Look it up."),
        (PartKind.TOOL_CALL, '{"q": "sky"}'),
    ]
    (tool,) = json.loads(response.tools)
    assert tool == {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
    assert found.problems == ()


def test_turns_that_stand_on_the_server_are_told() -> None:
    row = {"object": "response", "previous_response_id": "r", "input": "And red?", "output": [item("Dusk.")]}
    found = readable(json.dumps(row))
    assert said(found) == [("And red?", "Dusk.")]
    assert "previous_response_id" in found.problems[0][1]


def test_a_prompt_that_a_server_repeats_is_no_part_of_the_answer() -> None:
    (row,) = helm([("q", "a")])
    state = row["request_states"][0]
    state["request"]["echo_prompt"] = True
    state["result"]["completions"][0]["text"] = "q a"
    text = json.dumps(row)
    found = readable(text)
    assert said(found) == [("q", " a")]
    assert_escaped(text, found)


def test_further_choices_and_completions_are_labelled() -> None:
    (row,) = helm([("q", "a")])
    row["request_states"][0]["result"]["completions"] *= 2
    answer, question = mt_bench([("q", "a")])
    answer["choices"] *= 2
    for rows, label in (([row], "completion 2"), ([answer, question], "choice 2")):
        found = readable("\n".join(json.dumps(each) for each in rows), filename="x.jsonl")
        assert [response.label for response in found.responses] == ["", label]


def test_what_no_reader_read_is_named() -> None:
    rows: Sequence[Any] = [writer([("q", "a")])[0] for _, writer in WRITERS]
    for row in rows:
        if isinstance(row, dict) and "custom_id" not in row and "choices" not in row:
            found = readable(json.dumps({**row, "secret": "prompt"}), filename="x.jsonl")
            assert "`secret` was not read." in [sentence for _, sentence in found.problems]
