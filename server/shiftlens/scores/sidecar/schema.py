"""The columns of a sidecar. docs/sidecars.md describes them."""

from __future__ import annotations

from shiftlens.scores.arrow.table import Field, Kind

SIDES = ("base", "aligned")


def _of_side(side: str) -> tuple[Field, ...]:
    return (
        Field(f"{side}_id", Kind.INT32),
        Field(f"{side}_token", Kind.BINARY),
        Field(f"{side}_byte_end", Kind.UINT32),
        Field(f"{side}_special", Kind.UINT8),
        Field(f"{side}_logprob", Kind.FLOAT32),
        Field(f"{side}_rank", Kind.INT32),
        Field(f"{side}_rank_above", Kind.INT32),
        Field(f"{side}_entropy", Kind.FLOAT32),
        Field(f"{side}_top_ids", Kind.INT32, is_list=True),
        Field(f"{side}_top_logprobs", Kind.FLOAT32, is_list=True),
        Field(f"{side}_top_tokens", Kind.BINARY, is_list=True),
    )


FIELDS = (
    Field("response", Kind.INT32),
    Field("position", Kind.INT32),
    Field("side", Kind.UTF8),
    Field("text", Kind.UTF8),
    *_of_side("base"),
    *_of_side("aligned"),
    Field("base_rank_of_aligned_top", Kind.INT32),
    Field("base_rank_of_aligned_top_above", Kind.INT32),
    Field("kl", Kind.FLOAT32),
    Field("boundary", Kind.UINT8),
    Field("group_first", Kind.INT32),
    Field("group_base_first", Kind.UINT32),
    Field("group_base_tokens", Kind.UINT32),
)
OTHERS = (
    Field("base_of_aligned_top", Kind.FLOAT32, is_list=True),
    Field("aligned_of_base_top", Kind.FLOAT32, is_list=True),
)
"""Only of servers that tell them, so that most sidecars are of the version before."""

FIELDS_OF_VERSION = {1: FIELDS, 2: (*FIELDS, *OTHERS)}


def names_of(fields: tuple[Field, ...]) -> tuple[str, ...]:
    return tuple(field.name for field in fields)


NAMES = names_of(FIELDS)
