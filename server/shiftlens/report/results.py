"""What `shiftlens.analyze` gives: analyses that a notebook shows and that are tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, overload

from shiftlens.analysis.model import Analysis
from shiftlens.analysis.position_table import SCHEMA, Row, columns, rows
from shiftlens.analysis.stages_of_file import FileStages, stages_of_file
from shiftlens.options.pair import DEFAULT_MIN_CHANGE

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class TranscriptAnalysis(Analysis):
    """An analysis as a notebook shows it and as tables; `name` is that of its file, "" for none."""

    name: str = ""

    @classmethod
    def of(cls, analysis: Analysis, name: str) -> TranscriptAnalysis:
        """The analysis of a file of this name."""
        return cls(**{field.name: getattr(analysis, field.name) for field in fields(Analysis)}, name=name)

    def _repr_html_(self) -> str:
        """The coloured responses, as a notebook shows them."""
        # The template engine takes a tenth of a second, which scripts need not pay.
        from shiftlens.report.notebook import notebook_html

        return notebook_html(self)

    def to_pandas(self) -> pd.DataFrame:
        """A row for each position, with the columns of docs/exports.md. Raises PackageError without pandas."""
        from shiftlens.report.frames import data_frame

        return data_frame(columns(self.score_options.compat), self._rows())

    def to_arrow(self) -> pa.Table:
        """The same as an Arrow table. Raises PackageError without pyarrow."""
        from shiftlens.report.arrow import arrow_table

        return arrow_table(columns(self.score_options.compat), self._rows(), {"schema": SCHEMA})

    def _rows(self) -> Iterator[Row]:
        return rows(self.name, self)


@dataclass(frozen=True, slots=True)
class SeveralAnalyses(Sequence[TranscriptAnalysis]):
    """The analyses of one transcript under several aligned models of one base, in the order of these."""

    analyses: tuple[TranscriptAnalysis, ...]

    @overload
    def __getitem__(self, at: int) -> TranscriptAnalysis: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[TranscriptAnalysis, ...]: ...
    def __getitem__(self, at: int | slice) -> TranscriptAnalysis | tuple[TranscriptAnalysis, ...]:
        return self.analyses[at]

    def __len__(self) -> int:
        return len(self.analyses)

    def stages(self, min_change: float = DEFAULT_MIN_CHANGE) -> FileStages:
        """Which of the models was the first to move each position, as `shiftlens stages` tells (docs/stages.md)."""
        return stages_of_file(self.analyses, [()] * len(self.analyses), min_change)

    def _repr_html_(self) -> str:
        """The coloured responses under each model, as a notebook shows them."""
        from shiftlens.report.notebook import MOST_POSITIONS, notebook_html

        share = MOST_POSITIONS // max(1, len(self.analyses))
        return "".join(notebook_html(each, share) for each in self.analyses)

    def to_pandas(self) -> pd.DataFrame:
        """A row for each position under each model, which `aligned_model` names. Raises PackageError without pandas."""
        from shiftlens.report.frames import data_frame

        return data_frame(columns(self._compat), self._rows())

    def to_arrow(self) -> pa.Table:
        """The same as an Arrow table. Raises PackageError without pyarrow."""
        from shiftlens.report.arrow import arrow_table

        return arrow_table(columns(self._compat), self._rows(), {"schema": SCHEMA})

    @property
    def _compat(self) -> str:
        return self.analyses[0].score_options.compat if self.analyses else ""

    def _rows(self) -> Iterator[Row]:
        return (row for each in self.analyses for row in rows(each.name, each))
