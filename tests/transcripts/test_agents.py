"""What agents log: as the model saw it, each turn once, every span in the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shiftlens.transcripts import Transcript, read
from transcripts.talks import Round, dumped, expected, fronts, lines, shapes, talks
from transcripts.transcript_checks import assert_escaped, assert_verbatim, readable, said, texts

Json = dict[str, Any]


def messages_of(found: Transcript) -> list[str]:
    return [message for _, message in found.problems]


# Claude Code


def claude_code_lines(talk: list[Round], *, named: str = "") -> list[Json]:
    """A session in which each block of an answer has a line of its own, and each tool's result too."""
    found: list[Json] = []

    def add(type_: str, content: object, **more: object) -> None:
        parent = str(len(found) - 1) + named if found else None
        message = {"role": type_, "content": content, **more}
        line = {"type": type_, "message": message, "uuid": str(len(found)) + named, "parentUuid": parent}
        found.append({**line, "sessionId": "s", "isSidechain": False, "userType": "external", "cwd": "/x"})

    for number, each in enumerate(talk):
        add("user", each.question)
        blocks: list[Json] = []
        if each.thought:
            blocks.append({"type": "thinking", "thinking": each.thought, "signature": "s"})
        blocks += [
            {"type": "tool_use", "id": f"c{number}.{n}", "name": "t", "input": arguments}
            for n, (arguments, _) in enumerate(each.calls)
        ]
        for block in blocks:
            add("assistant", [block], id=f"m{number}{named}", model="m", type="message")
        for n, (_, result) in enumerate(each.calls):
            add("user", [{"type": "tool_result", "tool_use_id": f"c{number}.{n}", "content": result}])
        # The answer after tools is another message, one without is the same.
        add(
            "assistant",
            [{"type": "text", "text": each.answer}],
            id=f"m{number}{named}{'b' if each.calls else ''}",
            model="m",
        )
    return found


@given(talks(), fronts, st.booleans())
def test_a_claude_code_session_is_read_back_exactly(talk: list[Round], front: str, ascii_only: bool) -> None:
    others = [{"type": "summary", "summary": "x", "leafUuid": "1"}, {"type": "file-history-snapshot", "snapshot": {}}]
    text = lines([*others, *claude_code_lines(talk)], front, ascii_only=ascii_only)
    found = readable(text, filename="s.jsonl")
    assert found.format == "claude-code"
    assert shapes(found) == [expected(talk)]
    assert found.problems == ()
    assert_escaped(text, found)


def test_lines_of_one_message_are_one_turn_though_a_result_stands_between_them() -> None:
    first, second = ({"type": "tool_use", "id": f"c{n}", "name": "t", "input": {}} for n in (1, 2))
    results = [[{"type": "tool_result", "tool_use_id": f"c{n}", "content": str(n)}] for n in (1, 2)]
    common = {"sessionId": "s", "isSidechain": False}
    log: list[Json] = [
        {"type": "user", "uuid": "0", "parentUuid": None, "message": {"role": "user", "content": "q"}},
        {"type": "assistant", "uuid": "1", "parentUuid": "0", "message": {"content": [first]}},
        {"type": "user", "uuid": "2", "parentUuid": "1", "message": {"role": "user", "content": results[0]}},
        {"type": "assistant", "uuid": "3", "parentUuid": "1", "message": {"content": [second]}},
        {"type": "user", "uuid": "4", "parentUuid": "3", "message": {"role": "user", "content": results[1]}},
        {"type": "assistant", "uuid": "5", "parentUuid": "4", "message": {"content": "done", "id": "n"}},
    ]
    for line in log:
        line.update(common)
        if line["type"] == "assistant":
            line["message"] = {"id": "m", "role": "assistant", **line["message"]}
    found = readable(lines(list(log)))
    assert shapes(found) == [
        [
            ("user", [("text", "q")]),
            ("assistant", [("tool_call", "{}"), ("tool_call", "{}")]),
            ("tool", [("tool_result", "1")]),
            ("tool", [("tool_result", "2")]),
            ("assistant", [("text", "done")]),
        ]
    ]
    assert found.problems == ()


