"""Adapters: the numbers of the merged model, those of the plain base beside them, and one set of weights."""

from __future__ import annotations

import builtins
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from peft import IA3Config, LoHaConfig, LoKrConfig
from transformers import AutoModelForCausalLM, PreTrainedModel

from passes import opened_pair, score_rows
from plain_scoring import PlainRow, kl, plain_rows
from shiftlens.errors import ModelError, ScoringError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.columns import float32, int32
from shiftlens.scores.description import scoring_model
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.models import adapters
from shiftlens.scoring.numbers.pack import pack
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.session import Session
from tiny_adapters import save_adapter
from tiny_models import byte_level_tokenizer, save_model

NATS = 1e-4
TEXT = "Great question! The sky is blue because air scatters blue light. " * 5
TINY = ["q_proj", "v_proj"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("whole") / "base", byte_level_tokenizer(), seed=0)


@pytest.mark.parametrize(
    ("config", "lora"),
    [
        (None, {}),
        (None, {"use_dora": True}),
        (None, {"use_rslora": True, "target_modules": "all-linear"}),
        (None, {"target_modules": r".*\.(q|v)_proj", "rank_pattern": {r"layers\.0\..*q_proj": 2}}),
        (None, {"target_modules": ["q_proj", "lm_head"]}),
        (None, {"target_modules": ["q_proj", "embed_tokens"]}),
        (None, {"modules_to_save": ["lm_head", "embed_tokens"]}),
        (None, {"modules_to_save": ["norm"]}),
        (IA3Config(target_modules=[*TINY, "down_proj"], feedforward_modules=["down_proj"], init_ia3_weights=False), {}),
        (LoHaConfig(r=2, target_modules=TINY), {}),
        (LoKrConfig(r=2, target_modules=TINY), {}),
    ],
    ids=["lora", "dora", "rslora", "expressions", "head", "embeddings", "both whole", "norm", "ia3", "loha", "lokr"],
)
def test_an_adapter_scores_as_the_merged_model_and_its_base_as_without_it(
    tmp_path: Path, base: Path, config: object, lora: dict[str, object]
) -> None:
    merged = save_adapter(tmp_path / "adapter", base, seed=1, config=config, **lora)  # type: ignore[arg-type]
    pair = opened(base, tmp_path / "adapter")
    prepared, scored = score(pair)
    assert_numbers(prepared, scored, _whole(base), merged)
    assert float32(scored.comparison.kl)[3] > 1e-3


def test_the_weights_of_the_base_are_in_memory_once(tmp_path: Path, base: Path) -> None:
    save_adapter(tmp_path / "adapter", base, seed=1)
    pair = opened(base, tmp_path / "adapter")
    assert pair.base.loaded.model is pair.aligned.loaded.model
    own = [parameter for name, parameter in pair.base.loaded.model.named_parameters() if "lora" not in name]
    assert sum(p.numel() for p in own) == pair.base.description.parameters
    assert pair.aligned.description.parameters > pair.base.description.parameters
    storages = {p.untyped_storage().data_ptr() for p in pair.aligned.causal.body.parameters()}
    assert {p.untyped_storage().data_ptr() for p in pair.base.causal.body.parameters()} == storages


def test_a_tied_head_stays_that_of_the_base_where_the_adapter_brings_its_own(tmp_path: Path) -> None:
    base = save_model(tmp_path / "base", byte_level_tokenizer(), seed=0, tie_word_embeddings=True)
    save_adapter(tmp_path / "adapter", base, seed=1, modules_to_save=["lm_head"])
    prepared, scored = score(opened(base, tmp_path / "adapter"))
    plain = _whole(base)
    assert_side(prepared, scored, plain, "base")


def test_two_adapters_of_one_base_are_two_models_with_one_set_of_weights(tmp_path: Path, base: Path) -> None:
    first = save_adapter(tmp_path / "first", base, seed=1)
    second = save_adapter(tmp_path / "second", base, seed=2, target_modules=["k_proj", "v_proj", "lm_head"])
    pair = opened(tmp_path / "first", tmp_path / "second")
    prepared, scored = score(pair)
    assert_numbers(prepared, scored, first, second)
    assert pair.base.loaded.model is pair.aligned.loaded.model
    assert any("Both models share the weights" in note for note in scored.notes)


def test_an_adapter_can_be_the_base_of_its_own_whole_model(tmp_path: Path, base: Path) -> None:
    merged = save_adapter(tmp_path / "adapter", base, seed=1)
    prepared, scored = score(opened(tmp_path / "adapter", base))
    assert_numbers(prepared, scored, merged, _whole(base))


