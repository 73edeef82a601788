"""Which parts of a response are scored, and how its tokens lie in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes import opened_pair
from scoring.small_templates import EMPTY_THOUGHT
from shiftlens.errors import ScoringError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextPart, ContextTurn, ResponseToScore
from shiftlens.scoring.inputs.contexts import aligntds_query
from shiftlens.scoring.inputs.layout import laid_out
from shiftlens.scoring.inputs.parts import Passage, ScoredText
from shiftlens.scoring.inputs.prepare import Prepared, prepare
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.opening.pair import OpenedPair
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

QUESTION = ContextTurn.of("user", "Why is the sky blue?")
THOUGHT = ContextPart("reasoning", "Air, so scatter.")
ANSWER = ContextPart("text", "Because air scatters blue light.")
CALL = ContextPart("tool_call", '{"a": 1}', call=("add", '{"a": 1}', ""))
GLUE = "\n</think>\n\n"


@pytest.fixture(scope="module")
def thinking(tmp_path_factory: pytest.TempPathFactory) -> OpenedPair:
    """A pair whose template writes a thought before an answer."""
    folder: Path = tmp_path_factory.mktemp("thinking")
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = EMPTY_THOUGHT
    base = save_model(folder / "base", tokenizer, seed=0)
    aligned = save_model(folder / "aligned", tokenizer, seed=1)
    return opened_pair(PairSpec(base=str(base), aligned=str(aligned), device="cpu"))


def prepared(pair: OpenedPair, *parts: ContextPart, same_tokens: bool = True, **options: object) -> Prepared:
    response = ResponseToScore(turns=(QUESTION,), parts=parts, source_format="json")
    chosen = ScoreOptions(**options)  # type: ignore[arg-type]
    return prepare(pair.base.loaded, pair.aligned.loaded, response, chosen, same_tokens=same_tokens)


def reported_text(pair: OpenedPair, ready: Prepared) -> bytes:
    """The bytes of the reported tokens, joined."""
    pieces = pair.aligned.loaded.encoder.pieces
    rows = range(len(ready.ids)) if ready.reported is None else ready.reported.positions
    return b"".join(pieces[ready.ids[row]] for row in rows)


def test_a_thought_and_its_answer_are_scored_and_the_marks_between_are_not(thinking: OpenedPair) -> None:
    ready = prepared(thinking, THOUGHT, ANSWER)
    assert ready.parts == (0, 1)
    assert ready.ends
    assert ready.reported is not None
    assert ready.reported.byte_ends[-1] == len(THOUGHT.text + ANSWER.text)
    assert len(ready.reported.positions) < len(ready.ids)
    assert b"</think>" not in reported_text(thinking, ready)


def test_both_models_are_given_the_mark_that_opens_the_thought(thinking: OpenedPair) -> None:
    ready = prepared(thinking, THOUGHT, ANSWER)
    assert ready.aligned.prefix_text.endswith("<|im_start|>assistant\n<think>\n")
    assert ready.base.prefix_text.endswith(aligntds_query(QUESTION.text) + "<think>\n")


def test_a_thought_that_is_not_scored_stands_in_both_contexts(thinking: OpenedPair) -> None:
    ready = prepared(thinking, THOUGHT, ANSWER, parts=("answer",))
    thought = "<think>\nAir, so scatter.\n</think>\n\n"
    assert ready.parts == (1,)
    assert ready.reported is None
    assert ready.aligned.prefix_text.endswith(thought)
    assert ready.base.prefix_text.endswith(aligntds_query(QUESTION.text) + thought)


def test_the_end_is_scored_only_after_the_last_part_of_the_turn(thinking: OpenedPair) -> None:
    assert not prepared(thinking, THOUGHT, ANSWER, parts=("reasoning",)).ends
    assert not prepared(thinking, ANSWER, CALL).ends
    assert prepared(thinking, ANSWER, CALL, parts=("answer", "tool_call")).ends


def test_a_call_is_scored_when_it_is_asked_for(thinking: OpenedPair) -> None:
    ready = prepared(thinking, ANSWER, CALL, parts=("answer", "tool_call"))
    assert ready.parts == (0, 1)
    assert reported_text(thinking, ready).endswith(b'{"a": 1}')


def test_a_turn_of_nothing_but_calls_says_what_it_has(thinking: OpenedPair) -> None:
    with pytest.raises(ScoringError, match=r"no part of the kinds that are scored .*only: tool_call"):
        prepared(thinking, CALL)


def test_an_answer_by_itself_has_no_rows_to_drop(thinking: OpenedPair) -> None:
    ready = prepared(thinking, ANSWER)
    assert (ready.parts, ready.reported, ready.separate_starts, ready.ends) == ((0,), None, (), True)


def test_with_two_vocabularies_only_the_answer_is_scored_after_its_thought(thinking: OpenedPair) -> None:
    ready = prepared(thinking, THOUGHT, ANSWER, same_tokens=False)
    assert ready.parts == (1,)
    assert any("two vocabularies" in note for note in ready.notes)
    assert ready.base.prefix_text.endswith("Air, so scatter.\n</think>\n\n")


def test_with_two_vocabularies_marks_in_the_text_are_scored_with_it(thinking: OpenedPair) -> None:
    marked = ContextPart("reasoning", "<think>\nAir.\n</think>\n\n", marked=True)
    assert prepared(thinking, marked, ANSWER, same_tokens=False).parts == (0, 1)


def test_without_a_template_a_thought_stands_between_think_marks(thinking: OpenedPair) -> None:
    ready = prepared(thinking, THOUGHT, ANSWER, aligned_context="few-shot")
    assert ready.aligned.prefix_text.endswith("# Answer:\n```\n<think>\n")


@pytest.mark.parametrize("end", ["<|im_end|>", "<|endoftext|>"])
def test_compat_takes_an_end_spelled_in_the_text_as_the_last_position(thinking: OpenedPair, end: str) -> None:
    ready = prepared(thinking, ContextPart("text", f"Because{end}"), compat="aligntds")
    assert ready.ids[-1] == thinking.aligned.loaded.encoder.tokenizer.convert_tokens_to_ids(end)
    assert not ready.ends


def test_compat_counts_no_end_that_the_response_does_not_spell(thinking: OpenedPair) -> None:
    ready = prepared(thinking, ContextPart("text", "Because"), compat="aligntds")
    assert not ready.ends
    assert "does not spell its end" in ready.notes[-1]


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
passages = st.lists(st.tuples(texts, st.booleans()), min_size=1, max_size=5)


@pytest.mark.parametrize("encoder", [TextEncoder(byte_level_tokenizer()), TextEncoder(sentence_piece_tokenizer())])
@given(prefix=texts, between=passages, first=texts, last=texts)
def test_tokens_partition_the_scored_parts_whatever_stands_between(
    encoder: TextEncoder, prefix: str, between: list[tuple[str, bool]], first: str, last: str
) -> None:
    every = [(first, True), *between, (last, True)]
    found = tuple(Passage(text, at if scored else None) for at, (text, scored) in enumerate(every))
    scored = [passage.text for passage in found if passage.part is not None]
    text = ScoredText(prefix, "", found, tuple(p.part for p in found if p.part is not None), ends=True)
    layout = laid_out(encoder, text, (1,))
    assert layout.reported is not None
    ends = layout.reported.byte_ends
    assert list(ends) == sorted(ends)
    assert ends[-1] == len("".join(scored).encode())
    part_ends = {len("".join(scored[: at + 1]).encode()) for at in range(len(scored))}
    if layout.encoding.exact:
        assert part_ends <= set(ends)
