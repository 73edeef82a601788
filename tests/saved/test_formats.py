"""Files that hold logprobs: read without a model, they give what the model that wrote them gives when it is run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest

from saved.files import FORMATS, MODEL, QUESTION, WITH_BYTES, WITH_IDS, WITHOUT_END, Row, rows_of, written
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.analysis.tokens import tokens
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.pipeline.saved_work import offered_scores, plan_saved_work
from shiftlens.saved.shapes import readings
from shiftlens.saved.tokens import SavedToken
from shiftlens.scores.columns import Above, int32, rank_of
from shiftlens.scores.outcomes import Refusal
from shiftlens.scores.records import OneModelScores, SideScores
from shiftlens.scores.requests import to_score
from shiftlens.scoring.events import Scored
from shiftlens.scoring.session import Session
from shiftlens.transcripts.model import SavedLogprobs, Transcript
from shiftlens.transcripts.read import read

K = 5
LOCAL = PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu")
# With characters of several bytes, which the bundled tokenizer cuts.
ANSWERS = (
    "Great question! The sky is blue because air scatters blue light more than red.",
    "Sure – naïve “light” scatters 🙂.",
)


@pytest.fixture(scope="module")
def local() -> dict[str, SideScores]:
    """What the bundled aligned model gives for each answer, with 20 candidates."""
    asked = [read(f"User: {QUESTION}\n\nAssistant: {answer}\n") for answer in ANSWERS]
    requests = [to_score(each.responses[0], each.format) for each in asked if each is not None]
    events = Session().score(LOCAL, ScoreOptions(top_k=20), requests)
    done = {event.index: event.scored.aligned for event in events if isinstance(event, Scored) and not event.partial}
    return {answer: done[at] for at, answer in enumerate(ANSWERS)}


def transcript_of(text: str) -> Transcript:
    found = read(text, filename="a.json")
    assert found is not None
    return found


def outcome_of(text: str) -> OneModelScores | Refusal:
    found = transcript_of(text)
    (outcome,) = (
        known.outcome for known in plan_saved_work(found, ScoreOptions()).result_of_each() if known is not None
    )
    assert isinstance(outcome, (OneModelScores, Refusal))
    return outcome


def analysed(text: str) -> ResponseAnalysis:
    outcome = outcome_of(text)
    assert isinstance(outcome, OneModelScores), str(outcome)
    return build(transcript_of(text).responses[0], outcome, ClassifyOptions())


@pytest.mark.slow
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", FORMATS)
def test_ranks_and_probabilities_are_those_of_the_model_run_here(
    name: str, answer: str, local: dict[str, SideScores]
) -> None:
    side = local[answer]
    found = analysed(written(name, answer, rows_of(side), K))
    assert found.text == answer
    positions = list(tokens(found))
    assert len(positions) == side.rows - (name in WITHOUT_END)
    assert found.has_end == (name not in WITHOUT_END)
    for at, (position, row) in enumerate(zip(positions, rows_of(side), strict=False)):
        assert position.base is None
        if name in WITH_BYTES or _is_text(row.data):
            assert position.piece == row.data
        assert position.aligned.logprob == pytest.approx(row.logprob, abs=1e-4)
        assert_rank(position.aligned.rank, int32(side.rank)[at])
        assert (position.id == row.id) == (name in WITH_IDS)
        assert math.isnan(position.kl)
        if int32(side.rank)[at] <= K and name != "completions":
            assert position.aligned.rank == int32(side.rank)[at]


def assert_rank(found: object, local: int) -> None:
    """Equal where it is told exactly, and otherwise no more than is so."""
    if isinstance(found, Above):
        assert local > found.rank
    elif found is not None:
        assert found == local


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chat", "vllm prompt", "sglang", "gemini"])
def test_every_class_is_told_where_the_most_likely_tokens_are_in_the_file(
    name: str, local: dict[str, SideScores]
) -> None:
    side = local[ANSWERS[0]]
    found = analysed(written(name, ANSWERS[0], rows_of(side), K))
    assert found.summary.unknown == 0
    assert [known(rank, K) for rank in int32(found.scored.aligned.rank)] == [known(r, K) for r in int32(side.rank)]


def known(rank: int, k: int) -> object:
    found = rank_of(rank)
    return Above(k) if isinstance(found, int) and found > k else found


@pytest.mark.parametrize("name", FORMATS)
def test_the_model_of_the_file_is_named_and_what_its_classes_mean(name: str) -> None:
    found = outcome_of(written(name, "a b", ROWS, 2))
    assert isinstance(found, OneModelScores)
    assert found.model_name == MODEL
    assert found.notes[0].startswith(f"Scores saved in the file by {MODEL} (")
    assert found.notes[0].endswith("one model only: classes are by that model's own rank.")


@pytest.mark.parametrize("name", FORMATS)
def test_reading_such_a_file_gives_no_problem(name: str) -> None:
    found = transcript_of(written(name, "a b", ROWS, 2))
    assert found.problems == ()
    assert len(found.responses) == 1


ROWS = [
    Row(5, b"a", -0.5, ((5, b"a", -0.5), (6, b"A", -2.0))),
    Row(7, b" b", -3.0, ((8, b" c", -0.5), (9, b" d", -2.0))),
    Row(2, b"</s>", -0.1, ((2, b"</s>", -0.1), (8, b" c", -4.0))),
]


def test_the_tokens_of_the_answer_are_found_behind_the_models_thoughts() -> None:
    rows = [Row(3, b"hm</think>\n\n", -0.5, ()), *ROWS]
    found = analysed(written("chat", "a b", rows, 2))
    assert [token.piece for token in tokens(found)] == [b"a", b" b", b"</s>"]
    assert any("One token of the saved logprobs is not of the text" in note for note in found.notes)


def test_reasoning_in_a_field_of_its_own_is_coloured_too_where_its_tokens_are_there() -> None:
    value = json.loads(written("chat", "a b", [Row(3, b"hm", -0.5, ()), Row(4, b"</think>", -0.1, ()), *ROWS], 2))
    value["response"]["choices"][0]["message"]["reasoning_content"] = "hm"
    found = analysed(json.dumps(value))
    assert [(token.part, token.piece) for token in tokens(found)][:2] == [("reasoning", b"hm"), ("answer", b"a")]


def test_reasoning_without_logprobs_is_told() -> None:
    value = json.loads(written("chat", "a b", ROWS, 2))
    value["response"]["choices"][0]["message"]["reasoning_content"] = "hidden"
    found = analysed(json.dumps(value))
    assert found.text == "a b"
    assert any("no logprobs of the reasoning" in note for note in found.notes)


def test_pieces_of_a_stream_of_ollama_are_one_after_the_other() -> None:
    pieces = [
        {"model": MODEL, "prompt": QUESTION, "response": "a", "done": False, "logprobs": [ITEM_A]},
        {"model": MODEL, "response": " b", "done": False, "logprobs": [ITEM_B]},
        {"model": MODEL, "response": "", "done": True},
    ]
    found = analysed("\n".join(map(json.dumps, pieces)))
    assert [token.piece for token in tokens(found)] == [b"a", b" b"]


ITEM_A = {"token": "a", "logprob": -0.5, "top_logprobs": []}
ITEM_B = {"token": " b", "logprob": -1.5, "top_logprobs": []}


def test_without_candidates_a_rank_is_known_where_a_token_has_more_than_half() -> None:
    value = {"prompt": QUESTION, "completion": "a b", "logprobs": [ITEM_A, ITEM_B]}
    found = analysed(json.dumps(value))
    assert [token.aligned.rank for token in tokens(found)] == [1, None]
    assert any("no candidates" in note for note in found.notes)


def test_two_texts_that_are_one_hide_a_candidate_and_leave_the_rank_open() -> None:
    columns = {
        "tokens": ["a", " b", " c"],
        "token_logprobs": [-1.0, -2.0, -4.0],
        "top_logprobs": [{"a": -1.0, "x": -1.5, "y": -3.0}, {" b": -2.0, " z": -3.0}, {" z": -1, " y": -2, " c": -4.0}],
    }
    value = {"model": "m", "prompt": QUESTION, "choices": [{"text": "a b c", "logprobs": columns}]}
    found = analysed(json.dumps(value))
    assert [token.aligned.rank for token in tokens(found)] == [1, None, Above(2)]


def test_what_a_server_writes_for_minus_infinity_is_no_probability() -> None:
    rows = [Row(5, b"a", -9999.0, ((6, b"x", -0.5), (7, b"y", -1.5))), *ROWS[1:]]
    found = list(tokens(analysed(written("chat", "a b", rows, 2))))
    assert math.isnan(found[0].aligned.logprob)
    assert found[0].aligned.rank == Above(2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"token": "z"}, "are not the text of the response"),
        ({"logprob": 3.5}, "3.5 as a logprob"),
        ({"logprob": "x"}, "no number but a text"),
        ({"token": "token_id:5", "bytes": None}, "are not the text of the response"),
        ({"top_logprobs": [{"token": "p", "logprob": -0.1}, {"token": "q", "logprob": -0.1}]}, "1.810 together"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(change: dict[str, object], told: str) -> None:
    items = [{**ITEM_A, **change}, ITEM_B]
    found = outcome_of(json.dumps({"prompt": QUESTION, "completion": "a b", "logprobs": items}))
    assert isinstance(found, Refusal)
    assert told in found.problem


def test_tokens_that_are_named_by_ids_alone_are_refused() -> None:
    meta = {"output_token_logprobs": [[-0.5, 5, None], [-1.5, 6, None]]}
    found = outcome_of(json.dumps({"prompt": QUESTION, "response": {"text": "a b", "meta_info": meta}}))
    assert isinstance(found, Refusal)
    assert "by their ids alone" in found.problem


def test_numbers_without_tokens_are_refused() -> None:
    value = json.loads(written("atif", "a b", ROWS, 2))
    value["steps"][1]["metrics"] = {"logprobs": [-0.5, -1.5], "completion_token_ids": [5, 7]}
    found = outcome_of(json.dumps(value))
    assert isinstance(found, Refusal)
    assert "without their tokens" in found.problem


def test_entries_that_javascript_has_sorted_are_not_guessed_at() -> None:
    entries = [
        {"1": {"logprob": -2.0, "decoded_token": "x"}, "5": {"logprob": -0.5, "decoded_token": "a"}},
        {"7": {"logprob": -0.5, "decoded_token": " b"}, "9": {"logprob": -2.0, "decoded_token": "y"}},
    ]
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "a b"}]
    found = outcome_of(json.dumps({"messages": messages, "prompt_logprobs": [None, *entries]}))
    assert isinstance(found, Refusal)


def test_each_answer_of_a_conversation_has_its_own_of_the_prompts_logprobs() -> None:
    said = ["q", "one", "r", "two"]
    entries = [{str(at): {"logprob": -1.0, "decoded_token": text}} for at, text in enumerate(said)]
    roles = ["user", "assistant"] * 2
    messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
    found = transcript_of(json.dumps({"messages": messages, "prompt_logprobs": [None, *entries]}))
    outcomes = [known.outcome for known in plan_saved_work(found, ScoreOptions()).result_of_each() if known is not None]
    assert [each.piece(0) for each in outcomes if isinstance(each, OneModelScores)] == [b"one", b"two"]


def test_the_logprobs_of_a_prompt_are_read_once_for_all_answers_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[SavedLogprobs] = []

    def counted(saved: SavedLogprobs) -> Iterator[tuple[SavedToken, ...]]:
        asked.append(saved)
        yield from readings(saved)

    monkeypatch.setattr("shiftlens.saved.scores.readings", counted)
    said = ["q", "one", "r", "two", "s", "three"]
    entries = [{str(at): {"logprob": -1.0, "decoded_token": text}} for at, text in enumerate(said)]
    roles = ["user", "assistant"] * 3
    messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
    found = transcript_of(json.dumps({"messages": messages, "prompt_logprobs": [None, *entries]}))
    work = plan_saved_work(found, ScoreOptions())
    assert sum(isinstance(known.outcome, OneModelScores) for known in work.result_of_each() if known is not None) == 3
    assert len(asked) == 1


def test_a_response_without_logprobs_is_told_as_left_out() -> None:
    lines = [{"prompt": "q", "completion": "a b", "logprobs": [ITEM_A, ITEM_B]}, {"prompt": "q", "completion": "c"}]
    found = transcript_of("\n".join(map(json.dumps, lines)))
    outcomes = [known.outcome for known in plan_saved_work(found, ScoreOptions()).result_of_each() if known is not None]
    assert isinstance(outcomes[0], OneModelScores)
    assert outcomes[1] == Refusal("The file holds no logprobs of this response.")


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def test_a_list_of_numbers_beside_an_answer_is_refused_and_not_offered() -> None:
    found = transcript_of(json.dumps({"prompt": "q", "completion": "a b", "logprobs": [-0.5, -1.5]}))
    assert offered_scores(found) == ""
    (result,) = plan_saved_work(found, ScoreOptions()).result_of_each()
    assert result is not None
    assert isinstance(result.outcome, Refusal)
    assert "without their tokens" in result.outcome.problem
