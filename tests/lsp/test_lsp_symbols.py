"""Document symbols and folding ranges come from reading a file; scores only add to them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from lsp.test_lsp_review_views import of
from shiftlens.lsp.views.symbols import document_symbols, flat_symbols, folding_ranges
from shiftlens.text.lines import LineIndex
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

TALK = "User: Why is\nthe sky blue?\nAssistant: Great question!\nIt scatters.\nUser: Thanks\nAssistant: Bye\n"


def transcript_of(text: str, name: str = "talk.txt") -> Transcript:
    found = read(text, filename=name)
    assert found is not None
    return found


def symbols(text: str, name: str = "talk.txt") -> list[types.DocumentSymbol]:
    return document_symbols(transcript_of(text, name), None, LineIndex(text), "utf-16")


def outline(found: list[types.DocumentSymbol], depth: int = 0) -> Iterator[tuple[int, str, str | None]]:
    for symbol in found:
        yield depth, symbol.name, symbol.detail
        yield from outline(list(symbol.children or ()), depth + 1)


def test_one_conversation_is_its_turns() -> None:
    found = symbols(TALK)
    assert list(outline(found)) == [
        (0, "user: Why is", None),
        (0, "assistant: Great question!", "response 1"),
        (0, "user: Thanks", None),
        (0, "assistant: Bye", "response 2"),
    ]
    kinds = types.SymbolKind
    assert [symbol.kind for symbol in found] == [kinds.String, kinds.Function, kinds.String, kinds.Function]
    assert (found[1].range.start, found[1].range.end) == (types.Position(2, 11), types.Position(3, 12))
    assert (found[1].selection_range.start, found[1].selection_range.end) == (
        types.Position(2, 11),
        types.Position(2, 26),
    )


def test_several_conversations_hold_their_turns() -> None:
    record = {"prompt": "Hi?", "chosen": "Hello.", "rejected": "No."}
    found = symbols(json.dumps(record) + "\n", "pairs.jsonl")
    assert list(outline(found)) == [
        (0, "conversation 1: Hi?", None),
        (1, "user: Hi?", None),
        (1, "assistant: Hello.", "response 1 · chosen"),
        (0, "conversation 2: Hi?", None),
        (1, "user: Hi?", None),
        (1, "assistant: No.", "response 2 · rejected"),
    ]


def test_the_parts_of_a_turn_that_has_several_are_in_it() -> None:
    message = {"role": "assistant", "reasoning_content": "Let me think.", "content": "Yes."}
    text = json.dumps({"messages": [{"role": "user", "content": "Ok?"}, message]})
    assert list(outline(symbols(text, "talk.jsonl")))[1:] == [
        (0, "assistant: Yes.", "response 1"),
        (1, "reasoning: Let me think.", None),
        (1, "answer: Yes.", None),
    ]


def test_a_response_with_scores_says_its_shares() -> None:
    analysis = of("uSm")
    found = document_symbols(analysis.transcript, analysis, LineIndex(analysis.text), "utf-16")
    assert found[1].detail == "response 1 · 4 tokens: 25.0% shifted, 25.0% marginal, 50.0% unshifted"


def test_a_name_is_one_harmless_line_of_some_length() -> None:
    (_, answer) = symbols(f"User: q\nAssistant: \u202e{'w' * 200}\n")
    assert "\u202e" not in answer.name
    assert len(answer.name) < 80


def test_a_client_that_knows_no_nesting_gets_a_flat_list() -> None:
    found = flat_symbols("file:///a", symbols(json.dumps({"prompt": "Hi?", "chosen": "A", "rejected": "B"}), "p.jsonl"))
    assert [(one.name, one.container_name) for one in found[:3]] == [
        ("conversation 1: Hi?", None),
        ("user: Hi?", "conversation 1: Hi?"),
        ("assistant: A (response 1 · chosen)", "conversation 1: Hi?"),
    ]


def folds(text: str, name: str = "talk.txt", limit: int | None = None) -> list[tuple[int, int]]:
    return [(f.start_line, f.end_line) for f in folding_ranges(transcript_of(text, name), LineIndex(text), limit)]


def test_turns_of_several_lines_fold() -> None:
    assert folds(TALK) == [(0, 1), (2, 3)]
    assert folds(TALK, limit=1) == [(0, 1)]
    assert folds("User: q\nAssistant: a\n") == []


def test_conversations_of_several_lines_fold_around_their_turns() -> None:
    records = [{"prompt": "a", "response": "b"}, {"prompt": "c", "response": "d"}]
    assert folds(json.dumps(records, indent=1), "talk.json") == [(2, 3), (6, 7)]


def test_thought_and_answer_fold_by_themselves() -> None:
    text = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<think>\na\n</think>\nb\nc<|im_end|>\n"
    assert folds(text) == [(3, 7), (3, 5), (6, 7)]


@pytest.mark.parametrize("unit", ["utf-8", "utf-16", "utf-32"])
@given(words=st.lists(st.text(st.sampled_from("aé🙂 \u2028"), min_size=1, max_size=5), min_size=2, max_size=4))
def test_every_symbol_lies_in_its_parent_and_holds_its_selection(unit: str, words: list[str]) -> None:
    text = json.dumps(
        [{"prompt": word, "response": f"x{word}\n{word}"} for word in words], ensure_ascii=False, indent=1
    )
    lines = LineIndex(text)

    def check(found: list[types.DocumentSymbol], parent: types.Range | None) -> None:
        for symbol in found:
            inner, outer = symbol.selection_range, symbol.range
            assert (outer.start, inner.start) == (inner.start, outer.start)
            assert inner.end <= outer.end
            assert parent is None or (parent.start <= outer.start and outer.end <= parent.end)
            check(list(symbol.children or ()), symbol.range)

    transcript = transcript_of(text, "talk.json")
    assert len(transcript.conversations) == len(words)
    check(document_symbols(transcript, None, lines, unit), None)  # type: ignore[arg-type]
