"""vLLM's `/inference/v1/generate` with `prompt_logprob_token_ids`: logprobs of named tokens at each position of a text.

A server has it that was started with `--enable-scale-out` and runs vLLM's V2 model runner. Others answer 403, 404 or
400, and older ones may answer and leave the numbers out.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Sequence

import msgspec

from shiftlens.backends.dialect import Question, Told, decoded
from shiftlens.backends.positions import BadAnswer, check_logprobs, check_mass
from shiftlens.scores.columns import float32

_NPY = re.compile(rb"\x93NUMPY\x01\x00(..)", re.DOTALL)
_FLOAT32 = re.compile(rb"\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d{1,9}), (\d{1,9})\), \}\s*")


class _Answer(msgspec.Struct):
    prompt_token_id_logprobs: str | None = None
    prompt_token_ids: list[int] | None = None


class VllmTokens:
    """See `dialect.TokenDialect`."""

    def question(self, told: Told, ids: Sequence[int], first: int, tokens: Sequence[Sequence[int]]) -> Question:
        body = {
            "model": told.id,
            "token_ids": list(ids),
            "sampling_params": {
                "max_tokens": 1,
                "temperature": 0,
                "prompt_logprob_token_ids": [list(row) for row in tokens],
                # Row i there is of the token behind it.
                "prompt_logprob_start": first - 1,
            },
            "return_token_ids": True,
        }
        return Question("/inference/v1/generate", body)

    def read(
        self,
        body: bytes,
        ids: Sequence[int],
        first: int,  # noqa: ARG002 (of the protocol)
        tokens: Sequence[Sequence[int]],
    ) -> list[list[float]]:
        answer = decoded(body, _Answer)
        if answer.prompt_token_id_logprobs is None:
            raise BadAnswer("answers without the logprobs of the tokens that it was asked for")
        if answer.prompt_token_ids is not None and answer.prompt_token_ids != list(ids):
            raise BadAnswer(f"scored other tokens than the {len(ids)} it was given")
        rows, width = len(tokens), len(tokens[0])
        values = _array(answer.prompt_token_id_logprobs, rows, width)
        found = [list(values[row * width : (row + 1) * width]) for row in range(rows)]
        return [_checked(row, asked) for row, asked in zip(found, tokens, strict=True)]


def _checked(row: Sequence[float], asked: Sequence[int]) -> list[float]:
    """Raises BadAnswer for what can't be the logprobs of these tokens, which are different ones."""
    told = [value for value, token in zip(row, asked, strict=True) if token >= 0]
    # A token that a model never chooses has minus infinity.
    possible = [value for value in told if value != -math.inf]
    check_logprobs(possible)
    check_mass(possible)
    return [min(value, 0.0) if token >= 0 else math.nan for value, token in zip(row, asked, strict=True)]


def _array(text: str, rows: int, width: int) -> Sequence[float]:
    """A float32 array of this shape from NumPy's file format in base64. Raises BadAnswer."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadAnswer("answers with an array of logprobs that is not base64") from None
    begin = _NPY.match(data)
    size = int.from_bytes(begin[1], "little") if begin is not None else 0
    start = begin.end() + size if begin is not None else 0
    shape = _FLOAT32.fullmatch(data[begin.end() : start]) if begin is not None else None
    if shape is None:
        raise BadAnswer("answers in another shape than documented (of the array of logprobs)")
    if (int(shape[1]), int(shape[2])) != (rows, width) or len(data) - start != 4 * rows * width:
        raise BadAnswer(f"gives logprobs of {int(shape[1])} times {int(shape[2])} tokens for the {rows} times {width}")
    return float32(data[start:])
