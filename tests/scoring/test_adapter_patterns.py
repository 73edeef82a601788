"""Expressions of an adapter become names in a process that can be stopped, and choose what they would have chosen."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlens.errors import ModelError
from shiftlens.scoring.models import adapter_patterns
from shiftlens.scoring.models.adapter_patterns import with_names

LAYERS = [
    "",
    "lm_head",
    "model",
    "model.lm_head",
    *(f"model.layers.{n}.self_attn.{side}_proj" for n in range(12) for side in "qkv"),
    *(f"model.layers.{n}.mlp.down_proj" for n in range(12)),
]
EXPRESSIONS = [
    r".*\.(q|v)_proj",
    r"model\.layers\.[0-4]\.self_attn\.q_proj",
    r"lm_head",
    r"(?!model).*",
    r".*layers\.1?\d\..*(?<!q)_proj|lm_head",
    "nothing of this model+",
]


@pytest.mark.parametrize("key", ["target_modules", "exclude_modules", "feedforward_modules"])
@pytest.mark.parametrize("form", EXPRESSIONS)
def test_an_expression_chooses_the_layers_that_it_matches(form: str, key: str) -> None:
    chosen = with_names({key: form, "r": 4}, LAYERS, "a")
    pattern = chosen[key]
    assert isinstance(pattern, str)
    assert [name for name in LAYERS if re.fullmatch(pattern, name)] == [
        name for name in LAYERS if re.fullmatch(form, name)
    ]
    assert chosen["r"] == 4


@settings(max_examples=10)
@given(st.lists(st.sampled_from([*EXPRESSIONS, "q_proj", "self_attn.v_proj", "(q|k)_proj"]), unique=True, min_size=1))
def test_a_table_of_expressions_gives_each_layer_the_value_of_the_first_that_matches(forms: list[str]) -> None:
    table = {form: number for number, form in enumerate(forms)}
    chosen = with_names({"rank_pattern": table}, LAYERS, "a")["rank_pattern"]
    assert isinstance(chosen, dict)

    def value(patterns: dict[str, int], name: str) -> int | None:
        return next((v for form, v in patterns.items() if re.match(rf"(.*\.)?({form})$", name)), None)

    assert [value(chosen, name) for name in LAYERS] == [value(table, name) for name in LAYERS]


@pytest.mark.parametrize("key", ["target_modules", "exclude_modules", "feedforward_modules", "rank_pattern"])
def test_an_expression_that_takes_for_ever_is_stopped_and_named(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter_patterns, "SECONDS", 1.0)
    form = r"(([a-z_.0-9]+)+)+!"
    with pytest.raises(ModelError, match=f"`{key}`.*stopped") as raised:
        with_names({key: {form: 8} if key == "rank_pattern" else form}, LAYERS, "a")
    assert raised.value.remedy


def test_what_is_no_expression_is_said_to_be_none() -> None:
    with pytest.raises(ModelError, match=r"is none: .*unterminated"):
        with_names({"target_modules": "(q_proj"}, LAYERS, "a")


def test_an_expression_for_lists_of_layers_is_turned_down() -> None:
    assert with_names({"layers_pattern": ["layers", "h"]}, LAYERS, "a") == {"layers_pattern": ["layers", "h"]}
    with pytest.raises(ModelError, match="`layers_pattern`"):
        with_names({"layers_pattern": "(a+)+"}, LAYERS, "a")


@pytest.mark.parametrize("many", [["x"] * 10_001, {str(n): 1 for n in range(10_001)}], ids=["list", "table"])
def test_more_entries_than_any_model_has_layers_are_turned_down(many: object) -> None:
    with pytest.raises(ModelError, match="10,001 entries in `target_modules`"):
        with_names({"target_modules": many}, LAYERS, "a")


def test_names_need_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere")
    plain = {"target_modules": "all-linear", "exclude_modules": ["q_proj"], "rank_pattern": {"mlp.down_proj": 4}}
    assert with_names(plain, LAYERS, "a") == plain
    with pytest.raises(ModelError, match="No process"):
        with_names({"target_modules": ".*"}, LAYERS, "a")
