"""vLLM's `/v1/completions` with `prompt_logprobs`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shiftlens.backends.dialect import Get, Question, TokenDialect, Told, decoded, places_of, served_model, version_at
from shiftlens.backends.positions import BadAnswer, Candidates, Positions, positions
from shiftlens.backends.vllm_tokens import VllmTokens


class _Entry(msgspec.Struct, gc=False):
    logprob: float


class _Choice(msgspec.Struct):
    prompt_logprobs: list[dict[int, _Entry] | None] | None = None
    prompt_token_ids: list[int] | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []


class VLLM:
    """See `dialect.Dialect`."""

    spare = 2
    """The end that is scored as a token of the text, and the one token that vLLM insists on generating."""
    any_token: TokenDialect | None = VllmTokens()

    async def tell(self, model: str, get: Get) -> Told:
        found, parent = await served_model(model, get)
        version = await version_at(["/version"], get)
        places = places_of(found.root, parent, found.id)
        return Told(found.id, found.root or "", parent, found.max_model_len, version, places)

    def question(self, told: Told, ids: Sequence[int], first: int, k: int) -> Question:  # noqa: ARG002 (of the protocol)
        body = {
            "model": told.id,
            "prompt": list(ids),
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": k,
            "return_token_ids": True,
        }
        return Question("/v1/completions", body)

    def read(self, body: bytes, ids: Sequence[int], first: int, k: int) -> Positions:
        choices = decoded(body, _Answer).choices
        entries = choices[0].prompt_logprobs if choices else None
        if not choices or entries is None:
            raise BadAnswer("answers without the logprobs of the prompt")
        echoed = choices[0].prompt_token_ids
        if len(entries) != len(ids) or (echoed is not None and echoed != list(ids)):
            raise BadAnswer(f"scored other tokens than the {len(ids)} it was given")
        if entries[0] is not None:
            raise BadAnswer("gives a logprob for the first token, before which nothing stands")
        rows = [entry for entry in entries[first:] if entry is not None]
        if len(rows) < len(ids) - first:
            raise BadAnswer(f"gives no logprobs at position {entries.index(None, first)} of {len(ids)}")
        candidates = Candidates.flat(rows, [each.logprob for row in rows for each in row.values()])
        return positions(ids[first:], None, candidates, k)