def test_a_compacted_session_goes_on_as_a_new_conversation() -> None:
    before, after = (
        claude_code_lines([Round("q", "", [], "a")]),
        claude_code_lines([Round("sum", "", [], "b")], named="x"),
    )
    boundary = {
        "type": "system",
        "subtype": "compact_boundary",
        "uuid": "c",
        "parentUuid": None,
        "content": "Compacted",
    }
    after[0] |= {"parentUuid": "c", "isCompactSummary": True}
    found = readable(lines([*before, boundary, *after]))
    assert shapes(found) == [expected([Round("q", "", [], "a")]), expected([Round("sum", "", [], "b")])]


def test_a_cleared_session_goes_on_as_a_new_conversation() -> None:
    before, after = (
        claude_code_lines([Round("q", "", [], "a")]),
        claude_code_lines([Round("r", "", [], "b")], named="x"),
    )
    clear = {**before[0], "uuid": "c", "parentUuid": before[-1]["uuid"]}
    clear["message"] = {"role": "user", "content": "<command-name>/clear</command-name>"}
    after[0]["parentUuid"] = "c"
    found = readable(lines([*before, clear, *after]))
    assert [len(turns) for turns in shapes(found)] == [2, 3]
    assert said(found) == [("q", "a"), ("r", "b")]


def test_a_subagent_is_a_conversation_of_its_own() -> None:
    main, side = (
        claude_code_lines([Round("q", "", [], "a")]),
        claude_code_lines([Round("task", "", [], "b")], named="x"),
    )
    for line in side:
        line["isSidechain"] = True
    found = readable(lines([main[0], *side, main[1]]))
    assert shapes(found) == [expected([Round("q", "", [], "a")]), expected([Round("task", "", [], "b")])]


def test_of_a_session_that_went_back_the_last_branch_is_read() -> None:
    log = claude_code_lines([Round("q", "", [], "a"), Round("old", "", [], "b")])
    new = claude_code_lines([Round("new", "", [], "c")], named="x")
    new[0]["parentUuid"] = log[1]["uuid"]
    found = readable(lines([*log, *new]))
    assert said(found) == [("q", "a"), ("new", "c")]
    assert messages_of(found) == ["2 messages of other branches were left out."]


def test_what_claude_code_says_in_the_models_place_is_not_scored() -> None:
    log = claude_code_lines([Round("q", "", [], "a"), Round("r", "", [], "b"), Round("s", "", [], "c")])
    log[1]["message"]["model"] = "<synthetic>"
    log[3]["isApiErrorMessage"] = True
    found = readable(lines(list(log)))
    assert [response.text for response in found.responses] == ["c"]
    assert [turn.text for turn in found.responses[0].context] == ["q", "a", "r", "s"]
    assert ["error" in message for message in messages_of(found)] == [True]


def test_an_answer_without_a_parent_follows_the_line_before_it() -> None:
    log = claude_code_lines([Round("q", "x", [("1", "2")], "a"), Round("r", "", [], "b")])
    for line in log:
        line["parentUuid"] = None
    found = readable(lines(list(log)))
    assert shapes(found) == [expected([Round("q", "x", [("1", "2")], "a")]), expected([Round("r", "", [], "b")])]


def test_a_line_whose_parent_is_missing_begins_a_conversation_and_is_told() -> None:
    log = claude_code_lines([Round("q", "", [], "a"), Round("r", "", [], "b")])
    log[2]["parentUuid"] = "gone"
    found = readable(lines(list(log)))
    assert shapes(found) == [expected([Round("q", "", [], "a")]), expected([Round("r", "", [], "b")])]
    assert [line for line, _ in found.problems] == [3]


