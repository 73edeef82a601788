"""What a bench is: names with targets, and the function that measures them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bench:
    """Measures all of its names in one run. `run` takes the number of rounds and gives a value by name.

    `needs` is a file that another target makes: where it is missing, the bench is left out and that is said.
    """

    targets: Mapping[str, str]
    run: Callable[[int], Mapping[str, float]]
    linux_only: bool = False
    needs: Path | None = None


def one(name: str, measure: Callable[[int], float]) -> Callable[[int], Mapping[str, float]]:
    """A function that measures one value, as the `run` of a bench."""
    return lambda rounds: {name: measure(rounds)}