def test_adapters_of_two_kinds_are_put_on_two_copies(tmp_path: Path, base: Path) -> None:
    first = save_adapter(tmp_path / "first", base, seed=1)
    second = save_adapter(tmp_path / "second", base, seed=2, config=LoHaConfig(r=2, target_modules=TINY))
    prepared, scored = score(opened(tmp_path / "first", tmp_path / "second"))
    assert_numbers(prepared, scored, first, second)


def test_an_adapter_of_another_base_is_put_on_that_one_and_the_notes_say_so(tmp_path: Path, base: Path) -> None:
    other = save_model(tmp_path / "other", byte_level_tokenizer(), seed=5)
    merged = save_adapter(tmp_path / "adapter", other, seed=1)
    prepared, scored = score(opened(base, tmp_path / "adapter"))
    assert_numbers(prepared, scored, _whole(base), merged)
    assert any(str(other) in note and str(base) in note for note in scored.notes)


def test_a_copy_of_the_base_elsewhere_is_the_same_base(tmp_path: Path, base: Path) -> None:
    shutil.copytree(base, tmp_path / "copy")
    save_adapter(tmp_path / "adapter", tmp_path / "copy", seed=1)
    pair = opened(base, tmp_path / "adapter")
    assert pair.base.loaded.model is pair.aligned.loaded.model


def test_tokens_that_an_adapter_adds_are_the_aligned_models_alone(tmp_path: Path, base: Path) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens(["<|think|>", "<|/think|>"], special_tokens=True)
    merged = save_adapter(
        tmp_path / "adapter", base, seed=1, tokenizer=tokenizer, modules_to_save=["lm_head", "embed_tokens"]
    )
    pair = opened(base, tmp_path / "adapter")
    prepared, scored = score(pair)
    assert_numbers(prepared, scored, _whole(base), merged)
    assert scored.aligned.model.vocabulary == scored.base.model.vocabulary + 2
    assert pair.aligned.description.vocabulary == pair.base.description.vocabulary + 2
    with pytest.raises(ScoringError, match=r"has no such token as <\|think\|>"):
        score(pair, "<|think|> Hm.")


def test_changing_the_adapter_keeps_the_base_and_the_first_in_memory(tmp_path: Path, base: Path) -> None:
    first = save_adapter(tmp_path / "first", base, seed=1)
    second = save_adapter(tmp_path / "second", base, seed=2, modules_to_save=["norm"])
    session = Session()
    before = opened(base, tmp_path / "first", session).base.loaded.model
    pair = opened(base, tmp_path / "second", session)
    assert pair.base.loaded.model is before
    prepared, scored = score(pair)
    assert_numbers(prepared, scored, _whole(base), second)
    again = opened(base, tmp_path / "first", session)
    assert again.base.loaded.model is before
    prepared, scored = score(again)
    assert_numbers(prepared, scored, _whole(base), first)
    assert session.loads == 1
    assert [model.name for model in session.models()] == [str(base), str(tmp_path / "first"), str(tmp_path / "second")]


def test_an_adapter_that_does_not_fit_beside_another_takes_its_place(tmp_path: Path, base: Path) -> None:
    save_adapter(tmp_path / "first", base, seed=1)
    second = save_adapter(tmp_path / "second", base, seed=2, modules_to_save=["norm"])
    unbounded = Session()
    before = opened(base, tmp_path / "first", unbounded)
    session = Session(sum(model.nbytes for model in unbounded.models()))
    before = opened(base, tmp_path / "first", session)
    pair = opened(base, tmp_path / "second", session)
    assert pair.base.loaded.model is before.base.loaded.model
    assert [model.name for model in session.models()] == [str(base), str(tmp_path / "second")]
    prepared, scored = score(pair)
    assert_numbers(prepared, scored, _whole(base), second)
    again = opened(base, base, session)
    prepared, scored = score(again)
    assert_numbers(prepared, scored, _whole(base), _whole(base))


def test_tokenizer_and_template_are_the_adapters_own_where_it_has_them(tmp_path: Path, base: Path) -> None:
    save_adapter(tmp_path / "adapter", base, seed=1)
    (tmp_path / "adapter" / "chat_template.jinja").write_text("{% for m in messages %}Q {{ m.content }} A {% endfor %}")
    prepared, _ = score(opened(base, tmp_path / "adapter"))
    assert prepared.aligned.prefix_text.endswith("Q Why is the sky blue? A Q ")


def test_a_description_names_the_model_below(tmp_path: Path, base: Path) -> None:
    save_adapter(tmp_path / "adapter", base, seed=1)
    pair = opened(base, tmp_path / "adapter")
    assert (pair.base.description.adapter_of, pair.aligned.description.adapter_of) == ("", str(base))
    assert pair.aligned.description.name == str(tmp_path / "adapter")
    assert "" not in pair.fingerprints


