"""Any conversation, written as a record of a format, is read back to the same turns at exact places."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlens.transcripts import PartKind, Role, Transcript, Turn
from transcripts.transcript_checks import assert_escaped, readable, texts

Parts = list[tuple[str, str]]
Turns = list[tuple[str, Parts]]
Json = object


@dataclass(frozen=True)
class Chat:
    """What is said, to be written in a format: questions with their reasoning and answers, and more where it fits."""

    system: str
    pairs: list[tuple[str, str, str]]
    other: str


# Some readers take an answer less the literal of an end token, and read prompts that begin as a template does.
said_texts = texts.filter(
    lambda t: not t.rstrip().endswith(">") and t.lstrip()[:1] not in ("<", "[") and "Human:" not in t
)
some_text = said_texts.filter(bool)
chats = st.builds(
    Chat,
    st.one_of(st.just(""), some_text),
    st.lists(st.tuples(some_text, st.one_of(st.just(""), some_text), some_text), min_size=1, max_size=3),
    some_text,
)


def system_of(chat: Chat) -> Turns:
    return [("system", [("text", chat.system)])] if chat.system else []


def plain_turns(chat: Chat) -> Turns:
    turns = system_of(chat)
    for question, _, answer in chat.pairs:
        turns += [("user", [("text", question)]), ("assistant", [("text", answer)])]
    return turns


def thinking_turns(chat: Chat) -> Turns:
    turns = system_of(chat)
    for question, reasoning, answer in chat.pairs:
        thought = [("reasoning", reasoning)] if reasoning else []
        turns += [("user", [("text", question)]), ("assistant", [*thought, ("text", answer)])]
    return turns


def last_pair(chat: Chat) -> Turns:
    question, _, answer = chat.pairs[-1]
    return [*system_of(chat), ("user", [("text", question)]), ("assistant", [("text", answer)])]


def rejected(chat: Chat, turns: Turns) -> Turns:
    return [*turns[:-1], ("assistant", [("text", chat.other)])]


def messages(turns: Turns, who: str = "role", what: str = "content") -> list[Json]:
    names = {"user": "human", "assistant": "gpt"} if who == "from" else {}
    return [{who: names.get(role, role), what: "".join(text for _, text in parts)} for role, parts in turns]


def openai(chat: Chat) -> tuple[Json, list[Turns]]:
    return {"id": 1, "messages": messages(plain_turns(chat))}, [plain_turns(chat)]


def openai_system_beside(chat: Chat) -> tuple[Json, list[Turns]]:
    without = plain_turns(Chat("", chat.pairs, ""))
    return {"system": chat.system, "messages": messages(without)}, [plain_turns(chat)]


def openai_parts(chat: Chat) -> tuple[Json, list[Turns]]:
    said = []
    for role, parts in thinking_turns(chat):
        said.append({"role": role, "content": [{"type": kind, "text": text} for kind, text in parts]})
    return {"messages": said}, [thinking_turns(chat)]


def anthropic(chat: Chat) -> tuple[Json, list[Turns]]:
    said = []
    for role, parts in thinking_turns(Chat("", chat.pairs, "")):
        blocks = [{"type": "thinking" if kind == "reasoning" else "text", _KEYS[kind]: text} for kind, text in parts]
        said.append({"role": role, "content": blocks})
    system = [{"type": "text", "text": chat.system}] if chat.system else []
    return {"system": system, "messages": said}, [thinking_turns(chat)]


_KEYS = {"reasoning": "thinking", "text": "text"}


def reasoning_field(chat: Chat) -> tuple[Json, list[Turns]]:
    said = []
    for role, parts in thinking_turns(chat):
        message = {"role": role, "content": parts[-1][1]}
        said.append({**message, "reasoning_content": parts[0][1]} if len(parts) > 1 else message)
    return said, [thinking_turns(chat)]


def harmony(chat: Chat) -> tuple[Json, list[Turns]]:
    said: list[Json] = []
    for role, parts in thinking_turns(chat):
        for kind, text in parts:
            channel = {"channel": "analysis" if kind == "reasoning" else "final"} if role == "assistant" else {}
            said.append({"role": role, **channel, "content": text})
    return {"messages": said}, [thinking_turns(chat)]


def responses_items(chat: Chat) -> tuple[Json, list[Turns]]:
    items: list[Json] = []
    for role, parts in thinking_turns(chat):
        for kind, text in parts:
            if kind == "reasoning":
                items.append(
                    {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": text}]}
                )
            else:
                items.append({"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]})
    return {"messages": items}, [thinking_turns(chat)]


def answer_beside(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = plain_turns(chat)
    return {"messages": messages(turns[:-1]), "response": turns[-1][1][0][1]}, [turns]


def choices_beside(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = plain_turns(chat)
    choices = [{"index": 0, "message": messages(turns[-1:])[0]}, {"message": messages(rejected(chat, turns)[-1:])[0]}]
    return {"messages": messages(turns[:-1]), "choices": choices}, [turns, rejected(chat, turns)]


def exchange(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = plain_turns(chat)
    sent_back = {"body": {"choices": [{"message": messages(turns[-1:])[0]}]}}
    return {"request": {"model": "m", "messages": messages(turns[:-1])}, "response": sent_back}, [turns]


def sharegpt(chat: Chat) -> tuple[Json, list[Turns]]:
    return {"conversations": messages(plain_turns(chat), "from", "value")}, [plain_turns(chat)]


def sharegpt_items(chat: Chat) -> tuple[Json, list[Turns]]:
    without = plain_turns(Chat("", chat.pairs, ""))
    return {"system_prompt": chat.system, "items": messages(without, "from", "value")}, [plain_turns(chat)]


def turn_pairs(chat: Chat) -> tuple[Json, list[Turns]]:
    pairs = [{"human": question, "assistant": answer} for question, _, answer in chat.pairs]
    return {"conversation": pairs, "system": chat.system}, [plain_turns(chat)]


def alpaca_history(chat: Chat) -> tuple[Json, list[Turns]]:
    question, _, answer = chat.pairs[-1]
    history = [[question, answer] for question, _, answer in chat.pairs[:-1]]
    record = {"instruction": question, "input": "", "output": answer, "system": chat.system, "history": history}
    return record, [plain_turns(chat)]


def alpaca_input(chat: Chat) -> tuple[Json, list[Turns]]:
    question, _, answer = chat.pairs[0]
    asked = [("text", question), ("text", "\n"), ("text", chat.other)]
    record = {"instruction": question, "input": chat.other, "output": answer}
    return record, [[("user", asked), ("assistant", [("text", answer)])]]


def dolly(chat: Chat) -> tuple[Json, list[Turns]]:
    question, _, answer = chat.pairs[0]
    asked = [("text", question), ("text", "\n"), ("text", chat.other)]
    record = {"instruction": question, "context": chat.other, "response": answer, "category": "closed_qa"}
    return record, [[("user", asked), ("assistant", [("text", answer)])]]


def just_eval(chat: Chat) -> tuple[Json, list[Turns]]:
    question, _, answer = chat.pairs[0]
    turns: Turns = [("user", [("text", question)]), ("assistant", [("text", answer)])]
    record = {"instruction": question, "output": [answer, chat.other], "generator": "m"}
    return record, [turns, rejected(chat, turns)]


def prompt_completion(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = last_pair(chat)
    return {"system": chat.system, "prompt": chat.pairs[-1][0], "completion": chat.pairs[-1][2]}, [turns]


def openorca(chat: Chat) -> tuple[Json, list[Turns]]:
    record = {"id": "1", "system_prompt": chat.system, "question": chat.pairs[-1][0], "response": chat.pairs[-1][2]}
    return record, [last_pair(chat)]


def trl_messages(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = plain_turns(chat)
    return {"prompt": messages(turns[:-1]), "completion": messages(turns[-1:])}, [turns]


def preference_texts(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = last_pair(chat)
    record = {"system": chat.system, "prompt": chat.pairs[-1][0], "chosen": chat.pairs[-1][2], "rejected": chat.other}
    return record, [turns, rejected(chat, turns)]


def preference_messages(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = plain_turns(chat)
    other = rejected(chat, turns)
    record = {"prompt": messages(turns[:-1]), "chosen": messages(turns[-1:]), "rejected": messages(other[-1:])}
    return record, [turns, other]


def preference_whole(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = plain_turns(chat)
    other = rejected(chat, turns)
    record = {
        "prompt": chat.pairs[-1][0],
        "chosen": messages(turns),
        "rejected": messages(other),
        "messages": messages(turns),
    }
    return record, [turns, other]


def preference_sharegpt(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = plain_turns(chat)
    other = rejected(chat, turns)
    chosen, refused = (messages(side[-1:], "from", "value")[0] for side in (turns, other))
    return {"conversations": messages(turns[:-1], "from", "value"), "chosen": chosen, "rejected": refused}, [
        turns,
        other,
    ]


def ultrafeedback(chat: Chat) -> tuple[Json, list[Turns]]:
    turns = last_pair(chat)
    completions = [
        {"model": "a", "custom_system_prompt": chat.system, "response": chat.pairs[-1][2], "critique": "Good."},
        {"model": "b", "custom_system_prompt": chat.system, "response": chat.other, "annotations": {"x": "y"}},
    ]
    return {"instruction": chat.pairs[-1][0], "completions": completions}, [turns, rejected(chat, turns)]


FORMATS: list[tuple[str, Callable[[Chat], tuple[Json, list[Turns]]]]] = [
    *(("openai", write) for write in (openai, openai_system_beside, openai_parts, anthropic, reasoning_field, harmony)),
    *(("openai", write) for write in (responses_items, answer_beside, choices_beside)),
    ("exchange", exchange),
    *(("sharegpt", write) for write in (sharegpt, sharegpt_items)),
    ("turn-pairs", turn_pairs),
    *(("alpaca", write) for write in (alpaca_history, alpaca_input)),
    ("dolly", dolly),
    ("just-eval", just_eval),
    *(("prompt-response", write) for write in (prompt_completion, openorca, trl_messages)),
    *(
        ("preference", write)
        for write in (preference_texts, preference_messages, preference_whole, preference_sharegpt)
    ),
    ("ultrafeedback", ultrafeedback),
]


def decoded(turns: Turns) -> Turns:
    """CRLF is one newline."""
    return [(role, [(kind, lf(text)) for kind, text in parts]) for role, parts in turns]


def lf(text: str) -> str:
    return text.replace("\r\n", "\n")


def read_turns(transcript: Transcript) -> list[Turns]:
    return [[_turn(turn) for turn in turns] for turns in transcript.conversations]


def _turn(turn: Turn) -> tuple[str, Parts]:
    return turn.role.value, [(part.kind.value, part.text) for part in turn.parts]


def written(records: list[Json], how: str, ascii_only: bool, ordered: bool) -> str:
    if how == "lines":
        return "".join(json.dumps(r, ensure_ascii=ascii_only, sort_keys=ordered) + "\r\n" for r in records)
    value = records if how == "list" or len(records) > 1 else records[0]
    return json.dumps(value, ensure_ascii=ascii_only, sort_keys=ordered, indent=2 if how == "indented" else None)


@pytest.mark.parametrize(("name", "write"), FORMATS, ids=[write.__name__ for _, write in FORMATS])
@settings(max_examples=30, deadline=None)
@given(
    said=st.lists(chats, min_size=1, max_size=2),
    how=st.sampled_from(["lines", "list", "one", "indented"]),
    ascii_only=st.booleans(),
    ordered=st.booleans(),
    front=st.sampled_from(["", "\ufeff"]),
)
def test_a_record_is_read_back_exactly(
    name: str,
    write: Callable[[Chat], tuple[Json, list[Turns]]],
    said: list[Chat],
    how: str,
    ascii_only: bool,
    ordered: bool,
    front: str,
) -> None:
    records = [write(chat) for chat in said]
    text = front + written([record for record, _ in records], how, ascii_only, ordered)
    found = readable(text, filename="x.jsonl" if how == "lines" else "x.json")
    assert found.format == name
    assert read_turns(found) == [decoded(turns) for _, expected in records for turns in expected]
    assert found.problems == ()
    assert_escaped(text, found)


@given(st.lists(st.tuples(some_text, some_text), min_size=1, max_size=3), some_text, st.booleans())
def test_both_sides_of_an_hh_pair_are_read_back_exactly(
    pairs: list[tuple[str, str]], other: str, ascii_only: bool
) -> None:
    clean = [(question.strip() + ".", answer.strip() + ".") for question, answer in pairs]
    chosen = "".join(f"\n\nHuman: {question}\n\nAssistant: {answer}" for question, answer in clean)
    refused = chosen[: chosen.rindex("\n\nAssistant: ")] + f"\n\nAssistant: {other.strip()}!"
    text = json.dumps({"chosen": chosen, "rejected": refused}, ensure_ascii=ascii_only)
    found = readable(text)
    assert found.format == "preference"
    answers = [("chosen", clean[-1][1]), ("rejected", f"{other.strip()}!")]
    assert [(r.label, r.text) for r in found.responses] == [(label, lf(answer)) for label, answer in answers]
    asked = [turn.text for turn in found.responses[0].context if turn.role is Role.USER]
    assert asked == [lf(question) for question, _ in clean]
    assert_escaped(text, found)


@given(st.lists(some_text, min_size=1, max_size=3), st.booleans())
def test_steps_are_one_answer_whose_newlines_stand_between_literals(steps: list[str], ascii_only: bool) -> None:
    labels = [True] * len(steps)
    text = json.dumps({"prompt": "q", "completions": steps, "labels": labels}, ensure_ascii=ascii_only)
    found = readable(text)
    joined = "".join(lf(s) if s.endswith("\n") else f"{lf(s)}\n" for s in steps[:-1]) + lf(steps[-1])
    assert (found.format, [r.text for r in found.responses]) == ("stepwise", [joined])
    source = found.responses[0].turn.parts[0].source
    spans = [source.span(at, at + 1) for at in range(len(joined))]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(st.dictionaries(some_text, st.one_of(some_text, st.integers(), st.none())), some_text, st.booleans())
def test_the_arguments_of_a_spoken_call_lead_to_their_own_literals(
    arguments: dict[str, object], name: str, ascii_only: bool
) -> None:
    inner = json.dumps(arguments)
    call = json.dumps({"name": name, "arguments": arguments})
    turns = [{"from": "human", "value": "q"}, {"from": "function_call", "value": call}]
    text = json.dumps({"conversations": turns}, ensure_ascii=ascii_only)
    (part,) = readable(text).conversations[0][1].parts
    assert (part.kind, part.text) == (PartKind.TOOL_CALL, inner)
    assert part.call is not None
    assert (part.call.name, part.call.arguments) == (lf(name), inner)
    assert json.loads(f'"{text[part.source.source_start : part.source.source_end]}"') == inner
