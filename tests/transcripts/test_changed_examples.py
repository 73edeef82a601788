"""Examples of every format, changed as `make stress` changes them: read as they stand there, or refused."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlens.transcripts.format import TextFormat
from shiftlens.transcripts.registry import formats
from stress.geometry import check_geometry
from stress.mutate import SEEDS, mutant
from stress.readings import check_reading


def test_each_example_is_read_as_it_stands_there() -> None:
    by_model = {
        example.text
        for known in formats()
        if isinstance(known, TextFormat) and known.by_model
        for example in known.examples
    }
    unread = [seed.text for seed in SEEDS if not check_reading(seed, random.Random(0))]  # noqa: S311 (no secret)
    assert set(unread) == by_model


@settings(max_examples=500)
@given(st.integers(0, 1 << 40))
def test_a_changed_example_is_read_as_it_stands_there_or_refused(number: int) -> None:
    rng = random.Random(number)  # noqa: S311 (no secret)
    check_reading(mutant(rng), rng)


@settings(max_examples=500)
@given(st.integers(0, 1 << 40))
def test_places_agree_with_what_can_only_be_right(number: int) -> None:
    check_geometry(random.Random(number))  # noqa: S311 (no secret)
