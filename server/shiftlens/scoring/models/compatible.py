"""Whether two models have the same tokens, so that one sequence of ids can be scored under both."""

from __future__ import annotations

from shiftlens.scoring.inputs.tokenized import TokenizedModel

_PROBE = "The quick brown fox, naïve café — 12,345 tokens?\n\n\tif x == y: # 漢字 🙂 مرحبا\r\n"
_EXAMPLES = 3


def token_difference(base: TokenizedModel, aligned: TokenizedModel) -> str:
    """In a sentence what differs; "" where both give the same ids to the same text.

    Tokens that one side has added on top (a padding or a chat token) do no harm.
    """
    ours, theirs = base.encoder.tokenizer.get_vocab(), aligned.encoder.tokenizer.get_vocab()
    moved = [t for t, i in ours.items() if theirs.get(t, i) != i]
    if moved:
        shown = "; ".join(f"{t!r} is {ours[t]} and {theirs[t]}" for t in sorted(moved)[:_EXAMPLES])
        return (
            f"{base.name} and {aligned.name} number their tokens differently: {len(moved)} tokens have another id"
            f" ({shown})."
        )
    only_base = _missing(ours, theirs, base)
    only_aligned = _missing(theirs, ours, aligned)
    if only_base or only_aligned:
        parts = [
            f"{len(tokens)} tokens only in {name} (such as {', '.join(repr(t) for t in sorted(tokens)[:_EXAMPLES])})"
            for tokens, name in ((only_base, base.name), (only_aligned, aligned.name))
            if tokens
        ]
        return (
            f"The vocabularies of {base.name} ({len(ours)} tokens) and {aligned.name} ({len(theirs)} tokens) differ:"
            f" {' and '.join(parts)}."
        )
    if base.encoder.encode(_PROBE).ids != aligned.encoder.encode(_PROBE).ids:
        return (
            f"{base.name} and {aligned.name} have the same tokens but cut a text into them differently"
            " (other merges or normalisation)."
        )
    return ""


def _missing(these: dict[str, int], others: dict[str, int], loaded: TokenizedModel) -> list[str]:
    added = {t.content for t in loaded.encoder.tokenizer.added_tokens_decoder.values()}
    return [t for t in these if t not in others and t not in added]
