"""Which stages are shown beside a pair, and which of them may be loaded."""

from __future__ import annotations

import pytest

from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, NO_PAIR, PairSpec
from shiftlens.options.pair_choice import BUNDLED_NAMES, StagesChoice, choose_pair, choose_stages
from shiftlens.options.settings import Settings, read_settings

SETTINGS = Settings(base="b", aligned="dpo", stages=("sft", "dpo"))
PAIR = PairSpec(base="b", aligned="dpo")


def test_the_stages_of_the_settings_are_those_of_its_base_model() -> None:
    assert choose_stages(SETTINGS, PAIR, trusted=True) == StagesChoice(("sft", "dpo"))


def test_without_the_setting_there_are_none_and_nothing_is_said() -> None:
    assert choose_stages(Settings(base="b", aligned="dpo"), PAIR, trusted=True) == StagesChoice()


def test_a_document_of_another_base_model_has_no_stages_and_says_so() -> None:
    choice = choose_pair(SETTINGS, {"base": "other"}, None, trusted=True)
    assert choice.pair is not None
    found = choose_stages(SETTINGS, choice.pair, trusted=True)
    assert found.names == ()
    assert "this file is scored with another" in found.why_not


def test_scores_of_the_file_itself_have_no_stages_and_say_so() -> None:
    found = choose_stages(SETTINGS, NO_PAIR, trusted=True)
    assert found.names == ()
    assert "those that the file holds" in found.why_not


def test_an_untrusted_workspace_loads_no_stage_but_bundled_ones() -> None:
    settings = Settings(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, stages=("/models/sft", BUNDLED_ALIGNED))
    pair = PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED)
    found = choose_stages(settings, pair, trusted=False)
    assert found.only_stored == ("/models/sft",)
    assert "not trusted" in found.why_only_stored
    assert choose_stages(settings, pair, trusted=True).only_stored == ()


def test_a_file_names_no_stages() -> None:
    choice = choose_pair(Settings(), {"stages": "sft, dpo"}, BUNDLED_NAMES, trusted=True)
    assert choice.pair is not None
    assert choose_stages(Settings(), choice.pair, trusted=True) == StagesChoice()


@pytest.mark.parametrize("value", ["sft", ["sft", "sft "], [""], [7], {"sft": 1}])
def test_what_is_no_list_of_different_names_is_not_followed(value: object) -> None:
    settings, (problem,) = read_settings({"stages": value})
    assert settings.stages == ()
    assert "`shiftlens.stages` must be a list of names of models, each once" in problem


def test_names_are_taken_without_the_space_around_them() -> None:
    assert read_settings({"stages": [" sft", "dpo "]}) == (Settings(stages=("sft", "dpo")), ())
