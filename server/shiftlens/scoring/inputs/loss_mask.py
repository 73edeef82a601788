"""Which tokens of a response a trainer counts that goes by the aligned model's chat template.

Templates that are made for training put `{% generation %}` around what the assistant writes, and trainers with a loss
on the assistant's tokens alone (`return_assistant_tokens_mask` of Transformers) count what stands inside. The template
is asked for the conversation that ends with the response; what it writes and the response as it is scored are the same
but for white space, or for parts that the template leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shiftlens.scores.records import LossMask
from shiftlens.scoring.inputs.parts import Written
from shiftlens.scoring.inputs.template_rendering import Marked

_LAST = 3
"""Of the last character of what is marked; the values of `LossMask` for all others."""
_COUNTED = (LossMask.COUNTED, _LAST)


def marks_of_characters(written: Written, end: str, marked: Marked) -> bytes:
    """A mark for each character of the passages of a response, and of `end`, which the template puts after them.

    A passage that does not stand in what the template writes is unknown, and so is white space that it lacks.
    """
    of_template = bytearray(len(marked.text))
    for start, past in marked.spans:
        if start < past:
            of_template[start:past] = bytes((*[LossMask.COUNTED] * (past - start - 1), _LAST))
    places = _places([*(passage.text for passage in written.passages), end], written.prefix, marked.text)
    return bytes(LossMask.UNKNOWN if at is None else of_template[at] for at in places)


def marks_of_tokens(marks: bytes, text: str, byte_ends: Sequence[int]) -> bytes:
    """`LossMask` of the tokens of a text, of whose characters these are the marks.

    Counted as Transformers does: from the token with the first character of a marked span to the first token that has
    a byte of its last one. `byte_ends` tell where each token ends, in UTF-8 bytes.
    """
    found = bytearray()
    at = byte = 0
    for end in byte_ends:
        first = at
        while at < len(text) and byte < end:
            byte += len(text[at].encode("utf-8"))
            at += 1
        found.append(_of_characters(marks[first:at]) if at > first else _within(marks[at - 1 : at]))
    return bytes(found)


def mark_at(marks: bytes, at: int) -> LossMask:
    """That of the token which begins with the character at this offset; unknown where there is none."""
    return _of_characters(marks[at : at + 1])


def _of_characters(own: bytes) -> LossMask:
    if any(mark in _COUNTED for mark in own):
        return LossMask.COUNTED
    return LossMask.UNKNOWN if not own or LossMask.UNKNOWN in own else LossMask.LEFT_OUT


def _within(before: bytes) -> LossMask:
    """That of a token with none but later bytes of the character with this mark."""
    if not before:
        return LossMask.UNKNOWN
    return LossMask.LEFT_OUT if before[0] == _LAST else LossMask(before[0])


def _places(texts: Sequence[str], prefix: str, written: str) -> list[int | None]:
    """Where each character of the texts, one after another, stands in what the template writes; None for nowhere.

    A text is looked for behind the prefix, and else from the end backwards: what stands before the response may be the
    file's own, and a template may leave out a thought.
    """
    joined = "".join(texts)
    nowhere: list[int | None] = [None] * len(joined)
    forwards = list(_matched(joined, written, len(prefix))) if written.startswith(prefix) else nowhere
    mirrored = _matched(joined[::-1], written[::-1], 0)
    backwards = [None if at is None else len(written) - 1 - at for at in mirrored][::-1]
    found: list[int | None] = []
    for text in texts:
        span = slice(len(found), len(found) + len(text))
        ways = (places[span] for places in (forwards, backwards))
        found += next((way for way in ways if _is_whole(text, way)), nowhere[span])
    return found


def _is_whole(text: str, places: Sequence[int | None]) -> bool:
    """Whether all of a text but white space has a place."""
    return all(place is not None or character.isspace() for character, place in zip(text, places, strict=True))


def _matched(text: str, written: str, start: int) -> Iterator[int | None]:
    """The place of each character in `written` from `start` on, white space apart, up to the first that is another."""
    at = start
    for number, character in enumerate(text):
        while at < len(written) and written[at] != character and written[at].isspace() and not character.isspace():
            at += 1
        if at < len(written) and written[at] == character:
            yield at
            at += 1
        elif character.isspace():
            yield None
        else:
            yield from [None] * (len(text) - number)
            return
