"""vLLM's `/inference/v1/generate` with `prompt_logprob_token_ids`: logprobs of named tokens at each position of a text.

A server has it that was started with `--enable-scale-out` and runs vLLM's V2 model runner. Others answer 403, 404 or
400, and older ones may answer and leave the numbers out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

import msgspec
import numpy as np

from shiftlens.backends.dialect import Question, Told, decoded
from shiftlens.backends.positions import BadAnswer, Numbers, check_logprobs, check_mass

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
        asked = np.asarray(tokens)
        values = _array(answer.prompt_token_id_logprobs, *asked.shape)
        is_asked = asked >= 0
        # A token that a model never chooses has minus infinity.
        check_logprobs(values[is_asked & (values != -np.inf)])
        check_mass(np.where(is_asked, values, -np.inf))
        found: list[list[float]] = np.where(is_asked, np.minimum(values, 0.0), np.nan).tolist()
        return found


def _array(text: str, rows: int, width: int) -> Numbers:
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
    return np.frombuffer(data, np.float32, offset=start).reshape(rows, width).astype(np.float64)
