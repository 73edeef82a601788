"""The end-of-turn tokens of models, where a file spells them after its turns."""

from __future__ import annotations

import re

_MARKERS = (
    "</s>", "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|eot|>", "<end_of_turn>", "<turn|>", "<|end|>",
    "<|return|>", "<|end_of_text|>", "<|endofturn|>", "<|end_of_turn|>", "<|END_OF_TURN_TOKEN|>", "<eos>", "[EOS]",
    "<｜end▁of▁sentence｜>", "<|end_of_sentence|>",
)  # fmt: skip
_LONGEST = 120
_AT_END = re.compile(rf"(?:(?:{'|'.join(map(re.escape, _MARKERS))})[ \t\r\n]*)+\Z")
_FIRST = re.compile("|".join(map(re.escape, _MARKERS)))


def end_marker(text: str, start: int, end: int) -> tuple[str, int] | None:
    """The marker at the very end of text[start:end] and its offset; of several in a row, the first."""
    tail = max(start, end - _LONGEST)
    found = _AT_END.search(text[tail:end])
    if found is None:
        return None
    first = _FIRST.match(found[0])
    return (first[0], tail + found.start()) if first else None
