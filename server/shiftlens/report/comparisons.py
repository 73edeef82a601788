"""What `shiftlens.noise_floor` and `shiftlens.contexts` give: as JSON, as tables, and as a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from markupsafe import escape

from shiftlens.analysis import contexts_contract, noise_floor_contract
from shiftlens.analysis.comparison_tables import (
    CONTEXTS_COLUMNS,
    CONTEXTS_SCHEMA,
    NOISE_COLUMNS,
    NOISE_SCHEMA,
    contexts_rows,
    noise_rows,
)
from shiftlens.analysis.contexts import FileContexts
from shiftlens.analysis.json_values import Json
from shiftlens.analysis.noise_floor import FileNoise, as_what, without_noise
from shiftlens.report.results import TranscriptAnalysis
from shiftlens.report.text.contexts import contexts_lines, not_compared_lines
from shiftlens.report.text.lines import Places
from shiftlens.report.text.noise_floor import beyond_words, floor_words
from shiftlens.text.lines import LineIndex
from shiftlens.text.visible import harmless, harmless_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """The noise floor of a transcript: its analysis under the pair, and each position's noise in `noise`, in nats.

    `noise.not_measured` has the responses that are not measured (index, sentence).
    """

    analysis: TranscriptAnalysis
    noise: FileNoise
    not_scored: tuple[int, ...] = ()

    def to_json(self) -> Json:
        """The object that `shiftlens noise-floor --format json` prints."""
        name = self.analysis.name
        return noise_floor_contract.to_json(self.noise, self.analysis, name, not_scored=self.not_scored)

    def to_pandas(self) -> pd.DataFrame:
        """A row for each position, with the columns of docs/noise-floor.md. Raises PackageError without pandas."""
        from shiftlens.report.frames import data_frame

        return data_frame(NOISE_COLUMNS, noise_rows(self.analysis.name, _models(self.analysis), self.noise))

    def to_arrow(self) -> pa.Table:
        """The same as an Arrow table. Raises PackageError without pyarrow."""
        from shiftlens.report.arrow import arrow_table

        rows = noise_rows(self.analysis.name, _models(self.analysis), self.noise)
        return arrow_table(NOISE_COLUMNS, rows, {"schema": NOISE_SCHEMA})

    def _repr_html_(self) -> str:
        """The coloured responses, without a class where a shift lies within the floor, as a notebook shows them."""
        from shiftlens.report.notebook import notebook_html

        own, other = self.noise.dtypes
        told = [
            f"Noise is what the aligned model moves by {as_what(other)}, from {own}.",
            f"{floor_words(self.noise)}. Marginal and shifted tokens within the floor are shown without a class.",
            f"{beyond_words(self.noise)}.",
            *(f"Response {index + 1} is not measured: {message}" for index, message in self.noise.not_measured),
        ]
        shown = replace(self.analysis, responses=tuple(without_noise(each) for each in self.noise.responses))
        return f"{_text_html(told)}{notebook_html(shown)}"


@dataclass(frozen=True, slots=True)
class Contexts:
    """A transcript under several base contexts: its analysis under the first of them, and all of them in `compared`.

    `compared.not_compared` has the responses that are not compared.
    """

    analysis: TranscriptAnalysis
    compared: FileContexts
    not_scored: tuple[int, ...] = ()

    def to_json(self) -> Json:
        """The object that `shiftlens contexts --format json` prints."""
        return contexts_contract.to_json(self.compared, self.analysis.name, not_scored=self.not_scored)

    def to_pandas(self) -> pd.DataFrame:
        """A row for each position under each context, with the columns of docs/contexts.md. Raises PackageError without
        pandas."""
        from shiftlens.report.frames import data_frame

        return data_frame(CONTEXTS_COLUMNS, contexts_rows(self.analysis.name, _models(self.analysis), self.compared))

    def to_arrow(self) -> pa.Table:
        """The same as an Arrow table. Raises PackageError without pyarrow."""
        from shiftlens.report.arrow import arrow_table

        rows = contexts_rows(self.analysis.name, _models(self.analysis), self.compared)
        return arrow_table(CONTEXTS_COLUMNS, rows, {"schema": CONTEXTS_SCHEMA})

    def _repr_html_(self) -> str:
        """Shares and the tokens whose class changes as plain text, as a notebook shows them."""
        places = Places(LineIndex(self.analysis.text), lambda start, end: (start, end))
        base, aligned = map(harmless_name, _models(self.analysis))
        return _text_html(
            [
                f"base {base}, aligned {aligned}",
                *not_compared_lines(self.compared),
                *(line.text for line in contexts_lines(self.compared, places)),
            ]
        )


def _models(analysis: TranscriptAnalysis) -> tuple[str, str]:
    return analysis.pair.base, analysis.pair.aligned


def _text_html(lines: Iterable[str]) -> str:
    return f"<pre>{escape(chr(10).join(map(harmless, lines)))}</pre>"