def test_a_stream_of_claude_code_without_parents_is_one_conversation() -> None:
    log = claude_code_lines([Round("q", "x", [("1", "2")], "a")])
    for line in log:
        del line["parentUuid"], line["sessionId"]
        line["session_id"] = "s"
    init = {"type": "system", "subtype": "init", "session_id": "s", "tools": ["Bash"]}
    found = readable(lines([init, *log, {"type": "result", "result": "a", "session_id": "s"}]))
    assert shapes(found) == [expected([Round("q", "x", [("1", "2")], "a")])]


def test_a_line_of_an_unknown_type_and_a_hidden_thought_are_told() -> None:
    log = claude_code_lines([Round("q", "x", [], "a")])
    log[1]["message"]["content"][0]["thinking"] = ""
    found = readable(lines([*log, {"type": "dream", "text": "x"}]))
    assert said(found) == [("q", "a")]
    assert ["signature" in messages_of(found)[0], "'dream'" in messages_of(found)[1]] == [True, True]


# Codex


def codex_items(talk: list[Round]) -> list[Json]:
    found: list[Json] = []
    for each in talk:
        question = [{"type": "input_text", "text": each.question}]
        found.append({"type": "message", "role": "user", "content": question})
        if each.thought:
            summary = [{"type": "summary_text", "text": each.thought}]
            found.append({"type": "reasoning", "id": "r", "summary": summary, "content": None})
        calls = list(enumerate(each.calls))
        for n, (arguments, _) in calls:
            item: Json = {"type": "function_call", "name": "t", "arguments": arguments, "call_id": str(n)}
            custom = {"type": "custom_tool_call", "name": "t", "input": arguments, "call_id": str(n), "status": "done"}
            found.append(custom if n else item)
        for n, (_, result) in calls:
            item = {"type": "function_call_output", "call_id": str(n), "output": {"content": result, "success": True}}
            custom = {"type": "custom_tool_call_output", "call_id": str(n), "output": result}
            found.append(custom if n else item)
        answer = [{"type": "output_text", "text": each.answer}]
        found.append({"type": "message", "role": "assistant", "content": answer, "phase": "final_answer"})
    return found


def codex_line(type_: str, payload: Json) -> Json:
    return {"timestamp": "2026-01-01T00:00:00Z", "type": type_, "payload": payload}


@given(talks(), fronts, st.booleans())
def test_a_codex_rollout_is_read_back_exactly_and_once(talk: list[Round], front: str, ascii_only: bool) -> None:
    meta = {"id": "s", "cwd": "/x", "cli_version": "1", "base_instructions": {"text": "Be brief."}}
    log = [codex_line("session_meta", meta), codex_line("turn_context", {"cwd": "/x", "model": "m"})]
    for item in codex_items(talk):
        log.append(codex_line("response_item", item))
        log.append(codex_line("event_msg", {"type": "agent_message", "message": "shown"}))
    text = lines(list(log), front, ascii_only=ascii_only)
    found = readable(text, filename="rollout.jsonl")
    assert found.format == "codex"
    assert shapes(found) == [expected(talk, "Be brief.")]
    assert found.problems == ()
    assert_escaped(text, found)


@given(talks())
def test_an_old_codex_rollout_of_bare_items_is_read_back_exactly(talk: list[Round]) -> None:
    header = {"id": "s", "timestamp": "2025-05-01T00:00:00Z", "instructions": None}
    found = readable(lines([header, {"record_type": "state"}, *codex_items(talk)]))
    assert found.format == "codex"
    assert shapes(found) == [expected(talk)]
    assert found.problems == ()


