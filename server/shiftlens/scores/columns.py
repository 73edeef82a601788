"""What scoring yields: one column per number, one row per position.

These records are light (no torch, no NumPy): they travel from the engine to the server as bytes, are stored as
bytes, and are read in place through `memoryview`. Row i is the i-th token of the response's scored parts; the last row
is the position after the last token, where the response ended. There is no such row where the turn goes on after its
last scored part, where the file does not spell the end and AlignTDS's count is asked for, and in scores of a first part
of a response. n is the number of rows, k the number of candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHORTENED_BASE = 1
SHORTENED_ALIGNED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SideColumns:
    """The numbers of one model. Logprobs and entropies are in nats, over the whole vocabulary.

    - prefix_text, prefix_ids: what the model was given before the response.
    - end_id: the id scored in the row of the end.
    - vocabulary: how many ids the model chooses among, which is what ranks are out of; 0 where not known.
    - logprob: float32 [n], of the row's token.
    - rank: int32 [n], 1 + the number of tokens with a strictly greater logit.
    - entropy: float32 [n].
    - top_ids: int32 [n * k], row by row, most likely first; top_logprobs: float32 [n * k].
    """

    prefix_text: str
    prefix_ids: tuple[int, ...]
    end_id: int
    logprob: bytes
    rank: bytes
    entropy: bytes
    top_ids: bytes
    top_logprobs: bytes
    vocabulary: int = 0


BASE_ONLY = 1 << 30
"""Added to an id of the base model, in a pair of two vocabularies, whose bytes are no token of the aligned model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTokens:
    """How the base model's own tokens lie beside the response's, for a pair of two vocabularies.

    Where a row's bytes are exactly one token of the base model, its numbers are those of that token. Elsewhere the row
    is of a group, the fewest tokens of both models that end at a common byte: its base rank is the worst of the group,
    its base logprob is no number, and the base model's entropy and candidates are those before the group, on its
    first row only.

    Ids of the base side stand for bytes: that of the aligned model's token with the same bytes, or the base model's own
    with BASE_ONLY added.

    - ids: int32 [n], the base model's token of the row; -1 where the row is of a group.
    - first: int32 [n], the first row of the row's group; the row itself where it is not of one.
    - base_tokens: int32 [n], how many tokens of the base model the group is.
    - logprob: float32 [n], base logprob of the group cut into these tokens: the sum of theirs.
    - base_ids: the base model's own id for each id of its side.
    """

    ids: bytes
    first: bytes
    base_tokens: bytes
    logprob: bytes
    base_ids: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredResponse:
    """The scores of one response under a pair.

    - k: candidates kept per row.
    - ids: int32 [n]; where there is a row of the end, the last one is the aligned model's end-of-turn id.
    - byte_ends: uint32 [n]; where each token ends, in UTF-8 bytes of the parts that were scored. The tokens partition
      these; the row of the end is empty.
    - special: uint8 [n], 1 for tokens that the tokenizer calls special.
    - boundary: uint8 [n], 1 where the way prompt and response were tokenised may itself explain the shift.
    - shortened: uint8 [n], which models did not see the whole context: SHORTENED_BASE, SHORTENED_ALIGNED or both added
      up; empty where each saw all of it everywhere.
    - base_rank_of_aligned_top: int32 [n], base rank of the aligned model's most likely token.
    - kl: float32 [n], KL(aligned || base) in nats over the whole vocabulary.
    - pieces: the bytes of every token id named in any column.
    - decoded: the tokenizer's own text of each such id, only kept for `compat="aligntds"`.
    - own_tokens: for a pair of two vocabularies, None for one. With it, KL is no number, and a rank in
      `base_rank_of_aligned_top` is 0 where that token is not one of the base model's.
    - notes: what the reader should know of how this was scored, in whole sentences.
    - parts: which parts of the response's turn were scored, by index. `byte_ends` count in their texts, joined.
    """

    k: int
    ids: bytes
    byte_ends: bytes
    special: bytes
    boundary: bytes
    base: SideColumns
    aligned: SideColumns
    base_rank_of_aligned_top: bytes
    kl: bytes
    pieces: dict[int, bytes]
    decoded: dict[int, str]
    notes: tuple[str, ...] = ()
    shortened: bytes = b""
    own_tokens: OwnTokens | None = None
    parts: tuple[int, ...] = (0,)

    @property
    def rows(self) -> int:
        """Number of positions, the end of the response included."""
        return len(self.ids) // 4


def own_id(base_side_id: int) -> int:
    """The id to show for one of the base side whose bytes say nothing: the base model's own."""
    return base_side_id - BASE_ONLY if base_side_id >= BASE_ONLY else base_side_id


def int32(column: bytes) -> Sequence[int]:
    """Read an int32 column in place."""
    return memoryview(column).cast("i")


def uint32(column: bytes) -> Sequence[int]:
    """Read a uint32 column in place."""
    return memoryview(column).cast("I")


def float32(column: bytes) -> Sequence[float]:
    """Read a float32 column in place."""
    return memoryview(column).cast("f")
