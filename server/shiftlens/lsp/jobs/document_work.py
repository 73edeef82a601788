"""One run of the job of a document: what goes in, the results so far, and where the document stands with that."""

from __future__ import annotations

from dataclasses import dataclass

from shiftlens.lsp.client.status import State, Status
from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.lsp.views.build import build_view
from shiftlens.options.pair_choice import Choice
from shiftlens.pipeline.sidecars import NO_SIDECAR, Decided, words_on_source
from shiftlens.pipeline.unscored import why_nothing
from shiftlens.pipeline.work import Work
from shiftlens.scores.outcomes import Refusal
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Transcript, Turn


@dataclass(frozen=True, slots=True)
class DocumentWork:
    """The work on one version of a document, whose `text` every offset refers to.

    `decided` has the scores of the file beside it, if any.
    """

    document: OpenDocument
    version: int
    text: str
    choice: Choice
    work: Work
    decided: Decided = NO_SIDECAR

    def view(self, before: DocumentAnalysis | None) -> DocumentAnalysis:
        """What the document shows with the results so far; colours of `before` stay where there are no scores yet."""
        edits = None if before is None else self.document.edits_between(before, self.version, self.text)
        return build_view(
            before,
            self.work.result_of_each(),
            version=self.version,
            text=self.text,
            transcript=self.work.transcript,
            pair=self.work.pair,
            score_options=self.choice.score_options,
            classify_options=self.choice.classify_options,
            edits=edits,
        )

    def status(self) -> Status:
        """Where the document stands when nothing more is done."""
        work, choice = self.work, self.choice
        refusals = [result.outcome for result in work.results.values() if isinstance(result.outcome, Refusal)]
        if (why := why_nothing(work.transcript, choice.score_options.parts)) is not None:
            return Status(State.NO_RESPONSE, why[0])
        refused = sum(not refusal.by_choice for refusal in refusals)
        message = f"{refused} of {len(work.keys)} responses could not be scored." if refused else ""
        scored = sum(key in work.results for key in work.keys)
        of_sidecar = sum(key in work.from_sidecar for key in work.keys)
        total = len(work.keys)
        source = words_on_source(self.decided.beside, of_sidecar, total - scored, total)
        message = " ".join(each for each in (message, source, self.decided.remark) if each)
        if not work.is_missing_any:
            return Status(State.READY, message)
        part = (scored, total) if scored else None
        if choice.only_stored:
            shown = "Scores of before are shown." if part and not source else ""
            told = (source, choice.why_not, shown, self.decided.remark)
            return Status(State.NOT_SCORED, " ".join(each for each in told if each), part=part)
        if part is None:
            return Status(State.NOT_SCORED, 'Not scored yet: run "ShiftLens: Score This File" to do so.')
        rest = 'Run "ShiftLens: Score This File" for the rest.'
        return Status(State.NOT_SCORED, f"{message} {rest}".strip(), part=part)


def touched(transcript: Transcript, start: int, end: int) -> frozenset[int]:
    """The responses with a part that a selection [start, end) of the text touches, else those around it.

    With nothing selected, it is the one at the cursor.
    """

    def touches(of: Turn | SourceMap) -> bool:
        if start == end:
            return of.source_start <= start <= of.source_end
        return of.source_start < end and start < of.source_end

    turns = [(at, response.turn) for at, response in enumerate(transcript.responses)]
    by_part = frozenset(at for at, turn in turns if any(touches(part.source) for part in turn.parts))
    return by_part or frozenset(at for at, turn in turns if touches(turn))
