"""An answer's parts in a template's rendering of them: whether they stand there, but for white space around each."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.scoring.inputs.parts import Passage


def stands_in(rendered: str, pieces: Sequence[str], *, goes_on: bool = False) -> bool:
    """Whether a rendering is these pieces one after another, but for white space around each.

    With `goes_on` it may have more after them.
    """
    at = 0
    for piece in pieces:
        bare = piece.strip()
        while at < len(rendered) and rendered[at].isspace():
            at += 1
        if not rendered.startswith(bare, at):
            return False
        at += len(bare)
    return goes_on or not rendered[at:].strip()


def without_doubled_space(lead: str, passages: Sequence[Passage]) -> tuple[str, tuple[Passage, ...]]:
    """Lead and passages where white space that a part has of its own is not written again beside it.

    Servers hand out a thought with the newlines that stand inside its marks; a template strips them and writes its own.
    """
    texts = [lead, *(passage.text for passage in passages)]
    own = [False, *(passage.part is not None for passage in passages)]
    for at, text in enumerate(texts):
        if own[at]:
            if not own[at - 1]:
                texts[at - 1] = _cut_end(texts[at - 1], text)
            if at + 1 < len(texts) and not own[at + 1]:
                texts[at + 1] = _cut_start(text, texts[at + 1])
    cut = (Passage(text, passage.part) for text, passage in zip(texts[1:], passages, strict=True))
    return texts[0], tuple(passage for passage in cut if passage.text)


def _cut_end(before: str, text: str) -> str:
    """`before` less the white space at its end that the text begins with."""
    space = text[: len(text) - len(text.lstrip())]
    length = next((n for n in range(len(space), 0, -1) if before.endswith(space[:n])), 0)
    return before[: len(before) - length]


def _cut_start(text: str, after: str) -> str:
    """`after` less the white space at its start that the text ends with."""
    space = text[len(text.rstrip()) :]
    length = next((n for n in range(len(space), 0, -1) if after.startswith(space[-n:])), 0)
    return after[length:]
