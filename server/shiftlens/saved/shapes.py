"""The shapes in which servers and programs write logprobs, as tokens. Nothing here knows the text that they are of."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from shiftlens.saved.tokens import Candidate, Named, SavedError, SavedToken, named
from shiftlens.transcripts.model import SavedKind, SavedLogprobs

_APART = 1e-3
_TINY = -9999.0
"""What servers write for a logprob that is minus infinity, or not among those that they tell."""


def readings(saved: SavedLogprobs) -> Iterator[tuple[SavedToken, ...]]:
    """The tokens, in one reading or, where the file does not tell which entry is the token, in several.

    Raises SavedError where the file holds something else.
    """
    pieces = [_parsed(piece) for piece in saved.pieces]
    if saved.kind is SavedKind.PROMPT:
        for which in (0, -1):
            yield tuple(_without_tiny(token) for piece in pieces for token in _prompt(piece, which))
        return
    read = _SHAPES.get(saved.kind)
    if read is None:
        raise SavedError("These are logprobs without their tokens, so that nothing tells which is of which.")
    yield tuple(_without_tiny(token) for piece in pieces for token in read(piece))


def _without_tiny(token: SavedToken) -> SavedToken:
    """The token without candidates of which the file says only that they are tiny."""
    if all(each.logprob > _TINY for each in token.top):
        return token
    return replace(token, top=tuple(each for each in token.top if each.logprob > _TINY))


def _parsed(text: str) -> object:
    try:
        value: object = json.loads(text, parse_int=_whole)
    except (ValueError, RecursionError):
        raise SavedError("The logprobs in the file are not strict JSON.") from None
    return value


def _whole(digits: str) -> int | float:
    # No id has more digits, and Python reads no integer of thousands.
    return int(digits) if len(digits) < 19 else math.nan


def _chat(value: object) -> Iterator[SavedToken]:
    yield from _items(_member(value, "content"))


def _items(value: object) -> Iterator[SavedToken]:
    for item in _list(value):
        own = named(_member(item, "token"), _member(item, "bytes"), _member(item, "token_id"))
        listed = _member(item, "top_logprobs")
        top = tuple(_candidate(entry) for entry in _list(listed)) if listed is not None else ()
        yield SavedToken(own, _number(_member(item, "logprob")), top)


def _candidate(entry: object) -> Candidate:
    name = named(_member(entry, "token"), _member(entry, "bytes"), _member(entry, "token_id"))
    return Candidate(name, _value(_member(entry, "logprob")))


def _completions(value: object) -> Iterator[SavedToken]:
    texts, logprobs = _list(_member(value, "tokens")), _list(_member(value, "token_logprobs"))
    listed = _member(value, "top_logprobs")
    tops = _list(listed) if isinstance(listed, list) and listed else [None] * len(texts)
    if not len(texts) == len(logprobs) == len(tops):
        raise SavedError(
            f"The columns of the logprobs differ in length: {len(texts):,} tokens, {len(logprobs):,} logprobs,"
            f" {len(tops):,} lists of candidates."
        )
    yield from _of_texts(
        [
            SavedToken(
                named(text),
                _number(logprob),
                tuple(Candidate(named(name), _value(entry)) for name, entry in _object(top).items()),
            )
            for text, logprob, top in zip(texts, logprobs, tops, strict=True)
        ]
    )


def _of_texts(tokens: Sequence[SavedToken]) -> Iterator[SavedToken]:
    """Tokens whose candidates are named by texts alone, of which one may hide another; mostly they hold the token too.

    How many candidates were asked for is not in the file. A list in which the token is not the least has no more, and
    the others at most one more, the token itself.
    """
    asked = max((len(token.top) - _is_least(token) for token in tokens), default=0)
    for token in tokens:
        top = _without(token) if _is_least(token) else token.top
        yield SavedToken(token.name, token.logprob, top, len(token.top) < asked or _is_another(token))


def _is_least(token: SavedToken) -> bool:
    """Whether the token stands among its candidates, and none of them is less likely."""
    own = -math.inf if token.logprob is None else token.logprob
    return len(_without(token)) < len(token.top) and not any(each.logprob < own for each in _without(token))


def _without(token: SavedToken) -> tuple[Candidate, ...]:
    return tuple(each for each in token.top if each.name.key != token.name.key)


def _is_another(token: SavedToken) -> bool:
    """Whether the candidate of the token's name is another token, by its logprob."""
    own = [each.logprob for each in token.top if each.name.key == token.name.key]
    return token.logprob is not None and any(abs(each - token.logprob) > _APART for each in own)


