"""Asking each model of a pair for its logprobs of the other one's candidates, where it tells those of any token."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from shiftlens.backends.protocol import SideInput, SideNumbers, SideRefused, TokensAsked, TokensEvent, Waiting
from shiftlens.scoring.alone.other_candidates import OfOther, checked
from shiftlens.scoring.alone.sides import Side
from shiftlens.scoring.running.turns import in_turns

OpenSide = Callable[[], AbstractContextManager[Side]]
"""Has one side of a pair ready for as long as the context lasts."""

UNKNOWN = "What it gives the other model's candidates is not known."


@dataclass(frozen=True, slots=True)
class BothScored:
    """A response, by its index, with what base and aligned model were given and gave."""

    index: int
    inputs: tuple[SideInput, SideInput]
    numbers: tuple[SideNumbers, SideNumbers]

    def asked_of(self, which: int) -> TokensAsked:
        """The other model's candidates."""
        other = self.numbers[1 - which]
        return TokensAsked(self.inputs[which], other.k, other.top_ids)


def of_others(
    sides: tuple[OpenSide, OpenSide],
    tells: Sequence[bool],
    responses: Sequence[BothScored],
    check: Callable[[], None],
) -> Iterator[tuple[int, OfOther] | Waiting]:
    """What came for each response, by its index; why there is nothing is in the notes.

    `tells` says which of both sides give logprobs of any tokens; they have the same tokens. Raises ModelError.
    """
    asked = [[each for each in responses if tells[which] and each.numbers[1 - which].k] for which in (0, 1)]
    left = {each.index: sum(tells[which] and bool(each.numbers[1 - which].k) for which in (0, 1)) for each in responses}
    columns: dict[int, list[bytes]] = {each.index: [b"", b""] for each in responses}
    notes: dict[int, list[str]] = {each.index: [] for each in responses}

    def one(which: int) -> Generator[TokensEvent, None, None]:
        if asked[which]:
            with sides[which]() as side:
                yield from side.logprobs_of([each.asked_of(which) for each in asked[which]], check)

    for index, count in left.items():
        if not count:
            yield index, OfOther()
    for which, event in in_turns([one(0), one(1)]):
        if event is None:
            continue
        if isinstance(event, Waiting):
            yield event
            continue
        at, came = event
        response = asked[which][at]
        index = response.index
        column = (
            b""
            if isinstance(came, SideRefused)
            else checked(response.numbers[which], response.numbers[1 - which], came)
        )
        if isinstance(came, SideRefused):
            notes[index].append(f"{came.problem} {UNKNOWN}")
        elif column is None:
            notes[index].append(
                f"{_NAMES[which]} gives its candidates other logprobs when it is asked for them. {UNKNOWN}"
            )
        columns[index][which] = column or b""
        left[index] -= 1
        if not left[index]:
            base, aligned = columns[index]
            yield index, OfOther(base, aligned, tuple(notes[index]))


_NAMES = ("The base model's server", "The aligned model's server")
