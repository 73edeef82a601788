"""What SillyTavern, text-generation-webui and Ollama log: as the model saw it, the rest is said."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shiftlens.transcripts import Transcript
from transcripts.talks import Round, dumped, expected, fronts, lines, shapes, talks
from transcripts.transcript_checks import assert_escaped, readable, said

Json = dict[str, Any]


def messages_of(found: Transcript) -> list[str]:
    return [message for _, message in found.problems]


def tavern(talk: list[Round]) -> list[Json]:
    found: list[Json] = [{"user_name": "You", "character_name": "C", "create_date": "d", "chat_metadata": {"x": "y"}}]
    for each in talk:
        found.append({"name": "You", "is_user": True, "is_system": False, "mes": each.question, "extra": {}})
        if each.calls:
            made = [{"name": "t", "id": "1", "parameters": a, "result": r} for a, r in each.calls]
            found.append(
                {"name": "S", "is_user": False, "is_system": True, "mes": "x", "extra": {"tool_invocations": made}}
            )
        extra = {"reasoning": each.thought, "api": "a", "model": "m"} if each.thought else {}
        answer = {"name": "C", "is_user": False, "is_system": False, "mes": each.answer, "extra": extra}
        found.append({**answer, "swipes": [each.answer], "swipe_id": 0, "gen_started": "d"})
    return found


def thought_after_calls(talk: list[Round]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The turns of a conversation whose log holds the thought beside the answer, not beside the calls before it."""
    turns = []
    for each in talk:
        *before, _ = expected([each._replace(thought="")])
        turns += before
        turns += expected([each._replace(calls=[])])[1:]
    return turns


@given(talks(), fronts, st.booleans())
def test_a_sillytavern_chat_is_read_back_exactly(talk: list[Round], front: str, ascii_only: bool) -> None:
    text = lines(list(tavern(talk)), front, ascii_only=ascii_only)
    found = readable(text, filename="chat.jsonl")
    assert found.format == "sillytavern"
    assert shapes(found) == [thought_after_calls(talk)]
    assert found.problems == ()
    assert_escaped(text, found)


def test_a_greeting_is_no_response_and_hidden_messages_and_swipes_are_told() -> None:
    log = tavern([Round("q", "", [], "a")])
    greeting = {"name": "C", "is_user": False, "is_system": False, "mes": "Hello!"}
    hidden = {"name": "C", "is_user": False, "is_system": True, "mes": "never mind"}
    log[2]["swipes"] = ["old", "a"]
    found = readable(lines([log[0], greeting, hidden, *log[1:]]))
    assert [turn[1] for turn in shapes(found)[0]] == [[("text", "Hello!")], [("text", "q")], [("text", "a")]]
    assert [response.text for response in found.responses] == ["a"]
    assert ["hidden" in messages_of(found)[0], "Swipes" in messages_of(found)[1]] == [True, True]


@given(talks(thoughts=False, calls=False), fronts, st.booleans(), st.booleans())
def test_a_webui_history_is_read_back_exactly(talk: list[Round], front: str, ascii_only: bool, old: bool) -> None:
    pairs = [["<|BEGIN-VISIBLE-CHAT|>", "Hello!"], *([each.question, each.answer] for each in talk)]
    visible = [["", "shown"]] * len(pairs)
    names = ("data", "data_visible") if old else ("internal", "visible")
    text = dumped(dict(zip(names, (pairs, visible), strict=True)), front, ascii_only=ascii_only)
    found = readable(text)
    assert found.format == "text-generation-webui"
    assert shapes(found) == [[("assistant", [("text", "Hello!")]), *expected(talk)]]
    assert [response.text for response in found.responses] == [each.answer.replace("\r\n", "\n") for each in talk]
    assert found.problems == ()
    assert_escaped(text, found)


@given(talks(calls=False), st.booleans(), st.sampled_from(["record", "lines", "wrapped"]))
def test_ollama_chats_are_read_back_exactly(talk: list[Round], ascii_only: bool, form: str) -> None:
    messages: list[Json] = []
    for each in talk:
        thought = {"thinking": each.thought} if each.thought else {}
        messages.append({"role": "user", "content": each.question})
        messages.append({"role": "assistant", "content": each.answer, **thought})
    *asked, answer = messages
    request = {"model": "m", "messages": asked, "stream": form == "lines", "options": {"seed": 1}}
    response = {"model": "m", "created_at": "d", "message": answer, "done": True, "total_duration": 1}
    records: list[object] = [{**request, **response}]
    if form == "lines":
        content = answer["content"]
        cut = 2 if content.startswith("\r\n") else 1
        first = {"model": "m", "message": {**answer, "content": content[:cut]}, "done": False}
        rest = {"model": "m", "message": {"role": "assistant", "content": content[cut:]}, "done": False}
        records = [request, first, rest, {**response, "message": {"role": "assistant", "content": ""}}]
    elif form == "wrapped":
        records = [{"request": request, "response": response}]
    text = lines(records, ascii_only=ascii_only)
    found = readable(text, filename="ollama.jsonl")
    assert found.format == "ollama"
    assert shapes(found) == [expected(talk)]
    assert found.problems == ()
    assert_escaped(text, found)


def test_a_raw_prompt_of_ollama_is_the_prefix_itself() -> None:
    record = {"model": "m", "prompt": "[INST] q [/INST]", "raw": True, "response": "a", "done": True}
    response = readable(lines([record])).responses[0]
    assert (response.verbatim_prefix, response.text) == ("[INST] q [/INST]", "a")


def test_an_ollama_answer_without_its_question_is_told() -> None:
    found = readable(lines([{"model": "m", "response": "a", "done": True}]))
    assert [response.text for response in found.responses] == ["a"]
    assert ["without what was asked" in message for message in messages_of(found)] == [True]


def test_an_ollama_system_prompt_comes_before_the_question() -> None:
    record = {"model": "m", "system": "s", "prompt": "q", "response": "a", "done": True, "thinking": "t"}
    found = readable(lines([record]))
    assert shapes(found) == [expected([Round("q", "t", [], "a")], "s")]
    assert said(found) == [("q", "a")]
