"""A conversation as the models need it: who said what, without the places in a file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import overload

import msgspec

from shiftlens.transcripts.model import Before, Response, Turn

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_LEAST_OF_TURN = len("role") + len("parts") + len("kind") + len("text")
_encoder = msgspec.msgpack.Encoder()


class ContextPart(msgspec.Struct, frozen=True):
    """A part of a turn. `kind` is a value of `transcripts.PartKind`; see `transcripts.Part` for `marked`.

    `call` is the name, the arguments and the id of a tool call, None for what is none.
    """

    kind: str
    text: str
    marked: bool = False
    call: tuple[str, str, str] | None = None


class ContextTurn(msgspec.Struct, frozen=True):
    """One turn before the response. `role` is a value of `transcripts.Role`."""

    role: str
    parts: tuple[ContextPart, ...]
    name: str = ""
    call_id: str = ""

    @classmethod
    def of(cls, role: str, text: str) -> ContextTurn:
        """The turn that is one text."""
        return cls(role, (ContextPart("tool_result" if role == "tool" else "text", text),))

    @property
    def text(self) -> str:
        """What was said, without reasoning and tool calls."""
        return _said(self.parts)


class ResponseToScore(msgspec.Struct, frozen=True, kw_only=True):
    """A response and what came before it, without its place in the file (see `transcripts.Response`)."""

    turns: tuple[ContextTurn, ...]
    parts: tuple[ContextPart, ...]
    source_format: str
    verbatim_prefix: str | None = None
    end_marker: str | None = None
    tools: str = ""

    @property
    def text(self) -> str:
        """The answer alone, without reasoning and tool calls."""
        return _said(self.parts)


def one_text(text: str) -> tuple[ContextPart, ...]:
    """The parts of a response that is one text."""
    return (ContextPart("text", text),)


class Requests(Sequence[ResponseToScore]):
    """What the engine needs of the responses of a transcript, each made when it is asked for.

    A turn is converted once, and each of a conversation's contexts is summed up from the one before it: a log of
    thousands of turns has as many contexts, which would fill the memory if they were held.
    """

    def __init__(self, responses: Sequence[Response], source_format: str) -> None:
        self._responses, self._format = responses, source_format
        # By identity: the transcript's responses hold the turns for as long as this lives.
        self._turns: dict[int, ContextTurn] = {}
        self._sums: dict[int, list[bytes]] = {}

    def __len__(self) -> int:
        return len(self._responses)

    @overload
    def __getitem__(self, at: int) -> ResponseToScore: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[ResponseToScore, ...]: ...
    def __getitem__(self, at: int | slice) -> ResponseToScore | tuple[ResponseToScore, ...]:
        if isinstance(at, slice):
            return tuple(self[each] for each in range(len(self))[at])
        response = self._responses[at]
        return _to_score(response, tuple(map(self._turn, response.context)), self._format)

    def digest(self, at: int) -> bytes:
        """The digest of the request at `at` (see `digest_of`), without making its turns anew."""
        response = self._responses[at]
        before = response.context
        if not isinstance(before, Before):
            return digest_of(self[at])
        sums = self._sums.setdefault(id(before.turns), [b""])
        for turn in before.turns[len(sums) - 1 : before.end]:
            sums.append(_with_turn(sums[-1], self._turn(turn)))
        return _digest(sums[before.end], _to_score(response, (), self._format))

    def _turn(self, turn: Turn) -> ContextTurn:
        found = self._turns.get(id(turn))
        if found is None:
            found = ContextTurn(turn.role.value, _parts(turn), well_formed(turn.name), well_formed(turn.call_id))
            self._turns[id(turn)] = found
        return found


def least_bytes(requests: Iterable[ResponseToScore]) -> int:
    """How many bytes the requests have at the least when they are sent, found without encoding them."""
    sizes: dict[int, int] = {}
    total = 0
    for request in requests:
        total += sum(len(part.text) for part in request.parts) + len(request.verbatim_prefix or "") + len(request.tools)
        for turn in request.turns:
            size = sizes.get(id(turn))
            if size is None:
                size = sizes[id(turn)] = _LEAST_OF_TURN + sum(len(part.text) for part in turn.parts)
            total += size
    return total


def to_score(response: Response, source_format: str) -> ResponseToScore:
    """What the engine needs of one response of a transcript."""
    return Requests((response,), source_format)[0]


def digest_of(request: ResponseToScore) -> bytes:
    """Equal for two requests that are the same."""
    before = b""
    for turn in request.turns:
        before = _with_turn(before, turn)
    return _digest(before, msgspec.structs.replace(request, turns=()))


def _with_turn(before: bytes, turn: ContextTurn) -> bytes:
    return hashlib.sha256(before + _encoder.encode(turn)).digest()


def _digest(before: bytes, without_turns: ResponseToScore) -> bytes:
    return hashlib.sha256(_encoder.encode((before, without_turns))).digest()


def _to_score(response: Response, turns: tuple[ContextTurn, ...], source_format: str) -> ResponseToScore:
    return ResponseToScore(
        turns=turns,
        parts=_parts(response.turn),
        source_format=source_format,
        verbatim_prefix=None if response.verbatim_prefix is None else well_formed(response.verbatim_prefix),
        end_marker=response.end_marker,
        tools=well_formed(response.tools),
    )


def _parts(turn: Turn) -> tuple[ContextPart, ...]:
    return tuple(
        ContextPart(
            part.kind.value,
            well_formed(part.text),
            part.marked,
            None
            if part.call is None
            else (well_formed(part.call.name), well_formed(part.call.arguments), well_formed(part.call.id)),
        )
        for part in turn.parts
    )


def _said(parts: Iterable[ContextPart]) -> str:
    return "".join(part.text for part in parts if part.kind in ("text", "tool_result"))


def well_formed(text: str) -> str:
    """The text with each lone surrogate, which no tokenizer takes, shown as U+FFFD (as long in UTF-8)."""
    return _LONE_SURROGATE.sub("\ufffd", text)
