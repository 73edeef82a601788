"""One run of the job of a document: what goes in, and what is known so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from shiftlens.analysis.parts import has_part_of
from shiftlens.engine.protocol import Done
from shiftlens.lsp.client.status import State, Status
from shiftlens.lsp.documents.open import OpenDocument, ParsedDocument
from shiftlens.lsp.documents.store import ContentKey, Refusal, content_key
from shiftlens.lsp.views.build import Known
from shiftlens.options.pair import PairSpec
from shiftlens.options.pair_choice import Choice
from shiftlens.pipeline.unscored import why_not, why_nothing
from shiftlens.scores.pair_results import PairResults
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import Requests, ResponseToScore
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Transcript, Turn


@dataclass(slots=True)
class Work:
    """Fixed inputs, and what is known so far of each response (by content).

    `only` are the responses that were asked for, by index, None for all. `kept` are the pair's results on disk, None
    where there are to be none; `done` is the engine's last word.
    """

    document: OpenDocument
    version: int
    text: str
    transcript: Transcript
    choice: Choice
    pair: PairSpec
    requests: Requests
    keys: tuple[ContentKey, ...]
    only: frozenset[int] | None = None
    known: dict[ContentKey, Known] = field(default_factory=dict)
    kept: PairResults | None = None
    done: Done | None = None

    def complete(self) -> dict[ContentKey, ScoredResponse]:
        """The scores that are known in full."""
        return {
            key: known.outcome
            for key, known in self.known.items()
            if isinstance(known.outcome, ScoredResponse) and not known.partial
        }

    def missing(self) -> dict[ContentKey, ResponseToScore]:
        """What has no scores yet, each content once."""
        return {key: self.requests[at] for at, key in enumerate(self.keys) if key not in self.known}

    @property
    def is_missing_any(self) -> bool:
        """Whether any response has no scores yet."""
        return any(key not in self.known for key in self.keys)

    def asked_for(self) -> tuple[ContentKey, ...]:
        return tuple(key for at, key in enumerate(self.keys) if self.only is None or at in self.only)

    def wanted(self) -> dict[ContentKey, ResponseToScore]:
        """What was asked for and has no scores yet."""
        return {
            key: self.requests[at]
            for at, key in enumerate(self.keys)
            if (self.only is None or at in self.only) and key not in self.known
        }

    def outcome_status(self) -> Status:
        """Where the document stands when nothing more is done."""
        refusals = [known.outcome for known in self.known.values() if isinstance(known.outcome, Refusal)]
        if (why := why_nothing(self.transcript, self.choice.score_options.parts)) is not None:
            return Status(State.NO_RESPONSE, why[0])
        refused = sum(not refusal.by_choice for refusal in refusals)
        message = f"{refused} of {len(self.keys)} responses could not be scored." if refused else ""
        if not self.is_missing_any:
            return Status(State.READY, message)
        scored = sum(key in self.known for key in self.keys)
        part = (scored, len(self.keys)) if scored else None
        if self.choice.only_stored:
            shown = " Scores of before are shown." if part else ""
            return Status(State.NOT_SCORED, f"{self.choice.why_not}{shown}", part=part)
        if part is None:
            return Status(State.NOT_SCORED, 'Not scored yet: run "ShiftLens: Score This File" to do so.')
        rest = 'Run "ShiftLens: Score This File" for the rest.'
        return Status(State.NOT_SCORED, f"{message} {rest}".strip(), part=part)


def plan_work(
    document: OpenDocument,
    parsed: ParsedDocument,
    transcript: Transcript,
    choice: Choice,
    pair: PairSpec,
    only: frozenset[int] | None,
) -> Work:
    """What there is to do for a document as it was read."""
    requests = Requests(transcript.responses, transcript.format)
    keys = tuple(content_key(requests.digest(at), pair, choice.score_options) for at in range(len(requests)))
    parts = choice.score_options.parts
    not_scored = {
        key: Known(Refusal(why_not(response), by_choice=True))
        for key, response in zip(keys, transcript.responses, strict=True)
        if not has_part_of(response, parts)
    }
    return Work(document, parsed.version, parsed.text, transcript, choice, pair, requests, keys, only, not_scored)


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
