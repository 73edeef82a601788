"""OpenTelemetry's older spellings of messages: flattened attributes, and an event for each message."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcripts.talks import Round, dumped, expected, fronts, lines, shapes, talks
from transcripts.transcript_checks import assert_escaped, readable

Json = dict[str, Any]


def any_value(value: object) -> Json:
    """A value as OTLP spells it."""
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": any_value(each)} for key, each in value.items()]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(each) for each in value]}}
    return {"intValue": value} if isinstance(value, int) else {"stringValue": value}


def messages(talk: list[Round]) -> list[Json]:
    found: list[Json] = [{"role": "system", "content": "Be brief."}]
    for each in talk:
        found.append({"role": "user", "content": each.question})
        if each.calls:
            calls = [{"id": "1", "name": "t", "arguments": arguments} for arguments, _ in each.calls]
            found.append({"role": "assistant", "tool_calls": calls})
            found += [{"role": "tool", "content": result, "tool_call_id": "1"} for _, result in each.calls]
        found.append({"role": "assistant", "content": each.answer})
    return found


def flat(prefix: str, message: Json) -> Json:
    found: Json = {f"{prefix}.{key}": value for key, value in message.items() if key != "tool_calls"}
    for at, call in enumerate(message.get("tool_calls", [])):
        found |= {f"{prefix}.tool_calls.{at}.{key}": value for key, value in call.items()}
    return found


FLAT: dict[str, Callable[[Json], Json]] = {
    "object": lambda attributes: {"name": "openai.chat", "attributes": attributes},
    "otlp": lambda attributes: {
        "resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": any_value(attributes)["kvlistValue"]["values"]}]}]}]
    },
}


@given(talks(thoughts=False), fronts, st.sampled_from(sorted(FLAT)), st.booleans())
def test_flattened_messages_are_read_back_exactly(talk: list[Round], front: str, form: str, ascii_only: bool) -> None:
    *asked, answer = messages(talk)
    attributes = {
        key: value for at, each in enumerate(asked) for key, value in flat(f"gen_ai.prompt.{at}", each).items()
    }
    attributes |= flat("gen_ai.completion.0", {**answer, "finish_reason": "stop"})
    text = dumped(FLAT[form](attributes), front, ascii_only=ascii_only)
    found = readable(text)
    assert (found.format, found.problems) == ("otel-flat", ())
    assert shapes(found) == [expected(talk, "Be brief.")]
    assert [response.text for response in found.responses] == [talk[-1].answer.replace("\r\n", "\n")]
    assert_escaped(text, found)


def test_flattened_content_may_be_parts_as_json_and_tools_are_handed_on() -> None:
    attributes = {
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": json.dumps([{"type": "text", "text": "é?"}]),
        "llm.request.functions.0.name": "f",
        "llm.request.functions.0.parameters": '{"type": "object"}',
        "gen_ai.completion.0.content": "a",
        "gen_ai.completion.1.content": "b",
    }
    found = readable(json.dumps({"attributes": attributes}))
    assert [(r.context[0].text, r.text, r.label) for r in found.responses] == [
        ("é?", "a", "choice 0"),
        ("é?", "b", "choice 1"),
    ]
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    assert json.loads(found.responses[0].tools) == [tool]


def events(talk: list[Round]) -> list[tuple[str, Json]]:
    *asked, answer = messages(talk)
    found: list[tuple[str, Json]] = []
    for each in asked:
        body = {key: value for key, value in each.items() if key not in ("role", "tool_calls", "tool_call_id")}
        if "tool_calls" in each:
            body["tool_calls"] = [
                {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
                for c in each["tool_calls"]
            ]
        if each["role"] == "tool":
            body["id"] = "1"
        found.append((f"gen_ai.{each['role']}.message", body))
    return [*found, ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": answer})]


EVENTS = {
    "lines": lambda given: lines([{"event_name": name, "span_id": "1", "body": body} for name, body in given]),
    "attributes": lambda given: lines([{"attributes": {"event.name": name}, "body": body} for name, body in given]),
    "otlp": lambda given: dumped(
        {
            "resourceLogs": [
                {
                    "scopeLogs": [
                        {
                            "logRecords": [
                                {"spanId": "1", "eventName": name, "body": any_value(body)} for name, body in given
                            ]
                        }
                    ]
                }
            ]
        }
    ),
}


@given(talks(thoughts=False), st.sampled_from(sorted(EVENTS)))
def test_events_are_read_back_exactly(talk: list[Round], form: str) -> None:
    text = EVENTS[form](events(talk))
    found = readable(text)
    assert (found.format, found.problems) == ("otel-events", ())
    assert shapes(found) == [expected(talk, "Be brief.")]
    assert [response.text for response in found.responses] == [talk[-1].answer.replace("\r\n", "\n")]
    assert_escaped(text, found)


def asked_and_answered(span: str, question: str, *answers: str) -> list[Json]:
    return [
        {"event_name": "gen_ai.user.message", "span_id": span, "body": {"content": question}},
        *(
            {"event_name": "gen_ai.choice", "span_id": span, "body": {"index": at, "message": {"content": answer}}}
            for at, answer in enumerate(answers)
        ),
    ]


def test_events_of_several_spans_are_a_conversation_each() -> None:
    first, second = asked_and_answered("1", "q", "a", "b"), asked_and_answered("2", "r", "c")
    woven = [first[0], second[0], *first[1:], {"event_name": "other", "body": "x"}, *second[1:]]
    found = readable(lines(woven))
    assert [(r.context[0].text, r.text, r.label) for r in found.responses] == [
        ("q", "a", "choice 0"),
        ("q", "b", "choice 1"),
        ("r", "c", ""),
    ]


@pytest.mark.parametrize("span", ["1", ""])
def test_a_message_after_an_answer_begins_another_call(span: str) -> None:
    found = readable(lines([*asked_and_answered(span, "q", "a"), *asked_and_answered(span, "r", "b")]))
    assert [[turn.text for turn in r.context] for r in found.responses] == [["q"], ["r"]]


def test_events_of_a_span_hold_the_message_in_their_attributes() -> None:
    question = {"name": "gen_ai.user.message", "attributes": {"gen_ai.event.content": '{"content": "q\\u00e9"}'}}
    answer = {"name": "gen_ai.choice", "attributes": {"gen_ai.event.content": '{"message": {"content": "a"}}'}}
    found = readable(json.dumps({"name": "chat", "events": [question, answer]}))
    assert [(r.context[0].text, r.text) for r in found.responses] == [("qé", "a")]
