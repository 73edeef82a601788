"""Inspect logs: what the model saw is read whole, from JSON and from archives of either shape."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.errors import TranscriptError
from shiftlens.transcripts import PartKind, Role, archives
from shiftlens.transcripts.archives import open_archive, read_archive
from shiftlens.transcripts.evals import inspect_messages
from transcripts.archive_checks import (
    DEFLATED,
    STORED,
    ZSTANDARD,
    archive,
    sample,
    sample_bytes,
    spoken,
)
from transcripts.transcript_checks import assert_escaped, readable, said, texts

DATA = Path(__file__).parent / "data"
EXPECTED = json.loads((DATA / "inspect-expected.json").read_text(encoding="utf-8"))
SPEC = {"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}}


def lf(text: str) -> str:
    """CRLF is one newline."""
    return text.replace("\r\n", "\n")


def user(text: str) -> dict[str, object]:
    return {"role": "user", "content": text}


def answer(text: object, **more: object) -> dict[str, object]:
    return {"role": "assistant", "content": text, "source": "generate", **more}


@pytest.mark.parametrize("name", ["inspect.eval", "inspect-chunked.eval"])
def test_an_archive_that_inspect_wrote_is_read_as_inspect_reads_it(name: str) -> None:
    found = read_archive((DATA / name).read_bytes(), name)
    assert [[each.member_name, spoken(each)] for each in found] == EXPECTED
    for each in found:
        assert each.transcript.problems == ()
        assert each.transcript.responses
        for response in each.transcript.responses:
            (tool,) = json.loads(response.tools)
            assert tool["function"]["name"] == "search"


parts = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "text", "text": text}, texts),
        st.builds(lambda text: {"type": "reasoning", "reasoning": text, "redacted": False}, texts.filter(bool)),
    ),
    min_size=1,
    max_size=3,
)
answers = st.one_of(texts.filter(bool), parts)


@given(st.lists(st.tuples(texts, answers), min_size=1, max_size=3), st.booleans(), st.sampled_from(["", "\ufeff"]))
def test_a_log_is_read_back_exactly(pairs: list[tuple[str, Any]], ascii_only: bool, front: str) -> None:
    messages = [message for question, said_ in pairs for message in (user(question), answer(said_))]
    output = {"model": "m", "choices": [{"message": messages[-1], "stop_reason": "stop"}]}
    log = {**SPEC, "samples": [sample(messages, output=output)]}
    text = front + json.dumps(log, ensure_ascii=ascii_only, indent=1)
    found = readable(text)
    assert found.format == "inspect"
    assert found.problems == ()
    expected = [
        [("text", lf(said_))]
        if isinstance(said_, str)
        else [(str(part["type"]), lf(str(part.get("text", part.get("reasoning"))))) for part in said_]
        for _, said_ in pairs
    ]
    turns = found.conversations[0]
    assert [turn.text for turn in turns[::2]] == [lf(question) for question, _ in pairs]
    assert [[(part.kind.value, part.text) for part in turn.parts] for turn in turns[1::2]] == expected
    assert_escaped(text, found)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=3))
def test_texts_kept_apart_are_read_where_they_are_named(pairs: list[tuple[str, str]]) -> None:
    every = [text for pair in pairs for text in pair]
    kept = {f"{number:032x}": text for number, text in enumerate(every)}
    keys = iter(f"attachment://{key}" for key in kept)
    messages = [message for _ in pairs for message in (user(next(keys)), answer(next(keys)))]
    text = json.dumps({**SPEC, "samples": [sample(messages, attachments=kept)]})
    found = readable(text)
    assert [turn.text for turn in found.conversations[0]] == [lf(text) for text in every]
    assert_escaped(text, found)


def test_an_attachment_that_is_missing_is_told() -> None:
    text = json.dumps(sample([user("attachment://0badc0de"), answer("a")], attachments={}))
    found = readable(text)
    assert said(found) == [("attachment://0badc0de", "a")]
    assert found.problems == ((1, "The attachment '0badc0de' is not in the sample; its name stands for it."),)


def test_an_attachment_in_the_arguments_of_a_call_is_put_in_its_place() -> None:
    call = {"id": "c", "function": "f", "arguments": {"a": "attachment://00", "b": [1, "x"]}, "type": "function"}
    text = json.dumps(sample([user("q"), answer("", tool_calls=[call])], attachments={"00": 'long "text"\n'}))
    (part,) = [p for p in readable(text).responses[0].turn.parts if p.kind is PartKind.TOOL_CALL]
    assert part.call is not None
    assert (part.call.name, part.call.id) == ("f", "c")
    assert json.loads(part.call.arguments) == {"a": 'long "text"\n', "b": [1, "x"]}


def test_the_error_of_a_tool_is_what_the_model_was_given() -> None:
    tool = {"role": "tool", "content": "", "function": "f", "error": {"type": "timeout", "message": "Too slow."}}
    found = readable(json.dumps(sample([user("q"), tool, answer("a")])))
    assert [(turn.role, turn.name, turn.text) for turn in found.responses[0].context[1:]] == [
        (Role.TOOL, "f", "Too slow.")
    ]
    assert found.problems == ()


def test_a_tool_of_the_provider_splits_the_answer_at_its_result() -> None:
    content = [
        {"type": "tool_use", "tool_type": "web_search", "id": "w", "name": "s", "arguments": "{}", "result": "found"},
        {"type": "text", "text": "So it is."},
    ]
    turns = readable(json.dumps(sample([user("q"), answer(content)]))).conversations[0]
    assert [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT, Role.TOOL, Role.ASSISTANT]
    assert [turn.text for turn in turns] == ["q", "", "found", "So it is."]


def test_the_summary_of_redacted_reasoning_is_read_and_every_response_says_so() -> None:
    content = [
        {"type": "reasoning", "reasoning": "gAAAAB==", "summary": "It thought.", "redacted": True},
        {"type": "text", "text": "a"},
    ]
    text = json.dumps(sample([user("q"), answer(content)]))
    found = readable(text)
    (response,) = found.responses
    assert [(part.kind, part.text) for part in response.turn.parts] == [
        (PartKind.REASONING, "It thought."),
        (PartKind.TEXT, "a"),
    ]
    assert "summary" in response.notes[0]
    assert "summary" in found.problems[0][1]
    assert_escaped(text, found)


def test_redacted_reasoning_without_a_summary_is_not_read_and_every_response_says_so() -> None:
    content = [{"type": "reasoning", "reasoning": "gAAAAB==", "redacted": True}, {"type": "text", "text": "a"}]
    found = readable(json.dumps(sample([user("q"), answer(content)])))
    (response,) = found.responses
    assert [part.text for part in response.turn.parts] == ["a"]
    assert "encrypted" in response.notes[0]
    assert "encrypted" in found.problems[0][1]


def test_an_assistants_message_that_the_sample_was_given_is_part_of_the_prompt() -> None:
    found = readable(json.dumps(sample([user("q"), answer("shown", source="input"), user("r"), answer("own")])))
    assert [response.text for response in found.responses] == ["own"]
    assert [turn.text for turn in found.responses[0].context] == ["q", "shown", "r"]


def test_further_choices_are_other_answers_to_the_same_prompt() -> None:
    output = {"choices": [{"message": answer("one")}, {"message": answer("two")}]}
    found = readable(json.dumps(sample([user("q"), answer("one")], output=output)))
    assert [(r.text, r.label, [turn.text for turn in r.context]) for r in found.responses] == [
        ("one", "", ["q"]),
        ("two", "choice 2", ["q"]),
    ]


def test_an_output_that_the_messages_lack_is_read() -> None:
    found = readable(json.dumps(sample([user("q")], output={"choices": [{"message": answer("a")}]})))
    assert said(found) == [("q", "a")]


def test_an_image_is_named_in_a_problem() -> None:
    content = [{"type": "image", "image": "data:"}, {"type": "text", "text": "What is it?"}]
    found = readable(json.dumps(sample([{"role": "user", "content": content}, answer("A cat.")])))
    assert said(found) == [("What is it?", "A cat.")]
    assert found.problems == ((1, "Content parts of the type 'image' were not read."),)


def test_tools_that_change_during_a_sample_are_noted() -> None:
    events = [{"event": "model", "tools": [{"name": name}]} for name in ("f", "g")]
    (response,) = readable(json.dumps(sample([user("q"), answer("a")], events=events))).responses
    assert json.loads(response.tools) == [{"type": "function", "function": {"name": "g"}}]
    assert "changed" in response.notes[0]


@given(st.lists(texts, min_size=1, max_size=3), st.sampled_from([STORED, DEFLATED, ZSTANDARD]), st.integers(1, 4))
def test_members_of_every_method_and_of_several_frames_are_read(said_: list[str], method: int, frames: int) -> None:
    members = {
        f"samples/{number}_epoch_1.json": sample_bytes([user(text), answer(text + "!")])
        for number, text in enumerate(said_)
    }
    found = read_archive(archive({"header.json": b"{}", **members}, method, frames), "x.eval")
    assert [each.member_name for each in found] == list(members)
    assert [said(each.transcript) for each in found] == [[(lf(text), lf(text + "!"))] for text in said_]
    for each in found:
        assert each.transcript.problems == ()
        assert_escaped(each.text, each.transcript)


@given(st.lists(texts, min_size=2, max_size=8), st.integers(1, 3))
def test_chunks_of_a_sample_are_put_together(said_: list[str], size: int) -> None:
    pool = [answer("of another branch"), *(user(t) if i % 2 == 0 else answer(t) for i, t in enumerate(said_))]
    shell = {"id": 1, "epoch": 1, "input": "i", "target": "t", "message_refs": [[1, 2], [2, len(pool)]]}
    chunks = {
        f"samples/1_epoch_1/messages/{at}.json": json.dumps(pool[at : at + size]).encode()
        for at in range(0, len(pool), size)
    }
    members = {"samples/1_epoch_1/sample.json": json.dumps(shell).encode(), **dict(reversed(chunks.items()))}
    (found,) = read_archive(archive(members), "x.eval")
    assert [turn.text for turn in found.transcript.conversations[0]] == [lf(text) for text in said_]
    assert_escaped(found.text, found.transcript)


def test_a_missing_chunk_leaves_the_sample_out_and_is_told() -> None:
    shell = {"id": 1, "epoch": 1, "input": "i", "target": "t", "message_refs": [[0, 2]]}
    members = {
        "samples/1_epoch_1/sample.json": json.dumps(shell).encode(),
        "samples/1_epoch_1/messages/1.json": json.dumps([answer("a")]).encode(),
        "samples/2_epoch_1.json": sample_bytes([user("q"), answer("a")]),
    }
    one, two = read_archive(archive(members), "x.eval")
    assert one.transcript.problems == (
        (1, "The sample was left out: a chunk of its messages is missing before or at 1."),
    )
    assert said(two.transcript) == [("q", "a")]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"crc": 7}, "checksum"),
        ({"size": 3}, "checksum"),
        ({"flags": 0x801}, "encrypted"),
        ({"named": 12}, "method 12"),
        ({"named": DEFLATED}, "can't be decompressed"),
    ],
)
def test_a_damaged_member_is_left_out_and_told(fault: dict[str, int], told: str) -> None:
    raw = archive({"samples/1_epoch_1.json": sample_bytes([user("q"), answer("a")])}, **fault)
    (found,) = read_archive(raw, "x.eval")
    assert found.transcript.responses == ()
    assert told in found.transcript.problems[0][1]


def test_a_member_that_swells_beyond_the_limit_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_SAMPLE_BYTES", 10_000)
    members = {
        "samples/1_epoch_1.json": b" " * 10_000_000,
        "samples/2_epoch_1.json": sample_bytes([user("q"), answer("a")]),
    }
    for method in (DEFLATED, ZSTANDARD):
        bomb, good = open_archive(archive(members, method), "x.eval")
        assert bomb.problem == "The sample was left out: it has more than 10,000 bytes when decompressed."
        assert good.problem == ""


def test_events_that_are_too_large_cost_the_tools_and_not_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_SAMPLE_BYTES", 10_000)
    shell = {"id": 1, "epoch": 1, "input": "i", "target": "t", "message_refs": [[0, 2]]}
    members = {
        "samples/1_epoch_1/sample.json": json.dumps(shell).encode(),
        "samples/1_epoch_1/messages/0.json": json.dumps([user("q"), answer("a")]).encode(),
        "samples/1_epoch_1/events/0.json": b" " * 10_000_000,
    }
    (found,) = read_archive(archive(members), "x.eval")
    assert said(found.transcript) == [("q", "a")]
    assert "tools" in found.transcript.problems[0][1]


@given(st.lists(texts, min_size=3, max_size=9), st.integers(1, 4), st.data())
def test_attachments_in_chunks_are_found_by_their_index(kept: list[str], size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(kept) - 1))
    messages = [user(f"attachment://{at}"), answer("a")]
    shell = {"id": 1, "epoch": 1, "input": "i", "target": "t", "message_refs": [[0, 2]]}
    chunks = {
        f"samples/1_epoch_1/attachments/{start}.json": json.dumps(kept[start : start + size]).encode()
        for start in range(0, len(kept), size)
    }
    members = {
        "samples/1_epoch_1/sample.json": json.dumps(shell).encode(),
        "samples/1_epoch_1/messages/0.json": json.dumps(messages).encode(),
    }
    (found,) = read_archive(archive({**members, **chunks}), "x.eval")
    assert said(found.transcript) == [(lf(kept[at]), "a")]
    assert found.transcript.problems == ()


@pytest.mark.parametrize("refs", [[[0, 3]], [[-1, 1]], [[1, 0]], [[0]], "x", [["a", "b"]]])
def test_ranges_that_name_no_messages_leave_the_sample_out(refs: object) -> None:
    shell = {"id": 1, "epoch": 1, "input": "i", "target": "t", "message_refs": refs}
    members = {
        "samples/1_epoch_1/sample.json": json.dumps(shell).encode(),
        "samples/1_epoch_1/messages/0.json": json.dumps([user("q"), answer("a")]).encode(),
    }
    (found,) = read_archive(archive(members), "x.eval")
    assert found.transcript.responses == ()
    assert found.transcript.problems


def test_messages_named_over_and_over_are_no_way_around_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_SAMPLE_BYTES", 50_000)
    shell = {"id": 1, "epoch": 1, "input": "i", "target": "t", "message_refs": [[0, 2]] * 100}
    members = {
        "samples/1_epoch_1/sample.json": json.dumps(shell).encode(),
        "samples/1_epoch_1/messages/0.json": json.dumps([user("q" * 1000), answer("a")]).encode(),
    }
    (found,) = open_archive(archive(members), "x.eval")
    assert "its messages have more than" in found.problem


def test_attachments_named_over_and_over_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_messages, "MAX_CHARACTERS", 5000)
    messages = [message for _ in range(10) for message in (user("attachment://00"), answer("a"))]
    with pytest.raises(TranscriptError, match="5,000 characters"):
        readable(json.dumps(sample(messages, attachments={"00": "x" * 1000})))


def test_an_archive_is_read_no_further_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    one = sample_bytes([user("q"), answer("a" * 1000)])
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", len(one) * 2)
    members = {f"samples/{number}_epoch_1.json": one for number in range(4)}
    problems = [member.problem for member in open_archive(archive(members), "x.eval")]
    assert problems[:2] == ["", ""]
    assert all("the archive has more than" in problem for problem in problems[2:])


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04 and no more", archive({"header.json": b"{}"})])
def test_bytes_that_are_no_archive_of_samples_are_refused_with_a_remedy(raw: bytes) -> None:
    with pytest.raises(TranscriptError, match=r"x\.eval"):
        open_archive(raw, "x.eval")


@given(st.integers(0, 6000), st.binary(min_size=1, max_size=8))
def test_no_damage_makes_reading_an_archive_fail_otherwise(at: int, damage: bytes) -> None:
    raw = bytearray((DATA / "inspect-chunked.eval").read_bytes())
    raw[at : at + len(damage)] = damage
    with suppress(TranscriptError):
        assert all(found.transcript.problems for found in read_archive(bytes(raw), "x.eval") if not found.text)


def test_half_a_surrogate_pair_in_an_archive_is_read_as_in_other_json() -> None:
    raw = archive({"samples/1_epoch_1.json": json.dumps(sample([user("\ud83d"), answer("a")])).encode()})
    (found,) = read_archive(raw, "x.eval")
    assert said(found.transcript) == [("\ufffd", "a")]
