"""Results of responses by their content: scores, or why there are none. Those used last are cached in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.keys import key_of
from shiftlens.scores.records import AnyScores, ScoredResponse

DEFAULT_CACHE_BYTES = 256 << 20

ContentKey = bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a response has no scores. `by_choice`: no part of it is of a kind that the user wants scored."""

    problem: str
    remedy: str = ""
    by_choice: bool = False

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}".strip()


Outcome = AnyScores | Refusal


@dataclass(frozen=True, slots=True)
class Result:
    """What scoring one content gave; with `partial`, so far, and only of its first positions."""

    outcome: Outcome
    partial: bool = False


def content_key(digest: bytes, pair: PairSpec, options: ScoreOptions) -> ContentKey:
    """Equal for two responses that the engine would give the same numbers. `digest` is that of the request."""
    return key_of(digest, pair, options)


def size_of(outcome: Outcome) -> int:
    """About how many bytes an outcome takes in memory."""
    if isinstance(outcome, Refusal):
        return len(outcome.problem) + len(outcome.remedy)
    columns: list[bytes] = []
    sides = [outcome.aligned]
    if isinstance(outcome, ScoredResponse):
        comparison = outcome.comparison
        columns = [comparison.boundary, comparison.base_rank_of_aligned_top, comparison.kl, comparison.loss_mask]
        columns += [comparison.base_of_aligned_top, comparison.aligned_of_base_top]
        sides.append(outcome.base)
    entries = prefixes = 0
    for side in sides:
        columns += [side.ids, side.byte_ends, side.special, side.logprob, side.rank, side.entropy]
        columns += [side.top_ids, side.top_logprobs]
        entries += len(side.pieces) + len(side.decoded)
        prefixes += 4 * len(side.prefix_text) + 8 * len(side.prefix_ids)
    # An entry of a dict, with its key and the header of the bytes or str it holds, is about 120 bytes.
    return sum(len(column) for column in columns) + 120 * entries + prefixes


@dataclass(slots=True)
class OutcomeCache:
    """Outcomes by content, up to `max_bytes`; the least recently used is let go of first."""

    max_bytes: int = DEFAULT_CACHE_BYTES
    cached_bytes: int = 0
    _outcomes: OrderedDict[ContentKey, Outcome] = field(default_factory=OrderedDict)

    def get(self, key: ContentKey) -> Outcome | None:
        found = self._outcomes.get(key)
        if found is not None:
            self._outcomes.move_to_end(key)
        return found

    def put(self, key: ContentKey, outcome: Outcome) -> None:
        self.forget((key,))
        self._outcomes[key] = outcome
        self.cached_bytes += size_of(outcome)
        while self.cached_bytes > self.max_bytes and len(self._outcomes) > 1:
            _, oldest = self._outcomes.popitem(last=False)
            self.cached_bytes -= size_of(oldest)

    def forget(self, keys: Iterable[ContentKey]) -> None:
        for key in keys:
            old = self._outcomes.pop(key, None)
            if old is not None:
                self.cached_bytes -= size_of(old)

    def forget_refusals(self, keys: Iterable[ContentKey]) -> None:
        """Forget which of these could not be scored, so that they are tried again."""
        self.forget([key for key in keys if isinstance(self._outcomes.get(key), Refusal)])

    def clear(self) -> None:
        """Forget everything, as when the models may have changed."""
        self._outcomes.clear()
        self.cached_bytes = 0