def test_a_compacted_codex_session_goes_on_from_what_replaced_it() -> None:
    before, history, after = (codex_items([Round(q, "", [], a)]) for q, a in (("q", "a"), ("sum", "ok"), ("r", "b")))
    log = [
        *(codex_line("response_item", item) for item in before),
        codex_line("compacted", {"message": "", "replacement_history": history[:1]}),
        *(codex_line("response_item", item) for item in after),
    ]
    found = readable(lines(list(log)))
    assert [[turn[1][0][1] for turn in turns] for turns in shapes(found)] == [["q", "a"], ["sum", "r", "b"]]
    log[2] = codex_line("compacted", {"message": "sum"})
    told = readable(lines(list(log)))
    assert shapes(told) == shapes(found)
    assert ["summary only" in message for message in messages_of(told)] == [True]


def test_an_encrypted_codex_thought_and_turns_taken_back_are_told() -> None:
    items = codex_items([Round("q", "", [], "a")])
    items.insert(1, {"type": "reasoning", "summary": [], "encrypted_content": "zz"})
    log = [codex_line("response_item", item) for item in items]
    log.append(codex_line("event_msg", {"type": "thread_rolled_back", "num_turns": 1}))
    found = readable(lines(list(log)))
    assert said(found) == [("q", "a")]
    assert ["encrypted" in messages_of(found)[0], "took turns back" in messages_of(found)[1]] == [True, True]


def test_instructions_of_a_codex_session_are_told_unless_a_message_holds_them() -> None:
    meta = codex_line("session_meta", {"id": "s", "instructions": "Use tabs.\n"})
    items = codex_items([Round("Rules:\nUse tabs.\n", "", [], "a")])
    held = readable(lines([meta, *(codex_line("response_item", item) for item in items)]))
    told = readable(lines([meta, *(codex_line("response_item", item) for item in items[1:])]))
    assert (messages_of(held), messages_of(told)) == ([], ["`payload.instructions` was not read."])


def test_a_codex_shell_call_is_a_call_with_its_action() -> None:
    call = {"type": "local_shell_call", "call_id": "1", "status": "completed", "action": {"command": ["ls"]}}
    items = [*codex_items([Round("q", "", [], "a")])[:1], call]
    found = readable(lines([codex_line("response_item", item) for item in items]))
    part = found.responses[0].turn.parts[0]
    assert part.call is not None
    assert (part.call.name, json.loads(part.call.arguments)) == ("local_shell", {"command": ["ls"]})


# ATIF


def atif(talk: list[Round], **more: object) -> Json:
    steps: list[Json] = [{"source": "system", "message": "Be brief."}]
    for each in talk:
        steps.append({"source": "user", "message": each.question})
        thought = {"reasoning_content": each.thought} if each.thought else {}
        if each.calls:
            calls = [
                {"tool_call_id": str(n), "function_name": "t", "arguments": arguments}
                for n, (arguments, _) in enumerate(each.calls)
            ]
            results = [{"source_call_id": str(n), "content": result} for n, (_, result) in enumerate(each.calls)]
            observation = {"results": results}
            steps.append({"source": "agent", "message": "", "tool_calls": calls, "observation": observation, **thought})
            thought = {}
        steps.append({"source": "agent", "message": each.answer, "metrics": {"prompt_tokens": 1}, **thought})
    numbered = [{"step_id": n, **step} for n, step in enumerate(steps, 1)]
    agent = {"name": "a", "version": "1", "model_name": "m"}
    return {"schema_version": "ATIF-v1.6", "session_id": "s", "agent": agent, "steps": numbered, **more}


@given(talks(), fronts, st.booleans())
def test_an_atif_trajectory_is_read_back_exactly(talk: list[Round], front: str, ascii_only: bool) -> None:
    text = dumped(atif(talk, final_metrics={"total_steps": 3}), front, ascii_only=ascii_only)
    found = readable(text)
    assert found.format == "atif"
    assert shapes(found) == [expected(talk, "Be brief.")]
    assert found.problems == ()
    assert_escaped(text, found)


