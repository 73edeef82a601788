"""Every format that is known has an example, and is detected from it."""

from __future__ import annotations

import pytest
from transcript_checks import readable

from shiftlens.transcripts.format import Example, Format
from shiftlens.transcripts.registry import formats

EXAMPLES = [(known, example) for known in formats() for example in known.examples]


@pytest.mark.parametrize(("known", "example"), EXAMPLES, ids=[f"{known.name}:{e.filename}" for known, e in EXAMPLES])
def test_an_example_is_detected_as_its_format_and_read_whole(known: Format, example: Example) -> None:
    found = readable(example.text, filename=example.filename)
    assert found.format == known.name
    assert found.responses
    assert len(found.problems) == example.problems


def test_every_format_has_an_example_and_a_name_of_its_own() -> None:
    assert all(known.examples for known in formats())
    assert len({known.name for known in formats()}) == len(formats())
