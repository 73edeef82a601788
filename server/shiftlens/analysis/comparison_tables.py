"""Rows of a file's noise floor and of its base contexts: the columns of data frames.

`docs/noise-floor.md` and `docs/contexts.md` say what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.analysis.contexts import ContextsRow, FileContexts
from shiftlens.analysis.json_values import class_name, finite
from shiftlens.analysis.noise_floor import FileNoise, NoisePosition
from shiftlens.analysis.position_table import Row, columns_of
from shiftlens.analysis.ranks import rank_number
from shiftlens.scores.columns import Above

NOISE_SCHEMA = "shiftlens-noise-positions/1"
CONTEXTS_SCHEMA = "shiftlens-contexts-positions/1"

_PLACE = (
    *columns_of("integer", "response", "position"),
    *columns_of("text", "token"),
    *columns_of("integer", "start", "end"),
    *columns_of("flag", "end_of_response"),
)
NOISE_COLUMNS = (
    *columns_of("text", "file", "base_model", "aligned_model", "against"),
    *_PLACE,
    *columns_of("text", "class"),
    *columns_of("number", "real_logprob", "real_kl", "noise_logprob", "noise_kl"),
    *columns_of("flag", "within_floor"),
)
CONTEXTS_COLUMNS = (
    *columns_of("text", "file", "base_model", "aligned_model", "context"),
    *_PLACE,
    *columns_of("text", "class"),
    *columns_of("integer", "base_rank", "base_rank_above"),
    *columns_of("number", "base_prob", "kl"),
    *columns_of("flag", "boundary", "changes"),
)


def noise_rows(file: str, models: tuple[str, str], found: FileNoise) -> Iterator[Row]:
    """A row for each position that was measured; `models` are the names of base and aligned model."""
    for response in found.responses:
        for each in response.positions:
            yield (
                *(file, *models, found.dtypes[1], *_place(response.analysis.response.index, each)),
                class_name(each.shift),
                *map(finite, (each.real.logprob, each.real.kl, each.noise.logprob, each.noise.kl)),
                each.within,
            )


def contexts_rows(file: str, models: tuple[str, str], found: FileContexts) -> Iterator[Row]:
    """A row for each position under each context."""
    for response in found.responses:
        for row in response.rows:
            for name, given in zip(found.names, row.given, strict=True):
                yield (
                    *(file, *models, name, *_place(response.analysis.response.index, row)),
                    class_name(given.shift),
                    rank_number(given.rank),
                    given.rank.rank if isinstance(given.rank, Above) else None,
                    finite(given.prob),
                    finite(given.kl),
                    given.boundary,
                    row.changes,
                )


def _place(response: int, of: NoisePosition | ContextsRow) -> Row:
    text = "" if of.is_end else of.piece.decode("utf-8", "replace")
    return (response, of.index, text, of.start, of.end, of.is_end)