def test_copied_steps_are_context_and_a_subagent_is_a_conversation_of_its_own() -> None:
    trajectory = atif([Round("q", "", [], "a"), Round("r", "", [], "b")])
    trajectory["steps"][2]["is_copied_context"] = True
    trajectory["subagent_trajectories"] = [atif([Round("task", "", [], "c")])]
    found = readable(dumped(trajectory))
    assert said(found) == [("r", "b"), ("task", "c")]
    assert [turn.text for turn in found.responses[0].context] == ["Be brief.", "q", "a", "r"]


# OpenTelemetry


def otel_messages(talk: list[Round]) -> list[Json]:
    found: list[Json] = []
    for each in talk:
        found.append({"role": "user", "parts": [{"type": "text", "content": each.question}]})
        parts = [{"type": "reasoning", "content": each.thought}] if each.thought else []
        if each.calls:
            calls = [
                {"type": "tool_call", "id": "1", "name": "t", "arguments": arguments} for arguments, _ in each.calls
            ]
            found.append({"role": "assistant", "parts": parts + calls})
            results = [{"type": "tool_call_response", "id": "1", "response": result} for _, result in each.calls]
            found.append({"role": "tool", "parts": results})
            parts = []
        found.append({"role": "assistant", "parts": [*parts, {"type": "text", "content": each.answer}]})
    return found


def any_value(value: object) -> Json:
    """A value as OTLP spells it."""
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": any_value(each)} for key, each in value.items()]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(each) for each in value]}}
    return {"stringValue": value}


OTEL_FORMS: dict[str, Callable[[Json], object]] = {
    "plain": lambda attributes: {"name": "chat m", "attributes": attributes},
    "strings": lambda attributes: [{"attributes": {key: json.dumps(value) for key, value in attributes.items()}}],
    "otlp": lambda attributes: {
        "resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": any_value(attributes)["kvlistValue"]["values"]}]}]}]
    },
    "event": lambda attributes: {
        "events": [
            {
                "name": "gen_ai.client.inference.operation.details",
                "attributes": [
                    {"key": key, "value": {"stringValue": json.dumps(value, ensure_ascii=False)}}
                    for key, value in attributes.items()
                ],
            }
        ]
    },
    "jaeger": lambda attributes: {
        "spans": [
            {"tags": [{"key": key, "type": "string", "value": json.dumps(value)} for key, value in attributes.items()]}
        ]
    },
}


def spelled_in_a_string(text: str, found: Transcript) -> None:
    """Each character stands in the file as an escape of an escape."""
    for response in found.responses:
        for turn in (*response.context, response.turn):
            for part in turn.parts:
                assert part.source.decoded_length == len(part.text)
                for i, character in enumerate(part.text):
                    once = json.loads(f'"{text[part.source.start_of(i) : part.source.end_of(i)]}"')
                    assert json.loads(f'"{once}"').replace("\r\n", "\n") == character


@given(talks(), fronts, st.sampled_from(sorted(OTEL_FORMS)), st.booleans())
def test_genai_messages_are_read_back_exactly(talk: list[Round], front: str, form: str, ascii_only: bool) -> None:
    *asked, answer = otel_messages(talk)
    attributes = {
        "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
        "gen_ai.input.messages": asked,
        "gen_ai.output.messages": [{**answer, "finish_reason": "stop"}],
    }
    text = dumped(OTEL_FORMS[form](attributes), front, ascii_only=ascii_only)
    found = readable(text)
    assert found.format == "otel"
    assert shapes(found) == [expected(talk, "Be brief.")]
    assert [response.text for response in found.responses] == [talk[-1].answer.replace("\r\n", "\n")]
    assert found.problems == ()
    if form in ("plain", "otlp"):
        assert_escaped(text, found)
    else:
        spelled_in_a_string(text, found)


