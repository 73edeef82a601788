"""Every format that is known has an example, and is detected from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shiftlens.cli.formats import as_markdown
from shiftlens.transcripts.format import Example, Format, TextFormat
from shiftlens.transcripts.registry import formats
from transcripts.transcript_checks import readable

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = [
    (known, example)
    for known in formats()
    for example in known.examples
    if not (isinstance(known, TextFormat) and known.by_model)
]


@pytest.mark.parametrize(("known", "example"), EXAMPLES, ids=[f"{known.name}:{e.filename}" for known, e in EXAMPLES])
def test_an_example_is_detected_as_its_format_and_read_whole(known: Format, example: Example) -> None:
    found = readable(example.text, filename=example.filename)
    assert found.format == known.name
    assert found.responses
    assert len(found.problems) == example.problems


def test_every_format_has_an_example_and_a_name_of_its_own() -> None:
    assert all(known.examples for known in formats())
    assert len({known.name for known in formats()}) == len(formats())


def test_the_page_on_formats_is_what_the_registry_says() -> None:
    page = (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")
    assert page == as_markdown(formats()), "run `make docs`"


def test_the_editors_setting_offers_every_format() -> None:
    manifest = json.loads((REPOSITORY / "extension" / "package.json").read_text(encoding="utf-8"))
    groups = manifest["contributes"]["configuration"]
    (setting,) = (g["properties"]["shiftlens.format"] for g in groups if "shiftlens.format" in g["properties"])
    assert setting["enum"] == ["", *(known.name for known in formats())], "run `make docs`"
    assert setting["enumDescriptions"][1:] == [known.summary for known in formats()]
