"""Settings are checked one by one, and a bad one says what it should have been."""

from __future__ import annotations

import pytest

from shiftlens.options.pair import ScoreOptions
from shiftlens.options.pair_choice import BUNDLED_NAMES, choose_pair
from shiftlens.options.settings import RunPolicy, Settings, read_settings


def test_no_settings_are_the_defaults() -> None:
    assert read_settings(None) == (Settings(), ())
    assert read_settings({}) == (Settings(), ())
    assert Settings().run_policy is RunPolicy.ON_TYPE
    assert Settings().debounce_ms == 400


def test_good_values_are_taken() -> None:
    raw = {
        "base": " b ",
        "aligned": "a",
        "baseContext": "template:{{ query }}",
        "thresholds": [2, 5],
        "topK": 5,
        "runPolicy": "manual",
        "allowDownload": True,
        "unknownToTheServer": 1,
        "device": None,
    }
    settings, problems = read_settings(raw)
    assert problems == ()
    assert (settings.base, settings.aligned, settings.thresholds) == ("b", "a", (2, 5))
    assert settings.score_options.base_context == "template:{{ query }}"
    assert settings.score_options.top_k == 5
    assert settings.run_policy is RunPolicy.MANUAL


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("thresholds", [3, 1], "two whole numbers"),
        ("thresholds", [1, True], "two whole numbers"),
        ("topK", 0, "from 1 to 100"),
        ("topK", True, "whole number"),
        ("baseContext", "nonsense", '"aligntds"'),
        ("runPolicy", "always", '"onType"'),
        ("allowPickle", "yes", "true or false"),
        ("base", 7, "a string"),
        ("device", "tpu", '"cuda"'),
        ("scoreParts", ["answer", "thoughts"], "'thoughts' is none of them"),
        ("scoreParts", [], '"answer", "reasoning", "tool_call"'),
        ("scoreParts", {"answer": True}, "a list of parts"),
    ],
)
def test_a_bad_value_falls_back_and_says_which_and_why(key: str, value: object, words: str) -> None:
    settings, problems = read_settings({key: value, "debounceMs": 7})
    assert settings == Settings(debounce_ms=7)
    assert len(problems) == 1
    assert f"`shiftlens.{key}`" in problems[0]
    assert words in problems[0]


def test_settings_that_are_no_object_are_the_defaults() -> None:
    settings, problems = read_settings([1])
    assert settings == Settings()
    assert len(problems) == 1


def test_as_json_has_the_names_that_users_give() -> None:
    assert read_settings(Settings(top_k=3).as_json()) == (Settings(top_k=3), ())


def test_nothing_named_gives_no_pair() -> None:
    choice = choose_pair(Settings(), {}, None, trusted=True)
    assert choice.pair is None
    assert "No model pair" in choice.why_not


def test_one_model_is_no_pair() -> None:
    choice = choose_pair(Settings(base="b"), {}, None, trusted=True)
    assert choice.pair is None
    assert "`shiftlens.aligned`" in choice.why_not


def test_front_matter_goes_before_settings_and_these_before_the_session() -> None:
    settings = Settings(base="b", aligned="a")
    front = choose_pair(settings, {"aligned": "c", "base-context": "raw"}, BUNDLED_NAMES, trusted=True)
    assert front.pair is not None
    assert (front.pair.base, front.pair.aligned, front.score_options.base_context) == ("b", "c", "raw")
    plain = choose_pair(settings, {}, BUNDLED_NAMES, trusted=True)
    assert plain.pair is not None
    assert (plain.pair.base, plain.pair.aligned) == ("b", "a")
    session = choose_pair(Settings(), {}, BUNDLED_NAMES, trusted=True)
    assert session.pair is not None
    assert (session.pair.base, session.pair.aligned) == BUNDLED_NAMES


def test_a_file_can_not_allow_downloads_or_pickles() -> None:
    front_matter = {"base": "b", "aligned": "a", "allow_download": True, "allowPickle": True, "device": "cuda"}
    choice = choose_pair(Settings(), front_matter, None, trusted=True)
    assert choice.pair is not None
    assert not choice.pair.allow_download
    assert not choice.pair.allow_pickle
    assert choice.pair.device == "auto"


@pytest.mark.parametrize(
    ("front_matter", "allowed"),
    [({}, True), ({"aligned": "a"}, True), ({"aligned": "c"}, False), ({"base": "c", "aligned": "c"}, False)],
)
def test_a_file_can_not_choose_which_pickle_is_opened(front_matter: dict[str, object], allowed: bool) -> None:
    settings = Settings(base="b", aligned="a", allow_pickle=True)
    choice = choose_pair(settings, front_matter, None, trusted=True)
    assert choice.pair is not None
    assert choice.pair.allow_pickle is allowed


def test_front_matter_has_thresholds_as_text() -> None:
    choice = choose_pair(Settings(), {"thresholds": "2, 4"}, None, trusted=True)
    assert choice.problems == ()
    assert choice.classify_options.thresholds == (2, 4)


def test_bad_front_matter_is_a_problem_of_the_file_and_named_as_the_file_spells_it() -> None:
    choice = choose_pair(Settings(), {"top-k": "ten"}, None, trusted=True)
    assert choice.problems == ("Front matter: `top-k` must be a whole number from 1 to 100; it is not followed.",)


@pytest.mark.parametrize("key", ["parts", "score-parts", "scoreParts"])
@pytest.mark.parametrize("value", ["tool_call, answer", ["tool_call", "answer", "answer"]])
def test_front_matter_chooses_which_parts_are_scored(key: str, value: object) -> None:
    choice = choose_pair(Settings(), {key: value}, None, trusted=True)
    assert choice.problems == ()
    assert choice.score_options.parts == ("answer", "tool_call")


def test_parts_that_are_scored_are_a_setting() -> None:
    settings, problems = read_settings({"scoreParts": ["reasoning"]})
    assert problems == ()
    assert settings.score_options.parts == ("reasoning",)
    assert Settings().score_options == ScoreOptions()


def test_an_untrusted_workspace_loads_bundled_models_only() -> None:
    named = choose_pair(Settings(base="b", aligned="a"), {}, None, trusted=False)
    assert named.only_stored
    assert "not trusted" in named.why_not
    by_file = choose_pair(Settings(base="b", aligned="a"), {"aligned": "c"}, None, trusted=False)
    assert (by_file.pair, by_file.only_stored) == (None, False)
    instead = choose_pair(Settings(base="b", aligned="a"), {}, BUNDLED_NAMES, trusted=False)
    assert not instead.only_stored
    in_file = choose_pair(Settings(), {"base": "b", "aligned": "a"}, None, trusted=False)
    assert in_file.pair is None
    chosen = choose_pair(Settings(), {"base": "b", "aligned": "a"}, BUNDLED_NAMES, trusted=False)
    assert chosen.pair is not None
    assert (chosen.pair.base, chosen.pair.aligned) == BUNDLED_NAMES
    loose = Settings(base_context="template:x", allow_download=True, allow_pickle=True)
    bundled = choose_pair(loose, {}, BUNDLED_NAMES, trusted=False)
    assert bundled.pair is not None
    assert not bundled.pair.allow_download
    assert not bundled.pair.allow_pickle
    assert bundled.score_options.base_context == "aligntds"
