"""What is known: scores by content, and the analysis that each document shows. Immutable values only."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.analysis.runs import Run
from shiftlens.lsp.documents.paints import Paint
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.records import ScoredResponse
from shiftlens.transcripts.model import Transcript

DEFAULT_CACHE_BYTES = 256 << 20

ContentKey = bytes
_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a response has no scores. `by_choice`: no part of it is of a kind that the user wants scored."""

    problem: str
    remedy: str = ""
    by_choice: bool = False

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}".strip()


Outcome = ScoredResponse | Refusal


@dataclass(frozen=True, slots=True)
class ResponseResult:
    """What is known of one response: `analysis` of all its rows or (`partial`) of the first, or a `refusal`.

    `paints` are the colours of those rows, `runs` the runs of shifted tokens among them.
    """

    analysis: ResponseAnalysis | None = None
    refusal: Refusal | None = None
    partial: bool = False
    paints: tuple[Paint, ...] = ()
    runs: tuple[Run, ...] = ()

    @property
    def is_final(self) -> bool:
        return self.refusal is not None or (self.analysis is not None and not self.partial)

    def says_the_same_as(self, other: ResponseResult) -> bool:
        """Whether it is of the same analysis, or refused for the same reason. Never looks into the analysis."""
        return self.analysis is other.analysis and self.partial == other.partial and self.refusal == other.refusal


@dataclass(frozen=True, slots=True)
class DocumentAnalysis:
    """What is known of one version of a document.

    `text` is the text that every offset refers to; `results` has one entry for each response of the transcript;
    `paints` are the colours of all responses in order, those of a response that is not scored yet carried over from
    the analysis before.
    """

    version: int
    text: str
    transcript: Transcript
    pair: PairSpec
    score_options: ScoreOptions
    classify_options: ClassifyOptions
    results: tuple[ResponseResult, ...]
    paints: tuple[Paint, ...]

    @property
    def is_complete(self) -> bool:
        return all(result.is_final for result in self.results)

    def says_the_same_as(self, other: DocumentAnalysis) -> bool:
        """Whether every response has the same result."""
        return len(self.results) == len(other.results) and all(
            own.says_the_same_as(its) for own, its in zip(self.results, other.results, strict=True)
        )


def content_key(digest: bytes, pair: PairSpec, options: ScoreOptions) -> ContentKey:
    """Equal for two responses that the engine would give the same numbers. `digest` is that of the request."""
    return hashlib.sha256(_encoder.encode((digest, pair, options))).digest()


def size_of(outcome: Outcome) -> int:
    """About how many bytes an outcome holds."""
    if isinstance(outcome, Refusal):
        return len(outcome.problem) + len(outcome.remedy)
    comparison = outcome.comparison
    columns = [comparison.boundary, comparison.base_rank_of_aligned_top, comparison.kl]
    entries = prefixes = 0
    for side in (outcome.base, outcome.aligned):
        columns += [side.ids, side.byte_ends, side.special, side.logprob, side.rank, side.entropy]
        columns += [side.top_ids, side.top_logprobs]
        entries += len(side.pieces) + len(side.decoded)
        prefixes += 4 * len(side.prefix_text) + 8 * len(side.prefix_ids)
    # An entry of a dict, with its key and the header of the bytes or str it holds, is about 120 bytes.
    return sum(len(column) for column in columns) + 120 * entries + prefixes


@dataclass(slots=True)
class AnalysisStore:
    """Holds outcomes by content, the least recently used let go first, and the shown analysis by document."""

    max_bytes: int = DEFAULT_CACHE_BYTES
    held_bytes: int = 0
    _outcomes: OrderedDict[ContentKey, Outcome] = field(default_factory=OrderedDict)
    _shown: dict[str, DocumentAnalysis] = field(default_factory=dict)

    def outcome(self, key: ContentKey) -> Outcome | None:
        found = self._outcomes.get(key)
        if found is not None:
            self._outcomes.move_to_end(key)
        return found

    def keep(self, key: ContentKey, outcome: Outcome) -> None:
        self.forget((key,))
        self._outcomes[key] = outcome
        self.held_bytes += size_of(outcome)
        while self.held_bytes > self.max_bytes and len(self._outcomes) > 1:
            _, oldest = self._outcomes.popitem(last=False)
            self.held_bytes -= size_of(oldest)

    def forget(self, keys: Sequence[ContentKey]) -> None:
        for key in keys:
            old = self._outcomes.pop(key, None)
            if old is not None:
                self.held_bytes -= size_of(old)

    def clear_outcomes(self) -> None:
        """Forget every score, as when the models may have changed. What is shown stays."""
        self._outcomes.clear()
        self.held_bytes = 0

    def shown(self, uri: str) -> DocumentAnalysis | None:
        return self._shown.get(uri)

    def show(self, uri: str, analysis: DocumentAnalysis) -> None:
        self._shown[uri] = analysis

    def hide(self, uri: str) -> bool:
        """Show nothing more of a document; False where nothing was shown."""
        return self._shown.pop(uri, None) is not None
