"""A noise floor as text: how high it is, which shifts lie within it, how many do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.analysis.facts import fixed
from shiftlens.analysis.model import CLASSES, ShiftClass
from shiftlens.analysis.noise_floor import FileNoise, NoisePosition
from shiftlens.analysis.words import positions_words
from shiftlens.report.text.lines import Line, Places, placed_table
from shiftlens.text.visible import harmless, visible_piece

_LONGEST_TOKEN = 20
_HEAD = ("position", "token", "class", "logprobs", "noise", "KL", "noise")


def floor_words(found: FileNoise) -> str:
    """How high the floor is."""
    logprob, kl = fixed(found.floor.logprob, 4), fixed(found.floor.kl, 6)
    return f"Noise floor over {positions_words(found.measured)}: logprob {logprob}, KL {kl}"


def beyond_words(found: FileNoise) -> str:
    """How many positions of each class lie beyond the floor."""
    parts = []
    for shift in reversed(CLASSES):
        of = found.of_class(shift)
        unknown = f", {of.unknown:,} unknown" if of.unknown else ""
        parts.append(f"{shift.label} {of.beyond:,} of {of.positions:,}{unknown}")
    return f"Beyond the noise floor: {'; '.join(parts)}"


def is_greyed(position: NoisePosition) -> bool:
    """Whether a position looks changed by alignment, but lies within the floor."""
    return position.within is True and position.shift in (ShiftClass.MARGINAL, ShiftClass.SHIFTED)


def greyed_table(positions: Sequence[NoisePosition], places: Places | None = None) -> Iterator[Line]:
    """A table of the marginal and shifted positions within the floor; nothing where there are none."""
    rows = [
        (
            each.start,
            each.end,
            (
                str(each.index),
                "(end)" if each.is_end else visible_piece(each.piece, limit=_LONGEST_TOKEN),
                each.shift.label,
                *(fixed(value, 4) for value in (each.real.logprob, each.noise.logprob, each.real.kl, each.noise.kl)),
            ),
        )
        for each in positions
        if is_greyed(each)
    ]
    if rows:
        yield from placed_table(places, _HEAD, rows, words=(1, 2))


def noise_lines(found: FileNoise, places: Places) -> Iterator[Line]:
    """All of a file, for a page."""
    yield Line("")
    yield Line(floor_words(found))
    for response in found.responses:
        yield Line("")
        yield Line(f"Response {response.analysis.response.index + 1}")
        table = list(greyed_table(response.positions, places))
        yield from table or [Line("No marginal or shifted position lies within the floor.")]
        yield from (Line(harmless(f"Note: {note}")) for note in response.notes)
    yield Line("")
    yield Line(beyond_words(found))
