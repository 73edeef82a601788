"""`--fail-over`: a limit on the shifted share of each response, for scripts that stop where it is passed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from shiftlens.cli.files import complain

if TYPE_CHECKING:
    from shiftlens.analysis.model import Analysis

OVER = 3
"""The exit code where a response is over the limit."""


def share(value: str) -> float:
    """An argparse type: a share from 0 to 1, such as 0.10."""
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if 0 <= found <= 1:
        return found
    raise argparse.ArgumentTypeError(f"{value!r} is not a share from 0 to 1, such as 0.10")


class Gate:
    """Tells of each response that is over the limit, and of each of which that can't be told.

    The share of a response is that of its shifted positions among those that have a class: its end and flagged
    positions count, as in its summary. Over is more than the limit, by exact division of the two counts.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.over = 0
        self.unknown = 0

    def check(self, file: str, analysis: Analysis) -> None:
        """Take the responses of a file."""
        for found in analysis.responses:
            counted = found.summary
            with_class = counted.unshifted + counted.marginal + counted.shifted
            which = f"response {found.response.index + 1}"
            if found.is_of_one_model:
                self.unknown += 1
                complain(file, f"{which}: its scores are of one model alone, so that --fail-over can't be answered.")
            elif not with_class:
                self.unknown += 1
                complain(file, f"{which}: no position has a class, so that --fail-over can't be answered.")
            elif counted.shifted / with_class > self.limit:
                self.over += 1
                told = f"{counted.shifted:,} of {with_class:,} positions with a class"
                complain(
                    file, f"{which}: {counted.shifted / with_class:.2%} shifted ({told}) is over {self.limit:.2%}."
                )

    def code(self, otherwise: int) -> int:
        """The exit code, where without the gate it would be `otherwise`."""
        return OVER if self.over else 1 if self.unknown else otherwise
