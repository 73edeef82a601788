"""The work on a transcript whose scores are those that the file itself holds: no model is run for its results."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache as memo
from functools import lru_cache
from typing import TYPE_CHECKING

from shiftlens.analysis.parts import has_part_of
from shiftlens.options.pair import NO_PAIR, ScoreOptions
from shiftlens.pipeline.unscored import why_not
from shiftlens.pipeline.work import Work
from shiftlens.scores.keys import key_of
from shiftlens.scores.outcomes import Outcome, OutcomeCache, Refusal, Result
from shiftlens.scores.requests import Requests
from shiftlens.transcripts.model import Response, SavedKind, Transcript

if TYPE_CHECKING:
    from shiftlens.saved.scores import Read

HOW_ELSE = "Scores by models need `--scores models` (the setting `shiftlens.scores`)."


def holds_scores(transcript: Transcript) -> bool:
    """Whether the file itself has logprobs of any response."""
    return any(response.turn.saved for response in transcript.responses)


def why_no_scores(transcript: Transcript) -> str:
    """Why a file has no scores of its own, in a sentence; "" where it has."""
    if holds_scores(transcript) or not transcript.responses:
        return ""
    return f"The file holds no logprobs of its responses. {HOW_ELSE}"


def offered_scores(transcript: Transcript) -> str:
    """A sentence on scores that the file holds and that may be shown without a model; "" where there are none."""
    count = sum(any(saved.names_tokens for saved in response.turn.saved) for response in transcript.responses)
    if not count:
        return ""
    what = "its response" if count == len(transcript.responses) == 1 else f"{count:,} of its responses"
    return f'The file holds logprobs of {what}: with `shiftlens.scores` set to "saved" they are shown, without a model.'


def plan_saved_work(
    transcript: Transcript,
    options: ScoreOptions,
    *,
    only: frozenset[int] | None = None,
    document: str = "",
    cache: OutcomeCache | None = None,
) -> Work:
    """The work, done. What `cache` holds is not read again.

    Its options have the `compat` of what the file holds: AlignTDS's own numbers go by AlignTDS's rules.
    """
    # Not needed at the start of a language server.
    from shiftlens.saved.scores import every_reading

    kinds = {saved.kind for response in transcript.responses for saved in response.turn.saved}
    options = replace(options, compat="aligntds" if kinds == {SavedKind.ALIGNTDS} else "")
    # All answers in a prompt share its logprobs.
    digest, read = memo(_digest), lru_cache(maxsize=2)(every_reading)
    keys = tuple(_key(response, options.parts, digest) for response in transcript.responses)
    results: dict[bytes, Result] = {}
    for key, response in zip(keys, transcript.responses, strict=True):
        if key not in results:
            outcome = None if cache is None else cache.get(key)
            results[key] = Result(outcome if outcome is not None else _outcome(response, options.parts, read))
    return Work(
        transcript, NO_PAIR, options, Requests(transcript.responses, transcript.format), keys, only, document, results
    )


def _digest(pieces: tuple[str, ...]) -> bytes:
    return key_of(pieces)


def _key(response: Response, parts: Collection[str], digest: Callable[[tuple[str, ...]], bytes]) -> bytes:
    texts = [(part.kind.value, part.text.encode("utf-8", "surrogatepass")) for part in response.turn.parts]
    saved = [(each.kind.value, digest(each.pieces), each.model) for each in response.turn.saved]
    return key_of("saved", texts, saved, tuple(parts))


def _outcome(response: Response, parts: Collection[str], read: Read) -> Outcome:
    from shiftlens.saved.scores import saved_scores
    from shiftlens.saved.tokens import SavedError

    if not has_part_of(response, parts):
        return Refusal(why_not(response), by_choice=True)
    try:
        return saved_scores(response, parts, read)
    except SavedError as error:
        return Refusal(str(error))
