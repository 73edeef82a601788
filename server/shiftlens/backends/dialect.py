"""What differs among kinds of servers: what they are asked, and how they answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from shiftlens.backends.positions import BadAnswer, Positions

Get = Callable[[str], Awaitable[bytes | None]]
"""The body that a path of the server answers with; None where the server has no such path."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """What a server tells of a model: its name there, the place of its files, that of the whole model below an
    adapter, that of its tokenizer, the most tokens of a text, and the server's version. "" and None where not told.

    `places` are where its tokenizer may be, the likeliest first.
    """

    id: str
    root: str = ""
    parent: str = ""
    max_model_len: int | None = None
    version: str = ""
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A request that has a text scored: where it goes, and its body."""

    path: str
    body: dict[str, Any] = field(default_factory=dict)


class Dialect(Protocol):
    """One kind of server. A text is given as ids; its first position is that of its second id."""

    @property
    def spare(self) -> int:
        """How many tokens of the most that a model takes are kept from a text."""
        ...

    async def tell(self, model: str, get: Get) -> Told:
        """Ask for the model of that name. Raises BadAnswer, and UnknownModel where it is not served."""
        ...

    def question(self, told: Told, ids: Sequence[int], first: int, k: int) -> Question:
        """The request for the tokens `ids[first:]` of a text with k candidates each; `first` is at least 1."""
        ...

    def read(self, body: bytes, ids: Sequence[int], first: int, k: int) -> Positions:
        """The positions of `ids[first:]` from the answer. Raises BadAnswer."""
        ...

    @property
    def any_token(self) -> TokenDialect | None:
        """How logprobs of tokens are asked for that need not be candidates; None where this kind knows no such way."""
        ...


class TokenDialect(Protocol):
    """How some servers give logprobs of named tokens at each position of a text.

    `tokens` has a row for each of `ids[first:]`, all of one length: ids that might stand in its place, -1 for none.
    """

    def question(self, told: Told, ids: Sequence[int], first: int, tokens: Sequence[Sequence[int]]) -> Question:
        """The request."""
        ...

    def read(self, body: bytes, ids: Sequence[int], first: int, tokens: Sequence[Sequence[int]]) -> list[list[float]]:
        """Logprobs in nats in the places of `tokens`, not a number in those of -1. Raises BadAnswer."""
        ...


class UnknownModel(Exception):
    """A server does not serve a model of this name; `served` are those that it serves."""

    def __init__(self, served: Sequence[str]) -> None:
        super().__init__(served)
        self.served = tuple(served)


class ServedModel(msgspec.Struct):
    """An entry of `/v1/models`."""

    id: str
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


class _Models(msgspec.Struct):
    data: list[ServedModel] = []


def decoded(body: bytes, kind: type[T]) -> T:
    """An answer's JSON. Raises BadAnswer where it is another shape than documented."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadAnswer(f"answers in another shape than documented ({error})") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadAnswer("answers with something that is not JSON") from None


async def served_model(model: str, get: Get) -> tuple[ServedModel, str]:
    """The entry of a model in `/v1/models`, and the root of the model that it is an adapter on, "" for none.

    Raises BadAnswer and UnknownModel.
    """
    body = await get("/v1/models")
    if body is None:
        raise BadAnswer("has no /v1/models, so that it is none of this kind")
    every = decoded(body, _Models).data
    found = next((each for each in every if each.id == model), None)
    if found is None:
        raise UnknownModel([each.id for each in every])
    below = next((each for each in every if found.parent and each.id == found.parent), None)
    return found, (below.root or below.id) if below is not None else ""


async def version_at(paths: Sequence[str], get: Get) -> str:
    """The version that the first of these paths tells; "" where none does."""
    for path in paths:
        body = await get(path)
        if body is None:
            continue
        try:
            told = msgspec.json.decode(body)
        except msgspec.DecodeError:
            continue
        if isinstance(told, dict) and isinstance(told.get("version"), str):
            return str(told["version"])[:40]
    return ""


def places_of(*places: str | None) -> tuple[str, ...]:
    """Each place that is told, once."""
    return tuple(dict.fromkeys(place for place in places if place))
