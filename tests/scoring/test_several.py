"""Several aligned models beside one base model: the base is loaded once, fed once, and has the numbers of a pair."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.events import Opened, Progress, Refused, Scored
from shiftlens.scoring.passes.causal import CausalModel
from shiftlens.scoring.running.run import Run
from shiftlens.scoring.session import Session
from tiny_adapters import save_adapter
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

LONG = "Because air scatters blue light more than red light. " * 14
TEXTS = ("No.", LONG, "Great question! I hope this helps.", "Why not?", LONG[:400], "Because.")


@pytest.fixture(scope="module")
def specs(tiny_pair: PairSpec, tmp_path_factory: pytest.TempPathFactory) -> list[PairSpec]:
    """Three aligned models of one shape, with the base model of the tiny pair."""
    folder = tmp_path_factory.mktemp("tuned")
    tuned = [save_model(folder / str(seed), byte_level_tokenizer(), seed=seed) for seed in (7, 8)]
    return [tiny_pair, *(replace(tiny_pair, aligned=str(each)) for each in tuned)]


def responses(*texts: str) -> list[ResponseToScore]:
    return [
        ResponseToScore(turns=(ContextTurn.of("user", f"Why {i}?"),), parts=one_text(text), source_format="labels")
        for i, text in enumerate(texts)
    ]


def scored_as_pairs(
    session: Session, specs: list[PairSpec], options: ScoreOptions
) -> dict[tuple[int, int], ScoredResponse]:
    found = {}
    for number, spec in enumerate(specs):
        for events in session.steps(spec, Run(options, responses(*TEXTS), remember=False)):
            for event in events:
                if isinstance(event, Scored) and not event.partial:
                    found[number, event.index] = event.scored
    return found


def scored_at_once(
    session: Session, specs: list[PairSpec], options: ScoreOptions
) -> dict[tuple[int, int], ScoredResponse]:
    found = session.score_several(specs, options, responses(*TEXTS))
    return {
        (event.aligned, event.index): event.scored for event in found if isinstance(event, Scored) and not event.partial
    }


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How many ids each model's body is fed from now on."""
    counts: Counter[int] = Counter()
    states = CausalModel.hidden_states

    def counted(self: CausalModel, ids: torch.Tensor, cache: object, *, keep: bool = True) -> object:
        counts[id(self.body)] += ids.numel()
        return states(self, ids, cache, keep=keep)

    monkeypatch.setattr(CausalModel, "hidden_states", counted)
    return counts


@pytest.mark.parametrize("context", ["aligntds", "chat"])
def test_every_number_is_that_of_a_pair_to_the_bit(specs: list[PairSpec], context: str) -> None:
    options = ScoreOptions(base_context=context)
    pairs = scored_as_pairs(Session(), specs, options)
    assert scored_at_once(Session(), specs, options) == pairs
    assert len(pairs) == len(specs) * len(TEXTS)


def test_the_base_model_is_loaded_once_and_fed_once(specs: list[PairSpec], fed: Counter[int]) -> None:
    session = Session()
    scored_at_once(session, specs, ScoreOptions())
    assert session.loads == 1 + len(specs)
    with session.open(specs[0]) as pair:
        base = id(pair.base.causal.body)
    at_once = fed[base]
    fed.clear()
    scored_as_pairs(session, specs[:1], ScoreOptions())
    assert at_once == fed[base]


def test_the_head_of_the_base_model_is_run_once_for_each_block(
    specs: list[PairSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: Counter[int] = Counter()
    tiles = CausalModel.tiles

    def counted(self: CausalModel, states: torch.Tensor, cut: list[slice]) -> object:
        rows[id(self.body)] += len(states)
        return tiles(self, states, cut)

    monkeypatch.setattr(CausalModel, "tiles", counted)
    session = Session()
    scored_at_once(session, specs, ScoreOptions())
    assert len(rows) == 1 + len(specs)
    assert len(set(rows.values())) == 1


def test_adapters_of_one_base_share_its_weights_and_what_it_is_fed(tmp_path: Path, fed: Counter[int]) -> None:
    base = save_model(tmp_path / "base", byte_level_tokenizer(), seed=0)
    for seed in (1, 2, 3):
        save_adapter(tmp_path / str(seed), base, seed=seed)
    specs = [PairSpec(base=str(base), aligned=str(tmp_path / str(seed)), device="cpu") for seed in (1, 2, 3)]
    session = Session()
    found = scored_at_once(session, specs, ScoreOptions())
    assert session.loads == 1
    ids = Counter(fed.values())
    assert max(ids.values()) == 3
    fed.clear()
    assert scored_as_pairs(session, specs, ScoreOptions()) == found


def test_an_aligned_model_with_another_template_shares_what_is_the_same(specs: list[PairSpec], tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}Q: {{ m.content }} A: {% endfor %}"
    other = save_model(tmp_path / "other", tokenizer, seed=9)
    every = [*specs, replace(specs[0], aligned=str(other))]
    for context in ("chat", "aligntds"):
        options = ScoreOptions(base_context=context)
        assert scored_at_once(Session(), every, options) == scored_as_pairs(Session(), every, options)


def test_an_aligned_model_of_another_vocabulary_is_scored_as_in_its_pair(specs: list[PairSpec], tmp_path: Path) -> None:
    other = save_model(tmp_path / "other", sentence_piece_tokenizer(), seed=9)
    twin = save_model(tmp_path / "twin", sentence_piece_tokenizer(), seed=10)
    every = [*specs, *(replace(specs[0], aligned=str(each)) for each in (other, twin))]
    assert scored_at_once(Session(), every, ScoreOptions()) == scored_as_pairs(Session(), every, ScoreOptions())


def test_what_does_not_fit_together_is_scored_in_several_goes(specs: list[PairSpec]) -> None:
    unbounded = Session()
    with unbounded.open(specs[0]):
        one = sum(model.nbytes for model in unbounded.models()) // 2
    session = Session(3 * one)
    found = list(session.score_several(specs, ScoreOptions(), responses(*TEXTS)))
    opened = [i for i, event in enumerate(found) if isinstance(event, Opened)]
    assert [event.aligned for event in found if isinstance(event, Opened)] == [0, 1, 2]
    assert opened[1] == 1 < opened[2] - 1
    # The base model stays for the second go.
    assert session.loads == 4
    done = {(event.aligned, event.index) for event in found if isinstance(event, Scored) and not event.partial}
    assert len(done) == len(specs) * len(TEXTS)


def test_one_broken_aligned_model_does_no_harm_to_the_others(specs: list[PairSpec], tmp_path: Path) -> None:
    broken = save_model(tmp_path / "broken", byte_level_tokenizer(), seed=9)
    weights = {name: tensor.clone() for name, tensor in load_file(broken / "model.safetensors").items()}
    (bad,) = byte_level_tokenizer()("%", add_special_tokens=False)["input_ids"]
    weights["model.embed_tokens.weight"][bad, 3] = torch.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    every = [specs[0], replace(specs[0], aligned=str(broken)), specs[1]]
    asked = responses("Fine.", "A % sign.", LONG + "%" + LONG, LONG)
    found = list(Session().score_several(every, ScoreOptions(), asked))
    refused = {(event.aligned, event.index) for event in found if isinstance(event, Refused)}
    assert refused == {(1, 1), (1, 2)}
    done = {(event.aligned, event.index) for event in found if isinstance(event, Scored) and not event.partial}
    assert done == {(pair, index) for pair in range(3) for index in range(4)} - refused
    assert [event.fraction for event in found if isinstance(event, Progress)][-1] == 1.0
