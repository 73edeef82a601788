"""The tokens with which the models of a pair would end a response."""

from __future__ import annotations

from shiftlens.errors import ScoringError
from shiftlens.scoring.inputs.contexts import ContextText
from shiftlens.scoring.inputs.tokenized import TokenizedModel
from shiftlens.scoring.inputs.tokens import Encoding


def aligned_end_id(aligned: TokenizedModel, end_text: str) -> int:
    """The first special token of what the template puts after a response, or what the model calls its end.

    Raises ScoringError where there is none.
    """
    return end_in(aligned, end_text)[0]


def end_in(aligned: TokenizedModel, end_text: str) -> tuple[int, int | None]:
    """The same, with the offset in the text where this token begins; None where it is not there.

    Raises ScoringError where there is none.
    """
    special = aligned.encoder.pieces.special_ids
    ends = aligned.end_ids()
    encoding = aligned.encoder.encode(end_text) if end_text else Encoding((), (), exact=True)
    for token_id, start in zip(encoding.ids, (0, *encoding.byte_ends), strict=False):
        if token_id in special or token_id in ends:
            return token_id, len(end_text.encode("utf-8")[:start].decode("utf-8", "replace"))
    if ends:
        return ends[0], None
    if encoding.ids:
        return encoding.ids[0], 0
    raise ScoringError(
        f"{aligned.name} names no token that ends a response.", "Set `eos_token` in its `tokenizer_config.json`."
    )


def closing_id(base: TokenizedModel, context: ContextText, response: str) -> int:
    """The id with which the base model would close its context: its end id, or the first token of the closing text.

    Raises ScoringError where there is none.
    """
    if context.close:
        closed = base.encoder.split(context.prefix + response, context.close)
        return closed.ids[0]
    ends = base.end_ids()
    if not ends:
        raise ScoringError(
            f"{base.name} names no token that ends a text.", "Set `eos_token` in its `tokenizer_config.json`."
        )
    return ends[0]
