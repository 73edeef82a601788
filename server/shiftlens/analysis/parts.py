"""Which positions of a response are of which part of its turn, and which parts are scored at all."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence

from shiftlens.analysis.model import PartPositions
from shiftlens.transcripts.model import Part, PartKind, Response

_NAMES = {PartKind.TEXT: "answer", PartKind.REASONING: "reasoning", PartKind.TOOL_CALL: "tool_call"}


def part_name(kind: PartKind) -> str:
    """The name that options and JSON give a kind of part of an assistant's turn."""
    return _NAMES.get(kind, kind.value)


def kinds_of(response: Response) -> tuple[str, ...]:
    """The kinds of the parts of a turn that have text, each once, in the order of the turn."""
    return tuple(dict.fromkeys(part_name(part.kind) for part in response.turn.parts if part.text))


def has_part_of(response: Response, kinds: Collection[str]) -> bool:
    """Whether the turn has a part of one of these kinds, so that there is something to score."""
    return any(kind in kinds for kind in kinds_of(response))


def part_positions(parts: Sequence[Part], scored: Sequence[int], byte_ends: Sequence[int]) -> tuple[PartPositions, ...]:
    """The positions of each scored part. `byte_ends` are where the tokens end in the texts of these parts, joined."""
    found: list[PartPositions] = []
    first = begin = at = 0
    for number, index in enumerate(scored):
        part = parts[index]
        at += len(part.text.encode("utf-8", "surrogatepass"))
        end = len(byte_ends) if number == len(scored) - 1 else _first_from(byte_ends, at)
        found.append(PartPositions(index, part_name(part.kind), first, end, begin, begin + len(part.text)))
        first, begin = end, begin + len(part.text)
    return tuple(found)


def ends_response(parts: Sequence[Part], scored: Sequence[int], byte_ends: Sequence[int]) -> bool:
    """Whether the last position is the end of the response: behind all the text, and the turn's last part is scored."""
    last_with_text = max((index for index, part in enumerate(parts) if part.text), default=0)
    if not byte_ends or not scored or max(scored) < last_with_text:
        return False
    size = sum(len(parts[index].text.encode("utf-8", "surrogatepass")) for index in scored)
    before = byte_ends[-2] if len(byte_ends) > 1 else 0
    return byte_ends[-1] == before == size


def _first_from(byte_ends: Sequence[int], at: int) -> int:
    """The first position that begins at byte `at` or later and ends behind it; one past the last if there is none."""
    row = bisect_right(byte_ends, at)
    begins_before = row < len(byte_ends) and (byte_ends[row - 1] if row else 0) < at
    return row + begins_before
