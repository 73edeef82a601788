"""A row for each continuation of cross-sampling: the columns of data frames (docs/cross-sampling.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.analysis.cross_sampling import ArmResult, Choice, CrossSampled, Sample, SwappedTogether
from shiftlens.analysis.json_values import class_name, finite
from shiftlens.analysis.position_table import Row, columns_of
from shiftlens.analysis.ranks import rank_number

SCHEMA = "shiftlens-continuations/1"

COLUMNS = (
    *columns_of("text", "file", "base_model", "aligned_model"),
    *columns_of("integer", "response", "position"),
    *columns_of("text", "token", "class"),
    *columns_of("integer", "base_rank"),
    *columns_of("text", "base_choice", "aligned_choice", "arm", "model", "behind"),
    *columns_of("integer", "seed"),
    *columns_of("text", "text", "end"),
    *columns_of("integer", "same_tokens", "same_characters"),
    *columns_of("flag", "parts"),
    *columns_of("number", "edit_distance", "common_bigrams"),
    *columns_of("integer", "window", "from_rank", "swapped"),
    *columns_of("number", "effect"),
)


def rows(
    file: str,
    models: tuple[str, str],
    positions: Sequence[CrossSampled],
    together: Sequence[SwappedTogether] = (),
) -> Iterator[Row]:
    """A value for each of COLUMNS; `models` are the names of base and aligned model."""
    for found in positions:
        at = found.position
        before: Row = (
            *(file, *models, at.response, at.row, _text(at.said), class_name(at.shift)),
            *(rank_number(at.base_rank), _text(at.base), _text(at.aligned)),
        )
        yield from _continuations(before, found.arms, found.effect)
    for each in together:
        nowhere: Row = (file, *models, each.response, *(None,) * 6)
        yield from _continuations(nowhere, each.arms, each.effect)


def _continuations(before: Row, arms: Sequence[ArmResult], effect: float) -> Iterator[Row]:
    for each in arms:
        arm: Row = (each.arm.name, each.arm.model, each.arm.behind)
        for sample in each.samples:
            yield (*before, *arm, *_sample(sample), finite(effect))


def _sample(sample: Sample) -> Row:
    parting = sample.parting
    return (
        sample.seed,
        b"".join(sample.pieces).decode("utf-8", "replace"),
        sample.end or None,
        parting.same_tokens,
        parting.same_characters,
        parting.parts,
        parting.edit_distance,
        finite(parting.common_bigrams),
        parting.window,
        sample.from_rank or None,
        len(sample.swaps) if sample.from_rank else None,
    )


def _text(choice: Choice) -> str:
    """What a token says; nothing where it ends the response."""
    return "" if choice.ends else choice.piece.decode("utf-8", "replace")
