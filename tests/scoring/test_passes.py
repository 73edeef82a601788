"""A whole conversation in one pass, and short responses fed together: the numbers of each by itself."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.doing import do
from passes import assert_same, opened_pair, score_rows
from shiftlens.engine.protocol import Progress, Reply, Score, Scored
from shiftlens.engine.worker.jobs import Worker
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.inputs.prepare import Prepared, PreparedSide, prepare
from shiftlens.scoring.numbers.formulae import BaseBlock
from shiftlens.scoring.numbers.head import Heads, even_slices
from shiftlens.scoring.numbers.tensors import PairTensors
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.passes.batches import batches
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.passes.memory import PassMemory
from shiftlens.scoring.passes.plan import PassPlan, plan_passes
from shiftlens.scoring.passes.teacher_forcing import Scorer
from tiny_models import CHATML, byte_level_tokenizer, save_model

K = 10
ANSWERS = [
    "Because air scatters blue light.",
    "The quick brown fox jumps over the lazy dog. " * 9,
    "Great question! I hope this helps.",
    "def add(a, b):\n    return a + b\n" * 12,
]


@pytest.fixture(scope="module")
def pair(tiny_pair: PairSpec) -> OpenedPair:
    return opened_pair(tiny_pair)


class Watched(Heads):
    """Notes how many of its blocks are in memory when it makes another one."""

    _ROWS = 7

    def __init__(self, base: CausalModel, aligned: CausalModel) -> None:
        super().__init__(base, aligned, K)
        self.made: list[weakref.ref[BaseBlock]] = []
        self.there: list[int] = []

    @property
    def block_rows(self) -> int:
        return self._ROWS

    def base_block(self, hidden: torch.Tensor, ids: torch.Tensor) -> BaseBlock:
        self.there.append(sum(ref() is not None for ref in self.made))
        block = super().base_block(hidden, ids)
        self.made.append(weakref.ref(block))
        return block


def test_the_base_models_logits_of_a_block_are_gone_before_those_of_the_next(pair: OpenedPair) -> None:
    heads, ids = Watched(pair.base.causal, pair.aligned.causal), torch.arange(40)
    with torch.inference_mode():
        hidden, _ = pair.base.causal.hidden_states(ids.unsqueeze(0), None, keep=False)
        assert len(heads.numbers((hidden[0], hidden[0]), (ids, ids)).kl) == 40
    assert heads.there == [0] * 6


@pytest.mark.parametrize("base_context", ["chat", "raw"])
def test_a_conversation_is_one_pass_with_the_numbers_of_its_responses_alone(
    pair: OpenedPair, base_context: str
) -> None:
    ready = conversation(pair, ANSWERS, base_context)
    (plan,) = plan_passes(ready)
    assert plan.members == (0, 1, 2, 3)
    assert_each_as_alone(pair, ready, in_one_pass(pair, plan, ready))


def test_a_template_that_renders_past_turns_otherwise_gets_a_pass_per_response(tmp_path: Path) -> None:
    forgets = CHATML.replace("message['content'] }}", "message['content'] if loop.last else '(gone)' }}", 1)
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = forgets
    base, aligned = (save_model(tmp_path / name, tokenizer, seed=seed) for seed, name in enumerate(("base", "aligned")))
    spec = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    ready = conversation(opened_pair(spec), ANSWERS, "chat")
    assert [plan.members for plan in plan_passes(ready)] == [(0,), (1,), (2,), (3,)]


def test_after_an_edit_in_a_conversation_only_what_follows_it_is_fed(
    pair: OpenedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = PassMemory()
    before = conversation(pair, ANSWERS, "chat")
    in_one_pass(pair, plan_passes(before)[0], before, memory)
    after = conversation(pair, [*ANSWERS[:3], ANSWERS[3] + "More."], "chat")
    fed: list[int] = []
    states = type(pair.base.causal).hidden_states

    def counted(self: object, ids: torch.Tensor, cache: object, **keep: bool) -> object:
        fed.append(ids.numel())
        return states(self, ids, cache, **keep)  # type: ignore[arg-type]

    monkeypatch.setattr(type(pair.base.causal), "hidden_states", counted)
    # The server asks for what it does not have: the last response alone, or all that follow an edit.
    rows = in_one_pass(pair, plan_passes(after[3:])[0], after[3:], memory)
    assert 0 < sum(fed) < 40
    monkeypatch.undo()
    assert_each_as_alone(pair, after[3:], rows)


@pytest.mark.parametrize(
    ("model_type", "overrides"),
    [
        ("llama", {}),
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4}),
        ("gemma2", {"head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8}),
        ("mamba", {"hidden_size": 32, "num_hidden_layers": 2}),
        ("opt", {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4}),
    ],
)
def test_responses_fed_together_have_the_numbers_of_each_alone(
    tmp_path: Path, model_type: str, overrides: dict[str, object]
) -> None:
    tokenizer = byte_level_tokenizer()
    base, aligned = (
        save_model(tmp_path / name, tokenizer, seed=seed, model_type=model_type, **overrides)
        for seed, name in enumerate(("base", "aligned"))
    )
    pair = opened_pair(PairSpec(base=str(base), aligned=str(aligned), device="cpu"))
    ready = [one(pair, text) for text in ("Sky.", "Blue light scatters more.", "Great question! I hope this helps.")]
    together = scorer(pair).score_together(plan_passes(ready))
    assert_each_as_alone(pair, ready, together)


def test_every_response_of_a_request_is_sent_once_and_progress_never_falls(tiny_pair: PairSpec) -> None:
    replies: list[Reply] = []
    lone = [ResponseToScore(turns=(ask("Why?"),), parts=one_text(text * 3), source_format="labels") for text in ANSWERS]
    chain = [asked(ANSWERS[: i + 1]) for i in range(len(ANSWERS))]
    refused = ResponseToScore(turns=(ask("Why?"),), parts=one_text(""), source_format="labels")
    request = Score(
        job=1, pair=tiny_pair, options=ScoreOptions(base_context="chat"), responses=(*lone, refused, *chain)
    )
    do(Worker(replies.append, lambda _job: False), request)
    whole = [reply.index for reply in replies if isinstance(reply, Scored) and not reply.partial]
    assert sorted(whole) == [0, 1, 2, 3, 5, 6, 7, 8]
    fractions = [reply.fraction for reply in replies if isinstance(reply, Progress) and reply.phase == "scoring"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=1, max_size=40), st.integers(1, 600))
def test_batches_hold_every_pass_once_and_waste_little(lengths: list[tuple[int, int]], most: int) -> None:
    plans = plan_passes([made(base, aligned) for base, aligned in lengths])
    groups = batches(plans, most)
    assert sorted(plan.members for group in groups for plan in group) == sorted(plan.members for plan in plans)
    for group in groups:
        longest = max(plan.length for plan in group)
        assert len(group) == 1 or longest * len(group) <= most
        assert all(plan.length >= 0.8 * longest for plan in group)


@given(st.integers(1, 5000), st.integers(1, 500))
def test_even_slices_cover_everything_in_order(count: int, most: int) -> None:
    slices = even_slices(count, most)
    assert [i for part in slices for i in range(part.start, part.stop)] == list(range(count))
    sizes = [part.stop - part.start for part in slices]
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1


def ask(text: str) -> ContextTurn:
    return ContextTurn.of("user", text)


def asked(answers: Sequence[str]) -> ResponseToScore:
    """The last of these answers, after the others, each to a question."""
    turns: list[ContextTurn] = []
    for answer in answers[:-1]:
        turns += [ask("Why is the sky blue?"), ContextTurn.of("assistant", answer)]
    return ResponseToScore(turns=(*turns, ask("And then?")), parts=one_text(answers[-1]), source_format="labels")


def conversation(pair: OpenedPair, answers: Sequence[str], base_context: str) -> list[Prepared]:
    turns: list[ContextTurn] = []
    ready = []
    for answer in answers:
        turns.append(ask("Why is the sky blue?"))
        response = ResponseToScore(turns=tuple(turns), parts=one_text(answer), source_format="labels")
        options = ScoreOptions(base_context=base_context)
        ready.append(prepare(pair.base.loaded, pair.aligned.loaded, response, options))
        turns.append(ContextTurn.of("assistant", answer))
    return ready


def one(pair: OpenedPair, text: str) -> Prepared:
    response = ResponseToScore(turns=(ask("Why is the sky blue?"),), parts=one_text(text), source_format="labels")
    return prepare(pair.base.loaded, pair.aligned.loaded, response, ScoreOptions())


def made(base: int, aligned: int) -> Prepared:
    """A response of one token after contexts of these lengths, each unlike the others."""
    sides = [PreparedSide("", (*range(length),), 1) for length in (base, aligned)]
    return Prepared(sides[0], sides[1], (base,), (1,), boundary_first=False, notes=())


def scorer(pair: OpenedPair, memory: PassMemory | None = None) -> Scorer:
    base, aligned = pair.base.causal, pair.aligned.causal
    return Scorer(base, aligned, Heads(base, aligned, K), K, memory)


def in_one_pass(
    pair: OpenedPair, plan: PassPlan, ready: Sequence[Prepared], memory: PassMemory | None = None
) -> list[PairTensors]:
    """The rows of each response of a pass."""
    (*_, collector) = scorer(pair, memory).score(plan)
    rows = collector.all()
    starts = [0, *plan.ends]
    return [rows.part(*[slice(starts[i], starts[i] + len(r.ids) + 1)] * 2) for i, r in enumerate(ready)]


def assert_each_as_alone(pair: OpenedPair, ready: Sequence[Prepared], found: Sequence[PairTensors]) -> None:
    for prepared, rows in zip(ready, found, strict=True):
        (*_, alone) = score_rows(pair.base.causal, pair.aligned.causal, prepared, K)
        assert_same(rows, alone.all())
