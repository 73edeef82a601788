"""A response as the one text that the model wrote: its parts, and what a template writes between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shiftlens.errors import ScoringError
from shiftlens.scores.requests import ContextPart
from shiftlens.scoring.inputs.thought_marks import ThoughtMarks

_OPTION_NAMES = {"text": "answer", "reasoning": "reasoning", "tool_call": "tool_call"}


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of what the model wrote: a part of the turn, `part` being its index, or what a template put between two.

    `part` is None for the latter.
    """

    text: str
    part: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A response with what stands before it.

    - prefix: the aligned model's context.
    - opening: the end of the prefix that opens a thought, which any other context is to end with too.
    - passages: what the model wrote, in order. They end with the turn, but for calls that can't be placed (`cut`).
    """

    prefix: str
    passages: tuple[Passage, ...]
    opening: str = ""
    cut: bool = False

    def between(self) -> bool:
        """Whether a template wrote something between the parts."""
        return any(passage.part is None for passage in self.passages)


@dataclass(frozen=True, slots=True)
class ScoredText:
    """The text of a response that is scored, with the text before it.

    The first and the last of `passages` are scored parts; `scored` has the indices of all scored parts. `ends` says
    that the turn ends with the last of them, so that the end of the response is scored too.
    """

    prefix: str
    opening: str
    passages: tuple[Passage, ...]
    scored: tuple[int, ...]
    ends: bool

    @property
    def text(self) -> str:
        return "".join(passage.text for passage in self.passages)

    @property
    def is_one_text(self) -> bool:
        """Whether all of it is scored, as one part."""
        return len(self.passages) == 1


def kind_of(part: ContextPart) -> str:
    """The name that options give the kind of a part: one of SCORE_PARTS, or the kind itself."""
    return _OPTION_NAMES.get(part.kind, part.kind)


def scored_text(written: Written, parts: Sequence[ContextPart], kinds: Collection[str]) -> ScoredText:
    """The text that is scored where parts of these kinds are. Raises ScoringError where the turn has none of them."""
    passages = [passage for passage in written.passages if passage.text]
    indices = [at for at, p in enumerate(passages) if p.part is not None and kind_of(parts[p.part]) in kinds]
    if not indices:
        raise _nothing_to_score(parts, kinds)
    before = "".join(passage.text for passage in passages[: indices[0]])
    chosen = passages[indices[0] : indices[-1] + 1]
    return ScoredText(
        prefix=written.prefix + before,
        opening=written.opening + before,
        passages=tuple(chosen),
        scored=tuple(passages[at].part or 0 for at in indices),
        ends=indices[-1] == len(passages) - 1 and not written.cut,
    )


def last_run(found: ScoredText) -> ScoredText:
    """The last scored parts that follow one another with nothing between; what is before stands in the prefix."""
    at = next((i for i in range(len(found.passages), 0, -1) if found.passages[i - 1].part not in found.scored), 0)
    before = "".join(passage.text for passage in found.passages[:at])
    chosen = found.passages[at:]
    return dataclasses.replace(
        found,
        prefix=found.prefix + before,
        opening=found.opening + before,
        passages=chosen,
        scored=tuple(passage.part for passage in chosen if passage.part is not None),
    )


def spelled_by_marks(parts: Sequence[ContextPart], marks: ThoughtMarks) -> tuple[Passage, ...]:
    """Parts in the order of the file, reasoning between marks; for a template that does not spell them itself.

    The opening mark of a first thought is not among them, since it belongs to the prefix.
    """
    passages: list[Passage] = []
    inside = False
    for at, part in enumerate(parts):
        if not part.text:
            continue
        thinks = part.kind == "reasoning" and not part.marked
        glue = ""
        if thinks and not inside:
            glue = marks.opening if passages else ""
        elif inside and not thinks:
            glue = marks.closing
        elif (thinks or (part.kind == "tool_call" and not part.marked)) and passages:
            glue = "\n\n"
        if glue:
            passages.append(Passage(glue))
        passages.append(Passage(part.text, at))
        inside = thinks
    return tuple(passages)


def _nothing_to_score(parts: Sequence[ContextPart], kinds: Collection[str]) -> ScoringError:
    there = sorted({kind_of(part) for part in parts if part.text})
    if not there:
        return ScoringError("The response is empty.", "There is nothing to score.")
    return ScoringError(
        f"The response has no part of the kinds that are scored ({', '.join(kinds)}), only: {', '.join(there)}.",
        "Add the kind to the parts that are scored.",
    )
