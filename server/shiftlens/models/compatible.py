"""Whether two models speak of the same tokens, so that one sequence of ids can be scored under both."""

from __future__ import annotations

from shiftlens.errors import ModelError
from shiftlens.models.loading import LoadedModel

_PROBE = "The quick brown fox, naïve café — 12,345 tokens?\n\n\tif x == y: # 漢字 🙂 مرحبا\r\n"
_EXAMPLES = 3


def check_same_tokens(base: LoadedModel, aligned: LoadedModel) -> None:
    """Raise ModelError, saying what differs, unless both give the same ids to the same text.

    Tokens that one side has added on top (a padding or a chat token) do no harm.
    """
    ours, theirs = base.encoder.tokenizer.get_vocab(), aligned.encoder.tokenizer.get_vocab()
    remedy = "Choose a base and an aligned model of one family, which share a tokenizer."
    moved = [t for t, i in ours.items() if theirs.get(t, i) != i]
    if moved:
        shown = "; ".join(f"{t!r} is {ours[t]} and {theirs[t]}" for t in sorted(moved)[:_EXAMPLES])
        raise ModelError(
            f"{base.name} and {aligned.name} number their tokens differently: {len(moved)} tokens have another id"
            f" ({shown}).",
            remedy,
        )
    only_base = _missing(ours, theirs, base)
    only_aligned = _missing(theirs, ours, aligned)
    if only_base or only_aligned:
        parts = [
            f"{len(tokens)} tokens only in {name} (such as {', '.join(repr(t) for t in sorted(tokens)[:_EXAMPLES])})"
            for tokens, name in ((only_base, base.name), (only_aligned, aligned.name))
            if tokens
        ]
        raise ModelError(
            f"The vocabularies of {base.name} ({len(ours)} tokens) and {aligned.name} ({len(theirs)} tokens) differ:"
            f" {' and '.join(parts)}.",
            remedy,
        )
    if base.encoder.encode(_PROBE).ids != aligned.encoder.encode(_PROBE).ids:
        raise ModelError(
            f"{base.name} and {aligned.name} have the same tokens but cut a text into them differently"
            " (other merges or normalisation).",
            remedy,
        )


def _missing(these: dict[str, int], others: dict[str, int], loaded: LoadedModel) -> list[str]:
    added = {t.content for t in loaded.encoder.tokenizer.added_tokens_decoder.values()}
    return [t for t in these if t not in others and t not in added]
