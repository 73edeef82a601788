"""What `shiftlens.cross_sample` gives: what came of swaps, as JSON, as tables, and as a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import escape

from shiftlens.analysis.cross_sampling import CrossSampled, SwappedTogether
from shiftlens.analysis.cross_sampling_contract import to_json
from shiftlens.analysis.cross_sampling_table import COLUMNS, SCHEMA, rows
from shiftlens.analysis.json_values import Json
from shiftlens.analysis.position_table import Row
from shiftlens.pipeline.cross_sample import CrossSampling, NotSampled
from shiftlens.report.results import TranscriptAnalysis
from shiftlens.report.text.cross_sampling import (
    READING,
    TOGETHER_READING,
    cross_sampling_lines,
    how_words,
    together_lines,
    together_words,
)
from shiftlens.report.text.lines import Line, Places
from shiftlens.text.lines import LineIndex
from shiftlens.text.visible import harmless, harmless_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class CrossSamples:
    """What came of swapping tokens of a transcript, of which `analysis` has the scores.

    `positions` has each position that was swapped by itself, in the order in which they were asked for, and
    `not_sampled` those of which nothing came, with a sentence each. `together` has each response in which up to `most`
    tokens were swapped in one go, None where that was not asked for. `asked` says how continuations were drawn.
    """

    analysis: TranscriptAnalysis
    asked: CrossSampling
    positions: tuple[CrossSampled, ...] = ()
    not_sampled: tuple[NotSampled, ...] = ()
    together: tuple[SwappedTogether, ...] | None = None
    most: int | None = None

    def to_json(self) -> Json:
        """The object that `shiftlens cross-sample --format json` prints, schema "shiftlens-cross-sample/1"."""
        return to_json(
            self.analysis,
            self.analysis.name,
            self.positions,
            samples=self.asked.samples,
            seed=self.asked.seed,
            sampling=self.asked.sampling,
            not_sampled=[(each.position, each.message) for each in self.not_sampled],
            together=self.together,
            most=self.most if self.together is not None else None,
        )

    def to_pandas(self) -> pd.DataFrame:
        """A row for each continuation, with the columns of docs/cross-sampling.md. Raises PackageError without
        pandas."""
        from shiftlens.report.frames import data_frame

        return data_frame(COLUMNS, self._rows())

    def to_arrow(self) -> pa.Table:
        """The same as an Arrow table. Raises PackageError without pyarrow."""
        from shiftlens.report.arrow import arrow_table

        return arrow_table(COLUMNS, self._rows(), {"schema": SCHEMA})

    def _rows(self) -> Iterator[Row]:
        pair = self.analysis.pair
        return rows(self.analysis.name, (pair.base, pair.aligned), self.positions, self.together or ())

    def _repr_html_(self) -> str:
        """Arms, texts and numbers as plain text, as a notebook shows them."""
        return f"<pre>{escape(chr(10).join(line.text for line in self._lines()))}</pre>"

    def _lines(self) -> Iterator[Line]:
        pair = self.analysis.pair
        yield Line(f"base {harmless_name(pair.base)}, aligned {harmless_name(pair.aligned)}")
        if self.together is None:
            yield from map(Line, (how_words(self.asked), *READING))
            yield from (Line(harmless(f"Response {at.position.response + 1}: {at.message}")) for at in self.not_sampled)
            places = Places(LineIndex(self.analysis.text), lambda start, end: (start, end))
            yield from cross_sampling_lines(self.positions, places)
            return
        how = how_words(self.asked, "from its beginning")
        yield from map(Line, (f"{together_words(self.most or 0)}; {how}", *TOGETHER_READING))
        for each in self.together:
            yield Line("")
            yield from together_lines(each)
