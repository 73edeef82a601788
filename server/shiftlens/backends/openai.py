"""The older completions of OpenAI, with `echo` and `logprobs`, as several servers have them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from shiftlens.backends.dialect import Get, Question, TokenDialect, Told, decoded, places_of, served_model
from shiftlens.backends.positions import BadAnswer, Candidates, Positions, positions, positions_of_texts

_TOKEN_ID = re.compile(r"token_id:(\d{1,9})")


class _Logprobs(msgspec.Struct):
    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float] | None] | None = None


class _Choice(msgspec.Struct):
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None


class OpenAI:
    """See `dialect.Dialect`. Candidates have ids only where the server writes tokens as `token_id:N`."""

    spare = 2
    """The end that is scored as a token of the text, and one token to generate: with none, servers differ."""
    any_token: TokenDialect | None = None

    async def tell(self, model: str, get: Get) -> Told:
        found, parent = await served_model(model, get)
        places = places_of(found.root, parent, found.id)
        return Told(found.id, found.root or "", parent, found.max_model_len, places=places)

    def question(self, told: Told, ids: Sequence[int], first: int, k: int) -> Question:  # noqa: ARG002 (of the protocol)
        body = {
            "model": told.id,
            "prompt": list(ids),
            "echo": True,
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": k,
            "return_tokens_as_token_ids": True,
        }
        return Question("/v1/completions", body)

    def read(self, body: bytes, ids: Sequence[int], first: int, k: int) -> Positions:
        answer = decoded(body, _Answer)
        told = answer.choices[0].logprobs if answer.choices else None
        if told is None or not told.token_logprobs or told.top_logprobs is None:
            raise BadAnswer("answers without the logprobs of the prompt")
        tokens, own, tops = told.tokens, told.token_logprobs, told.top_logprobs
        counted = answer.usage.prompt_tokens if answer.usage is not None else None
        # Behind the prompt stands the token that was generated, if any was.
        if not len(own) == len(tokens) == len(tops) or len(own) - len(ids) not in (0, 1):
            raise BadAnswer(f"gives logprobs of {len(own)} tokens for the {len(ids)} it was given and 1 of its own")
        if counted not in (None, len(ids)):
            raise BadAnswer(f"read {counted} tokens where it was given {len(ids)}")
        if own[0] is not None:
            raise BadAnswer("gives a logprob for the first token, before which nothing stands")
        rows = [top for top in tops[first : len(ids)] if top]
        logprobs = [logprob for logprob in own[first : len(ids)] if logprob is not None]
        if not len(rows) == len(logprobs) == len(ids) - first:
            at = next(at for at in range(first, len(ids)) if own[at] is None or not tops[at])
            raise BadAnswer(f"gives no logprobs at position {at} of {len(ids)}")
        names = tokens[first : len(ids)]
        owns = [each for each in map(_id_of, names) if each is not None]
        if not owns:
            return positions_of_texts(names, logprobs, rows, k)
        if len(owns) < len(names):
            raise BadAnswer("names some tokens by id and others by text")
        if owns != list(ids[first:]):
            raise BadAnswer(f"scored other tokens than the {len(ids)} it was given")
        return positions(owns, logprobs, Candidates.of([_by_id(top) for top in rows]), k)


def _by_id(top: dict[str, float]) -> dict[int, float]:
    """Raises BadAnswer."""
    named = [(_id_of(each), value) for each, value in top.items()]
    candidates = {each: value for each, value in named if each is not None}
    if len(candidates) != len(named):
        raise BadAnswer("names some tokens by id and others by text")
    return candidates


def _id_of(token: str) -> int | None:
    found = _TOKEN_ID.fullmatch(token)
    return int(found[1]) if found is not None else None
