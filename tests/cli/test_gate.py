"""`--fail-over`: which responses are over, and which can't be judged."""

from __future__ import annotations

import argparse

import pytest

from analysis.hand_made import response, scored, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import Analysis
from shiftlens.cli.gate import OVER, Gate, share
from shiftlens.options.pair import ClassifyOptions


def of_ranks(*ranks: int) -> Analysis:
    """A response of one-letter tokens and its end, with these base ranks; 0 is an unknown one."""
    letters = [b"x"] * (len(ranks) - 1)
    return whole(
        build(response("x" * len(letters)), scored(letters, base_ranks=ranks, boundary=(0,)), ClassifyOptions())
    )


@pytest.mark.parametrize(("limit", "code"), [(0.24, OVER), (0.25, 0), (0.26, 0), (0.0, OVER), (1.0, 0)])
def test_over_is_more_than_the_limit_with_the_end_and_flagged_positions(limit: float, code: int) -> None:
    gate = Gate(limit)
    gate.check("talk.txt", of_ranks(9, 1, 1, 1))
    assert gate.code(0) == code


def test_positions_without_a_class_are_left_out_of_the_share(capsys: pytest.CaptureFixture[str]) -> None:
    gate = Gate(0.3)
    gate.check("talk.txt", of_ranks(9, 1, 0, 0, 1))
    assert gate.code(0) == OVER
    assert capsys.readouterr().err == (
        "talk.txt: response 1: 33.33% shifted (1 of 3 positions with a class) is over 30.00%.\n"
    )


def test_a_response_without_any_class_is_not_passed_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    gate = Gate(1.0)
    gate.check("talk.txt", of_ranks(0, 0))
    assert gate.code(0) == 1
    assert "response 1: no position has a class" in capsys.readouterr().err


def test_what_was_not_analysed_does_not_hide_that_another_response_is_over() -> None:
    gate = Gate(0.1)
    assert gate.code(1) == 1
    gate.check("talk.txt", of_ranks(9, 9))
    assert gate.code(1) == OVER


@pytest.mark.parametrize("value", ["-0.1", "1.01", "nan", "10%", ""])
def test_a_limit_is_a_share(value: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"such as 0\.10"):
        share(value)