def test_a_string_that_holds_no_json_is_told_with_its_line() -> None:
    attributes = {"gen_ai.input.messages": "hello [", "gen_ai.output.messages": json.dumps(otel_messages([]))}
    text = dumped([{"attributes": attributes}, {"attributes": {"gen_ai.output.messages": '[{"role": "x"}]'}}])
    found = readable(text)
    assert found.responses == ()
    assert [line for line, _ in found.problems] == [4, 10]
    assert "is no JSON" in messages_of(found)[0]
    assert "The role 'x'" in messages_of(found)[1]


def test_messages_nested_too_deep_are_no_conversation() -> None:
    text = '{"a":' * 400 + '{"gen_ai.input.messages": "[]"}' + "}" * 400
    assert read(text) is None


# aider

line_texts = st.text(max_size=8).filter(lambda t: "\n" not in t and "\r" not in t)
questions = st.lists(line_texts, min_size=1, max_size=3).map("\n".join).filter(lambda t: t[:1] not in ("/", "!"))
no_mark = texts.map(lambda t: t.strip(" \t\r\n")).filter(
    lambda t: t and "# aider" not in t and not any(line.endswith("  ") for line in t.replace("\r", "").split("\n"))
)


@given(st.lists(st.lists(st.tuples(questions, no_mark), min_size=1, max_size=2), min_size=1, max_size=2), fronts)
def test_an_aider_history_is_read_back_exactly(sessions: list[list[tuple[str, str]]], front: str) -> None:
    text = front
    for talk in sessions:
        text += "\n# aider chat started at 2026-01-01 10:00:00\n\n> Aider v1  \n\n"
        for question, answer in talk:
            asked = "  \n#### ".join(question.split("\n"))
            text += f"\n#### {asked}  \n\n{answer}\n\n> Tokens: 3 sent.  \n"
    found = readable(text)
    assert found.format == "aider"
    assert shapes(found) == [expected([Round(q, "", [], a) for q, a in talk]) for talk in sessions]
    assert found.problems == ()
    for response in found.responses:
        for turn in (*response.context, response.turn):
            for i, character in enumerate(turn.text):
                source = turn.parts[0].source
                run = text[source.start_of(i) : source.end_of(i)]
                assert run == character or (character == "\n" and run in ("\r\n", "  \n#### "))


def test_marks_in_an_answer_of_aider_are_text() -> None:
    answer = "> a quote\n\n#### A heading\n\n# aider"
    text = f"# aider chat started at x\n\n#### q  \n\n{answer}\n\n> Applied.  \n"
    found = readable(text)
    assert said(found) == [("q", answer)]
    assert_verbatim(text, found)


def test_without_their_two_spaces_all_marks_of_aider_count() -> None:
    found = readable("# aider chat started at x\n> Aider\n\n#### q\n\na\n\n> Tokens: 3\n")
    assert said(found) == [("q", "a")]


def test_commands_of_aider_are_left_out_and_questions_among_them_are_read() -> None:
    text = "# aider chat started at x\r\n\r\n#### /add a.py  \r\n> Added.  \r\n#### /ask why?  \r\n\r\nSo.\r\n"
    assert said(readable(text)) == [("/ask why?", "So.")]


def test_a_second_answer_of_aider_is_told() -> None:
    found = readable("# aider chat started at x\n#### q  \n\na\n\n> Lint failed.  \n\nb\n")
    assert [response.text for response in found.responses] == ["a", "b"]
    assert [line for line, _ in found.problems] == [8]


def test_the_greeting_of_aider_is_no_answer_and_text_after_a_command_is_told() -> None:
    greeting = "> aider --message Be brief.\n\n  Why?  \n> Aider v1  \n\n"
    text = f"# aider chat started at x\n\n{greeting}#### Be brief.  \n####   \n####   Why?  \n\nSo.\n\n"
    found = readable(f"{text}#### /run ls  \n> a.py  \nb.py\n")
    assert said(found) == [("Be brief.\n\n  Why?", "So.")]
    assert messages_of(found) == ["Text that answers nothing that the user asked the model was left out."]
