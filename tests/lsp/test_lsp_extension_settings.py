"""The extension declares the settings that the server reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shiftlens.options.settings import Settings, read_settings

_MANIFEST = Path(__file__).parents[2] / "extension" / "package.json"


def _declared() -> dict[str, dict[str, Any]]:
    if not _MANIFEST.is_file():
        pytest.skip("the extension is not beside the tests")
    configuration = json.loads(_MANIFEST.read_text(encoding="utf-8"))["contributes"]["configuration"]
    groups = configuration if isinstance(configuration, list) else [configuration]
    return {key.removeprefix("shiftlens."): value for group in groups for key, value in group["properties"].items()}


def test_every_default_of_the_extension_is_a_good_value_and_the_servers_own_default() -> None:
    settings, problems = read_settings({key: value.get("default") for key, value in _declared().items()})
    assert problems == ()
    assert settings == Settings()


def test_every_setting_of_the_server_is_declared() -> None:
    assert set(Settings().as_json()) <= set(_declared())


def test_every_choice_the_extension_offers_is_one_the_server_takes() -> None:
    for key, declared in _declared().items():
        for choice in declared.get("enum", ()):
            assert read_settings({key: choice})[1] == ()