def _prompt(value: object, which: int) -> Iterator[SavedToken]:
    """The entries of a prompt: for each token an object by ids, in which the token itself is the first or the last.

    Servers of different age put it there; JavaScript sorts such keys, so that neither may be. Then the text won't fit.
    Each object has the k most likely tokens and, where it is none of these, the token beside them.
    """
    tokens = [_prompt_token(entry, which) for entry in _list(value)]
    sizes = {len(token.top) for token in tokens if token.top}
    k = min(sizes, default=0)
    is_k_known = len(sizes) > 1 or any(token.top and not _is_least(token) for token in tokens)
    for token in tokens:
        is_beside = _is_least(token) and (len(token.top) > k or not is_k_known)
        yield SavedToken(token.name, token.logprob, _without(token) if is_beside else token.top)


def _prompt_token(entry: object, which: int) -> SavedToken:
    if entry is None:
        return SavedToken(Named(None), None)
    listed = [
        Candidate(named(_member(each, "decoded_token"), None, _id(key)), _value(_member(each, "logprob")))
        for key, each in _object(entry).items()
    ]
    if not listed:
        raise SavedError("A position of `prompt_logprobs` has no entries.")
    own = listed[which]
    return SavedToken(own.name, None if own.logprob <= _TINY else own.logprob, tuple(listed))


def _sglang(value: object) -> Iterator[SavedToken]:
    tokens, listed = _list(_member(value, "output_token_logprobs")), _member(value, "output_top_logprobs")
    tops = _list(listed) if isinstance(listed, list) and listed else [None] * len(tokens)
    if len(tokens) != len(tops):
        raise SavedError(
            f"`output_token_logprobs` has {len(tokens):,} tokens and `output_top_logprobs` {len(tops):,} lists."
        )
    for entry, top in zip(tokens, tops, strict=True):
        own = _triple(entry)
        yield SavedToken(own.name, _number(own.logprob), tuple(_triple(each) for each in _list(top or [])))


def _triple(entry: object) -> Candidate:
    values = _list(entry)
    if len(values) < 2:
        raise SavedError("An entry of SGLang's logprobs is not a logprob, an id and a text.")
    return Candidate(named(values[2] if len(values) > 2 else None, None, values[1]), _value(values[0]))


def _gemini(value: object) -> Iterator[SavedToken]:
    chosen = _list(_either(value, "chosenCandidates", "chosen_candidates"))
    listed = _either(value, "topCandidates", "top_candidates")
    tops = _list(listed) if isinstance(listed, list) and listed else [None] * len(chosen)
    if len(chosen) != len(tops):
        raise SavedError(f"There are {len(chosen):,} chosen tokens and {len(tops):,} lists of candidates.")
    for entry, top in zip(chosen, tops, strict=True):
        own = _of_gemini(entry)
        candidates = _member(top, "candidates") if top is not None else None
        every = tuple(_of_gemini(each) for each in _list(candidates or []))
        yield SavedToken(own.name, _number(own.logprob), every)


def _of_gemini(entry: object) -> Candidate:
    name = named(_member(entry, "token"), None, _either(entry, "tokenId", "token_id"))
    return Candidate(name, _value(_either(entry, "logProbability", "log_probability")))


_SHAPES: Mapping[SavedKind, Callable[[object], Iterator[SavedToken]]] = {
    SavedKind.CHAT: _chat,
    SavedKind.COMPLETIONS: _completions,
    SavedKind.ITEMS: _items,
    SavedKind.SGLANG: _sglang,
    SavedKind.GEMINI: _gemini,
}


def _number(value: object) -> float | None:
    """A logprob; None where there is none, and for what stands for minus infinity."""
    if value is None:
        return None
    found = _value(value)
    return None if found <= _TINY else found


def _value(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise SavedError(f"A logprob is no number but {_short(value)}.")


def _id(key: str) -> int | None:
    return int(key) if key.isdecimal() and len(key) < 11 else None


def _list(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise SavedError(f"A list of logprobs is expected, and {_short(value)} stands there.")


def _object(value: object) -> dict[str, object]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise SavedError(f"An object of logprobs is expected, and {_short(value)} stands there.")


def _member(value: object, key: str) -> object:
    return _object(value).get(key)


def _either(value: object, first: str, second: str) -> object:
    found = _object(value)
    return found.get(first, found.get(second))


def _short(value: object) -> str:
    names: dict[type, str] = {type(None): "null", dict: "an object", list: "a list", str: "a text"}
    return names.get(type(value), "a value")
