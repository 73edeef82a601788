"""SGLang's `/generate` with `return_logprob`, which scores from `logprob_start_len` on.

Candidates are asked for as base64 of two arrays. Versions that don't know that answer with nested lists instead.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from shiftlens.backends.dialect import Get, Question, TokenDialect, Told, decoded, places_of, served_model, version_at
from shiftlens.backends.positions import BadAnswer, Candidates, Positions, positions
from shiftlens.scores.columns import float32, int32

_Entry = tuple[float | None, int, Any]
"""A logprob, the id that it is of, and its text, which is not asked for."""


class _Meta(msgspec.Struct):
    input_token_logprobs: list[_Entry] | None = None
    input_top_logprobs: list[list[_Entry] | None] | None = None
    input_top_logprobs_val_flat_b64: str | None = None
    input_top_logprobs_idx_flat_b64: str | None = None
    input_top_logprobs_val_flat_b64_dtype: str = "float32"
    input_top_logprobs_idx_flat_b64_dtype: str = "int32"
    input_top_logprobs_shape: list[int] = []
    input_top_logprobs_null_prefix: int = 0
    prompt_tokens: int | None = None


class _Answer(msgspec.Struct):
    meta_info: _Meta | None = None


class _ModelInfo(msgspec.Struct):
    model_path: str | None = None
    tokenizer_path: str | None = None


class SGLang:
    """See `dialect.Dialect`."""

    spare = 2
    """The end that is scored as a token of the text, and one that SGLang keeps free."""
    any_token: TokenDialect | None = None
    """`token_ids_logprob` is one list for all positions."""

    async def tell(self, model: str, get: Get) -> Told:
        found, parent = await served_model(model, get)
        info = await get("/model_info") or await get("/get_model_info")
        told = decoded(info, _ModelInfo) if info is not None else _ModelInfo()
        version = await version_at(["/server_info", "/get_server_info"], get)
        places = places_of(told.tokenizer_path, told.model_path, found.root, parent, found.id)
        root = (found.root if found.parent else told.model_path) or ""
        return Told(found.id, root, parent, found.max_model_len, version, places)

    def question(self, told: Told, ids: Sequence[int], first: int, k: int) -> Question:
        body: dict[str, Any] = {
            "input_ids": list(ids),
            "sampling_params": {"max_new_tokens": 0, "temperature": 0},
            "return_logprob": True,
            # The entry there is null: what it would be the logprob given is not looked at.
            "logprob_start_len": first - 1,
            "top_logprobs_num": k,
            "return_text_in_logprobs": False,
            "return_flat_raw_top_logprobs": True,
            "return_flat_raw_top_logprobs_b64": True,
        }
        if told.parent:
            body["lora_path"] = told.id
        return Question("/generate", body)

    def read(self, body: bytes, ids: Sequence[int], first: int, k: int) -> Positions:
        meta = decoded(body, _Answer).meta_info
        if meta is None or meta.input_token_logprobs is None:
            raise BadAnswer("answers without the logprobs of the prompt")
        own, tops = meta.input_token_logprobs, _candidates(meta)
        counted = meta.prompt_tokens in (None, len(ids))
        if not counted or len(own) != len(ids) - first + 1 or [each[1] for each in own] != list(ids[first - 1 :]):
            raise BadAnswer(f"scored other tokens than the {len(ids)} it was given")
        if len(tops) != len(own):
            raise BadAnswer("gives candidates of another number of positions than it gives logprobs of")
        if first == 1 and own[0][0] is not None:
            raise BadAnswer("gives a logprob for the first token, before which nothing stands")
        logprobs = [logprob for logprob, _, _ in own[1:] if logprob is not None]
        rows = [top for top in tops[1:] if top]
        if not len(logprobs) == len(rows) == len(own) - 1:
            each = zip(own[1:], tops[1:], strict=True)
            at = next(at for at, ((logprob, _, _), top) in enumerate(each, first) if logprob is None or not top)
            raise BadAnswer(f"gives no logprobs at position {at} of {len(ids)}")
        return positions(ids[first:], logprobs, Candidates.of(rows), k)


def _candidates(meta: _Meta) -> list[dict[int, float] | None]:
    """The logprobs of candidates by their ids, for each position, None where there are none. Raises BadAnswer."""
    values, ids = meta.input_top_logprobs_val_flat_b64, meta.input_top_logprobs_idx_flat_b64
    if values is None or ids is None:
        if meta.input_top_logprobs is None:
            raise BadAnswer("answers without the logprobs of the prompt")
        return [
            None if top is None else {other: value for value, other, _ in top if value is not None}
            for top in meta.input_top_logprobs
        ]
    types = (meta.input_top_logprobs_val_flat_b64_dtype, meta.input_top_logprobs_idx_flat_b64_dtype)
    shape, nulls = meta.input_top_logprobs_shape, meta.input_top_logprobs_null_prefix
    if types != ("float32", "int32") or len(shape) != 2 or min(*shape, nulls) < 0:
        raise BadAnswer("answers in another shape than documented (of the arrays of candidates)")
    try:
        columns = base64.b64decode(values, validate=True), base64.b64decode(ids, validate=True)
    except binascii.Error:
        raise BadAnswer("answers with arrays of candidates that are not base64") from None
    rows, k = shape
    if any(len(column) != 4 * rows * k for column in columns):
        raise BadAnswer("gives candidates of another number of positions than it gives logprobs of")
    pairs = list(zip(int32(columns[1]), float32(columns[0]), strict=True))
    return [*[None] * nulls, *(dict(pairs[row * k : (row + 1) * k]) for row in range(rows))]
