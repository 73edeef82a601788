"""What `shiftlens.analyze` gives: analyses that a notebook shows and that are tables."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

from shiftlens.analysis.model import Analysis
from shiftlens.analysis.position_table import SCHEMA, Row, columns, rows
from shiftlens.analysis.stages_of_file import FileStages, stages_of_file
from shiftlens.errors import TranscriptError
from shiftlens.options.pair import DEFAULT_MIN_CHANGE
from shiftlens.pipeline.analyse import Analysed
from shiftlens.pipeline.save_sidecar import save_beside
from shiftlens.scores.description import ModelDescription
from shiftlens.transcripts.files import decode

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class TranscriptAnalysis(Analysis):
    """An analysis as a notebook shows it, as tables and as a file of scores.

    `name` is that of its file, "" for none, `text` what was analysed; `models` has what the model of each side says of
    itself. Where scores are from a file beside the transcript, `source` says so in a sentence, and `scored_at` has when
    each response was scored.
    """

    name: str = ""
    text: str = field(default="", repr=False)
    models: Mapping[str, ModelDescription | None] = field(default_factory=dict, repr=False)
    source: str = ""
    scored_at: Mapping[int, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, found: Analysed, name: str, text: str) -> TranscriptAnalysis:
        """What was found of a text, which is that of a file of this name."""
        analysis = {each.name: getattr(found.analysis, each.name) for each in fields(Analysis)}
        made = cls(**analysis, name=name, text=text, models=found.models)
        return replace(made, source=found.source, scored_at=found.scored_at)

    def save(self, transcript: Path | str | None = None) -> Path:
        """Write the scores beside the transcript, as `shiftlens analyze FILE --save` does (docs/sidecars.md).

        `transcript` is the file that holds what was analysed; by default the one that was. Returns the path of the new
        file; a response that is not in it is told of by a warning. Raises TranscriptError where the transcript is not
        there or holds something else, ScoringError where there are no scores that could be saved, and ShiftLensError
        where the file can't be written.
        """
        path = self._file(transcript)
        found = Analysed(self, dict(self.models), (), (), scored_at=self.scored_at)
        saved, left_out = save_beside(path, self.text, found)
        for message in left_out:
            warnings.warn(message, stacklevel=2)
        return saved

    def _file(self, transcript: Path | str | None) -> Path:
        """Raises TranscriptError where it does not hold the text that was analysed."""
        if transcript is None and not self.name:
            raise TranscriptError(
                "What was analysed is no file, so that nothing says where its scores belong.",
                "Write its text (`analysis.text`) to a file, and name that: `analysis.save(path)`.",
            )
        path = Path(self.name if transcript is None else transcript)
        try:
            holds = decode(path.read_bytes())
        except OSError as error:
            raise TranscriptError(
                f"{path} can't be read: {error.strerror}.",
                "Scores are saved beside the file that holds what was analysed (`analysis.text`): write that first.",
            ) from None
        if holds != self.text:
            raise TranscriptError(
                f"{path} does not hold the text that was analysed, so that its scores would not fit.",
                "Analyse it as it is now, or name the file that holds `analysis.text`.",
            )
        return path

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
