"""The responses of one transcript under one choice of models: what is to be scored, and what is known so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from shiftlens.analysis.parts import has_part_of
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.pipeline.unscored import why_not
from shiftlens.scores.outcomes import ContentKey, Known, Refusal, content_key
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import Requests, ResponseToScore
from shiftlens.transcripts.model import Transcript


@dataclass(slots=True)
class Work:
    """Fixed inputs, and what is known so far of each response by its content, which `scoring_job` adds to.

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
    known: dict[ContentKey, Known] = field(default_factory=dict)
    from_sidecar: set[ContentKey] = field(default_factory=set)

    def outcomes(self) -> tuple[Known | None, ...]:
        """What is known of each response of the transcript, in their order."""
        return tuple(self.known.get(key) for key in self.keys)

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
        """The contents of the responses that were asked for."""
        return tuple(key for at, key in enumerate(self.keys) if self.only is None or at in self.only)

    def wanted(self) -> dict[ContentKey, ResponseToScore]:
        """What was asked for and has no scores yet."""
        return {
            key: self.requests[at]
            for at, key in enumerate(self.keys)
            if (self.only is None or at in self.only) and key not in self.known
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
    requests: Requests | None = None,
) -> Work:
    """What there is to do for a transcript, whose `requests` may be there already.

    Of a response without a part that is to be scored it is known at once that it has no scores.
    """
    requests = Requests(transcript.responses, transcript.format) if requests is None else requests
    keys = tuple(content_key(requests.digest(at), pair, options) for at in range(len(requests)))
    not_scored = {
        key: Known(Refusal(why_not(response), by_choice=True))
        for key, response in zip(keys, transcript.responses, strict=True)
        if not has_part_of(response, options.parts)
    }
    return Work(transcript, pair, options, requests, keys, only, document, not_scored)
