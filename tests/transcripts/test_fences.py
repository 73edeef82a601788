"""Where code blocks stand, and at what cost that is found out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from shiftlens.transcripts.text import fences
from shiftlens.transcripts.text.fences import Fences


def held(text: str, *labels: str) -> list[str]:
    """The lines that are code; the given lines are labels."""
    lines = text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:at]) for at in range(len(lines))]
    marks = [(at, at + len(line) + 1) for at, line in zip(starts, lines, strict=True) if line in labels]
    found = Fences(text, 0, marks)
    return [line for at, line in zip(starts, lines, strict=True) if found.holds(at)]


def test_a_block_holds_its_lines_and_the_closing_one() -> None:
    assert held("a\n```py\nb\n```\nc") == ["b", "```"]
    assert held("````\n```\nb\n````\nc") == ["```", "b", "````"]


def test_a_block_that_nothing_closes_ends_at_the_next_label() -> None:
    assert held("```\nb\nUser:\nc", "User:") == ["b"]


def test_the_block_of_a_later_turn_closes_no_earlier_one() -> None:
    assert held("```py\nb\nUser:\n```\nc\n```\nd", "User:") == ["b", "c", "```"]


def test_a_label_within_a_whole_block_is_code() -> None:
    assert held("```\nb\nUser:\nc\n```\nd", "User:") == ["b", "User:", "c", "```"]


def _steps(text: str, labels: list[tuple[int, int]]) -> int:
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename != fences.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        Fences(text, 0, labels)
    finally:
        sys.settrace(before)
    return count


SHAPES: dict[str, Callable[[int], str]] = {
    "ever fewer": lambda n: "\n".join("`" * size for size in range(n + 3, 2, -1)),
    "ever more": lambda n: "\n".join("`" * size for size in range(3, n + 3)),
    "never closed": lambda n: "```py\n" * n,
    "of both kinds": lambda n: "```\n~~~\n" * n,
    "up and down": lambda n: "\n".join("`" * size for size in [*range(3, n), *range(n, 3, -1)]),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("every", [0, 5])
def test_twice_the_text_takes_about_twice_the_steps(shape: str, every: int) -> None:
    def steps(n: int) -> tuple[int, int]:
        text = SHAPES[shape](n)
        newlines = [at for at, character in enumerate(text) if character == "\n"]
        labels = [(at + 1, at + 1) for at in newlines[::every]] if every else []
        return _steps(text, labels), len(text)

    (few, short), (many, long) = steps(100), steps(400)
    assert many / few < 1.5 * long / short
