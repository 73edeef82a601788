"""What scoring yields: what each model gave for a response, and what only the two together tell.

These records are light (no torch, no NumPy): they travel from the engine to the server as bytes, are stored as
bytes, and are read in place through `memoryview`. A column has a number for each position (row). Row i is the i-th
token of the response's scored parts; the last row is the position after the last token, where the response ended. There
is no such row where the turn goes on after its last scored part, where the file does not spell the end and AlignTDS's
count is asked for, and in scores of a first part of a response. n is the number of rows, k the number of candidates.

Scores are of a pair (`ScoredResponse`) or of one model alone (`OneModelScores`), as files hold them that a server or a
program wrote. Only the former have a base model and a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from shiftlens.scores.columns import int32, uint32


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringModel:
    """Which model gave the numbers, and how it was run.

    - fingerprint: changes when the model's files do; "" where they can't be told apart.
    - device, dtype, matrix_library: as in `ModelDescription`.
    - vocabulary: how many ids the model chooses among, which is what ranks are out of; 0 where not known.
    """

    fingerprint: str = ""
    device: str = ""
    dtype: str = ""
    matrix_library: str = ""
    vocabulary: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SideScores:
    """What one model gave for one context and response, in its own tokens.

    Logprobs and entropies are in nats, over the whole vocabulary.

    - model: which model that was.
    - prefix_text, prefix_ids: what it was given before the response.
    - end_id: the id that is scored in the row of the end.
    - k: candidates kept per row.
    - ids: int32 [n], the model's own tokens; `end_id` where there is a row of the end.
    - byte_ends: uint32 [n]; where each token ends, in UTF-8 bytes of the parts that were scored. The tokens partition
      these; the row of the end is empty.
    - special: uint8 [n], 1 for tokens that the tokenizer calls special.
    - logprob: float32 [n], of the row's token.
    - rank: int32 [n], see `columns.rank_of`.
    - entropy: float32 [n]; empty where it is not known.
    - top_ids: int32 [n * k], row by row, most likely first, -1 where there are fewer; top_logprobs: float32 [n * k].
      Here and in `ids`, numbers below -1 stand for tokens of which only the bytes are known (`columns.known_id`).
    - pieces: the bytes of every token id named in any column.
    - decoded: the tokenizer's own text of each such id, only kept for `compat="aligntds"`.
    - full_context_rows: how many first rows the model scored with the whole context before them; None for all.
    - parts: which parts of the response's turn were scored, by index. `byte_ends` count in their texts, joined.
    """

    model: ScoringModel
    prefix_text: str
    prefix_ids: tuple[int, ...]
    end_id: int
    k: int
    ids: bytes
    byte_ends: bytes
    special: bytes
    logprob: bytes
    rank: bytes
    entropy: bytes
    top_ids: bytes
    top_logprobs: bytes
    pieces: dict[int, bytes]
    decoded: dict[int, str]
    full_context_rows: int | None = None
    parts: tuple[int, ...] = (0,)

    @property
    def rows(self) -> int:
        """Number of positions, the end of the response included."""
        return len(self.ids) // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Which rows of the base model lie beside each row of the aligned model, in a pair of two vocabularies.

    A group is the fewest tokens of both models that end at a common byte. n is the number of the aligned model's rows.

    - first: int32 [n], the first row of the row's group.
    - base_first: uint32 [n], the base model's first row of the group.
    - base_tokens: uint32 [n], how many rows of the base model the group has.
    """

    first: bytes
    base_first: bytes
    base_tokens: bytes

    def is_one_to_one(self, row: int) -> bool:
        """Whether the row's token is exactly one token of the base model. O(1)."""
        firsts = int32(self.first)
        alone = firsts[row] == row and (row + 1 == len(firsts) or firsts[row + 1] == row + 1)
        return alone and uint32(self.base_tokens)[row] == 1

    def end_of(self, row: int) -> int:
        """One past the last row of the row's group."""
        firsts = int32(self.first)
        end = row + 1
        while end < len(firsts) and firsts[end] == firsts[row]:
            end += 1
        return end

    def base_rows(self, row: int) -> range:
        """The base model's rows of the row's group."""
        first = uint32(self.base_first)[row]
        return range(first, first + uint32(self.base_tokens)[row])


class LossMask(IntEnum):
    """Whether a trainer counts a token that counts what the aligned model's chat template marks as the assistant's.

    UNKNOWN where the template does not write the token, so that it says nothing of it.
    """

    LEFT_OUT = 0
    COUNTED = 1
    UNKNOWN = 2

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def words(self) -> str:
        return self.label.replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What takes both models of a pair. n is the number of the aligned model's rows.

    - base_rank_of_aligned_top: int32 [n], the base model's rank of the aligned model's most likely token, see
      `columns.rank_of`. With an alignment, 0 also where that token is not one of the base model's.
    - kl: float32 [n], KL(aligned || base) in nats over the whole vocabulary; empty where it is not known.
    - base_of_aligned_top: float32 [n * k], the base model's logprob of each of the aligned model's candidates, its own
      or not; not a number where there is none. Empty where that is not known, as it mostly is.
    - aligned_of_base_top: the same the other way round. Both are empty with an alignment.
    - boundary: uint8 [n], 1 where the way prompt and response were tokenised may itself explain the shift.
    - alignment: None where both models have the same tokens, so that row i of one lies beside row i of the other.
    - notes: what the reader should know of how this was scored, in whole sentences.
    - loss_mask: uint8 [n], values of `LossMask`; empty where the template marks nothing.
    """

    base_rank_of_aligned_top: bytes
    kl: bytes
    boundary: bytes
    alignment: Alignment | None = None
    notes: tuple[str, ...] = ()
    base_of_aligned_top: bytes = b""
    aligned_of_base_top: bytes = b""
    loss_mask: bytes = b""


class _Positions:
    """What both kinds of scores have: the positions are those of the aligned side."""

    __slots__ = ()
    aligned: SideScores

    @property
    def rows(self) -> int:
        """Number of positions, the end of the response included."""
        return self.aligned.rows

    @property
    def ids(self) -> Sequence[int]:
        """The aligned model's token of each row."""
        return int32(self.aligned.ids)

    @property
    def byte_ends(self) -> Sequence[int]:
        """Where each row ends, in UTF-8 bytes of the parts that were scored."""
        return uint32(self.aligned.byte_ends)

    @property
    def parts(self) -> tuple[int, ...]:
        """Which parts of the response's turn were scored, by index."""
        return self.aligned.parts

    def piece(self, row: int) -> bytes:
        """The bytes of the row's token."""
        return self.aligned.pieces.get(self.ids[row], b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredResponse(_Positions):
    """The scores of one response under a pair. Positions are the aligned model's."""

    base: SideScores
    aligned: SideScores
    comparison: Comparison

    @property
    def notes(self) -> tuple[str, ...]:
        return self.comparison.notes


@dataclass(frozen=True, slots=True, kw_only=True)
class OneModelScores(_Positions):
    """The scores of one response under one model, of which nothing is known but what it gave.

    - model_name: which model, in the words of whoever tells; "" where nobody does.
    - aligned: what it gave. The side has this name since the positions of every scored response are those of its
      aligned side; the model may be of any kind.
    - notes: what the reader should know of how this was had, in whole sentences.
    """

    model_name: str
    aligned: SideScores
    notes: tuple[str, ...] = ()


AnyScores = ScoredResponse | OneModelScores
"""Scores that can be shown."""
