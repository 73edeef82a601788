"""The responses of one transcript under one choice of models: what is to be scored, and the results so far."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field

from shiftlens.analysis.model import SAVED_TOO
from shiftlens.analysis.parts import has_part_of
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.pipeline.unscored import why_not
from shiftlens.scores.outcomes import ContentKey, Outcome, Refusal, Result, content_key
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import Requests, ResponseToScore
from shiftlens.transcripts.model import Transcript


@dataclass(slots=True)
class Work:
    """Fixed inputs, and the results so far by the content of responses, which `scoring_job` adds to.

    `keys` has the content of each response of the transcript; several may have the same, which is scored once. `only`
    are the responses that were asked for, by index, None for all. `document` names the text for the engine, which keeps
    for edits of it what it computed. `from_sidecar` are those whose scores came from a file beside the transcript.
    """

    transcript: Transcript
    pair: PairSpec
    options: ScoreOptions
    requests: Requests
    keys: tuple[ContentKey, ...]
    only: frozenset[int] | None = None
    document: str = ""
    results: MutableMapping[ContentKey, Result] = field(default_factory=dict)
    from_sidecar: set[ContentKey] = field(default_factory=set)

    def result_of_each(self) -> tuple[Result | None, ...]:
        """The result of each response of the transcript, in their order; None where there is none yet."""
        return tuple(self.results.get(key) for key in self.keys)

    def complete(self) -> dict[ContentKey, ScoredResponse]:
        """The scores of all positions of a content, where they are there."""
        return {
            key: result.outcome
            for key, result in self.results.items()
            if isinstance(result.outcome, ScoredResponse) and not result.partial
        }

    @property
    def has_scores(self) -> bool:
        """Whether any content has the scores of all its positions."""
        found = self.results.values()
        return any(isinstance(result.outcome, ScoredResponse) and not result.partial for result in found)

    def complete_outcomes(self) -> list[tuple[ContentKey, Outcome]]:
        """All outcomes that are complete, scores and refusals."""
        return [(key, result.outcome) for key, result in self.results.items() if not result.partial]

    def missing(self) -> dict[ContentKey, ResponseToScore]:
        """What has no scores yet, each content once."""
        return {key: self.requests[at] for at, key in enumerate(self.keys) if key not in self.results}

    @property
    def is_missing_any(self) -> bool:
        """Whether any response has no scores yet."""
        return any(key not in self.results for key in self.keys)

    def asked_for(self) -> tuple[ContentKey, ...]:
        """The contents of the responses that were asked for."""
        return tuple(key for at, key in enumerate(self.keys) if self.only is None or at in self.only)

    def wanted(self) -> dict[ContentKey, ResponseToScore]:
        """What was asked for and has no scores yet."""
        return {
            key: self.requests[at]
            for at, key in enumerate(self.keys)
            if (self.only is None or at in self.only) and key not in self.results
        }

    def wanted_at(self) -> tuple[int, ...]:
        """Where what is wanted stands first in the transcript. Works under several pairs may be compared by this."""
        wanted = set(self.wanted())
        found = {key: at for at, key in reversed(list(enumerate(self.keys))) if key in wanted}
        return tuple(sorted(found.values()))


def plan_work(
    transcript: Transcript,
    pair: PairSpec,
    options: ScoreOptions,
    *,
    only: frozenset[int] | None = None,
    document: str = "",
    results: MutableMapping[ContentKey, Result] | None = None,
    requests: Requests | None = None,
) -> Work:
    """What there is to do for a transcript, whose `requests` may be there already. A response without a part that is to
    be scored has its result at once: that it has no scores. Results are put into `results`, which is empty; a dict
    without one."""
    requests = Requests(transcript.responses, transcript.format) if requests is None else requests
    keys = tuple(content_key(requests.digest(at), pair, options) for at in range(len(requests)))
    results = {} if results is None else results
    for key, response in zip(keys, transcript.responses, strict=True):
        if not has_part_of(response, options.parts):
            results[key] = Result(Refusal(why_not(response), by_choice=True))
        elif response.without_prompt:
            results[key] = Result(Refusal(response.without_prompt, SAVED_TOO if response.turn.saved else ""))
    return Work(transcript, pair, options, requests, keys, only, document, results)