def _settings(**changes: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return change


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_settings(peft_type="PREFIX_TUNING"), "of a kind that ShiftLens can't switch"),
        (_settings(init_lora_weights="pissa"), "init_lora_weights pissa"),
        (_settings(layer_replication=[[0, 1], [0, 2]]), "layer_replication"),
        (_settings(a_feature_of_tomorrow=True), "a_feature_of_tomorrow"),
        (_settings(target_modules=["o_proj"]), "are not those that"),
        (_settings(target_modules="(((.*)*)*)*!"), "was stopped after 5 seconds"),
        (_settings(r=8), "can't be put on its model"),
        (_settings(base_model_name_or_path=None), "does not say which model"),
        (_settings(base_model_name_or_path="/no/such/model"), "which is not on this machine"),
        (_settings(base_model_name_or_path="org/absent", revision="v2"), "revision v2"),
        (lambda f: (f / "adapter_config.json").write_text("{"), "can't be read"),
        (lambda f: (f / "adapter_model.safetensors").rename(f / "adapter_model.bin"), "has no `adapter_model.safe"),
        (lambda f: (f / "adapter_model.safetensors").write_bytes(b"no"), "can't be read"),
    ],
)
def test_an_adapter_that_can_not_be_used_exactly_is_turned_down_with_the_reason(
    tmp_path: Path, base: Path, spoil: Callable[[Path], object], says: str
) -> None:
    save_adapter(tmp_path / "adapter", base, seed=1)
    spoil(tmp_path / "adapter")
    session = Session()
    with pytest.raises(ModelError, match=says) as raised:
        opened(base, tmp_path / "adapter", session)
    assert raised.value.remedy
    prepared, scored = score(opened(base, base, session))
    assert_numbers(prepared, scored, _whole(base), _whole(base))


def test_an_adapter_that_alters_its_base_is_turned_down(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_adapter(tmp_path / "adapter", base, seed=1)
    _settings(init_lora_weights="olora")(tmp_path / "adapter")
    monkeypatch.setattr(adapters, "_INITS_THAT_CHANGE_THE_MODEL", ("nothing",))
    monkeypatch.setattr(adapters, "_LEFT_OUT", tuple(key for key in adapters._LEFT_OUT if key != "init_lora_weights"))
    with pytest.raises(ModelError, match="changes the model that it is put on"):
        opened(base, tmp_path / "adapter")


def test_without_peft_the_message_says_what_to_install(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_adapter(tmp_path / "adapter", base, seed=1)
    real = builtins.__import__

    def no_peft(name: str, *args: object, **kwargs: object) -> object:
        if name == "peft" or name.startswith("peft."):
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", no_peft)
    with pytest.raises(ModelError, match="pip install peft"):
        opened(base, tmp_path / "adapter")


def opened(base: Path, aligned: Path, session: Session | None = None) -> OpenedPair:
    return opened_pair(PairSpec(base=str(base), aligned=str(aligned), device="cpu"), session)


def score(pair: OpenedPair, text: str = TEXT) -> tuple[Prepared, ScoredResponse]:
    response = ResponseToScore(
        turns=(ContextTurn.of("user", "Why is the sky blue?"),), parts=one_text(text), source_format="labels"
    )
    prepared = pair.prepare(response, ScoreOptions())
    *_, collector = score_rows(pair.base.causal, pair.aligned.causal, prepared, 10)
    models = scoring_model(pair.base.description), scoring_model(pair.aligned.description)
    return prepared, pack(prepared, collector.all(), pair.encoders, models)


def assert_numbers(prepared: Prepared, scored: ScoredResponse, base: PreTrainedModel, aligned: PreTrainedModel) -> None:
    sides = [assert_side(prepared, scored, model, side) for model, side in ((base, "base"), (aligned, "aligned"))]
    if len(sides[0][0].logprobs) == len(sides[1][0].logprobs):
        for row, (b, a) in enumerate(zip(*sides, strict=True)):
            assert float32(scored.comparison.kl)[row * 7] == pytest.approx(kl(a, b), abs=NATS, rel=NATS)


def assert_side(prepared: Prepared, scored: ScoredResponse, model: PreTrainedModel, name: str) -> list[PlainRow]:
    side, columns = getattr(prepared, name), getattr(scored, name)
    own = [*prepared.ids, side.end_id]
    found = []
    for row in range(0, scored.rows, 7):
        (plain,) = plain_rows(model, [*side.prefix_ids, *prepared.ids[:row]], [], [own[row]])
        near = int(((plain.logprobs - plain.logprob).abs() < NATS).sum()) - 1
        assert abs(float32(columns.logprob)[row] - plain.logprob) < NATS
        assert abs(int32(columns.rank)[row] - plain.rank) <= near
        found.append(plain)
    return found


def _whole(folder: Path) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder)
    model.train(False)
    return model
