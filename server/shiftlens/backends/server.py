"""A model on a server, as a backend."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shiftlens.backends.dialect import Dialect, Told, UnknownModel
from shiftlens.backends.exchange import Exchange, Refusal, Unanswered
from shiftlens.backends.failures import as_error, as_refused
from shiftlens.backends.io_loop import Work, closed_at_the_end, io_loop
from shiftlens.backends.positions import BadAnswer
from shiftlens.backends.protocol import (
    Capabilities,
    SideEvent,
    SideInput,
    SideNumbers,
    SideRefused,
    TokensAsked,
    TokensEvent,
    Waiting,
)
from shiftlens.backends.served_model import AnotherModel, Failed, ServedModel, Unusable
from shiftlens.backends.tokenizers import tokenizer_place
from shiftlens.errors import ModelError
from shiftlens.model_files.local import model_folder
from shiftlens.options.server_names import ServerName
from shiftlens.scores.description import ModelDescription

T = TypeVar("T")


class ServerBackend:
    """See `protocol.RemoteBackend`.

    `identity` has what the server tells: a model's root as its path, and the server's kind and version as its device.
    Nothing of that is certain to change when the weights do, so that there is no fingerprint, and no score is kept
    on disk.
    """

    def __init__(
        self, name: str, server: ServerName, dialect: Dialect, exchange: Exchange, *, allow_download: bool
    ) -> None:
        self._name, self._server, self._exchange = name, server, exchange
        self._allow_download = allow_download
        self._model = ServedModel(server.model, dialect, exchange)
        # Where the server told that it may be, and where it is.
        self._tokenizer: tuple[tuple[str, ...], str] | None = None
        closed_at_the_end(exchange)
        weakref.finalize(self, _close, exchange).atexit = False

    @property
    def identity(self) -> ModelDescription:
        told = self._connected()
        version = f" {told.version}" if told.version else ""
        return ModelDescription(
            name=self._name,
            path=told.root,
            architecture="",
            parameters=0,
            vocabulary=0,
            max_positions=self._model.most_ids,
            device=f"{self._server.kind}{version}",
            dtype="",
            fingerprint="",
            adapter_of=told.parent,
        )

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            exact_ranks=False,
            entropy=False,
            most_top_k=self._model.most_top_k,
            any_token=self._model.any_token,
            why_no_token=self._model.why_no_token,
        )

    @property
    def tokenizer(self) -> str:
        if self._server.tokenizer:
            return self._server.tokenizer
        places = self._connected().places
        if self._tokenizer is None or self._tokenizer[0] != places:
            found = tokenizer_place(self._name, places, allow_download=self._allow_download)
            self._tokenizer = (places, found)
        return self._tokenizer[1]

    @property
    def end_ids(self) -> tuple[int, ...]:
        folder = model_folder(self.tokenizer)
        return () if folder is None else _end_ids_of(folder / "generation_config.json")

    def connect(self, check: Callable[[], None]) -> Iterator[Waiting]:
        """See `protocol.RemoteBackend.connect`."""
        if self._model.told is None:
            yield from self._done(self._model.connect, check)

    def try_out(self, ids: Sequence[int], k: int, check: Callable[[], None]) -> Iterator[Waiting]:
        """See `protocol.RemoteBackend.try_out`."""
        yield from self._done(lambda: self._model.try_out(ids, k), check)

    def score(self, inputs: Sequence[SideInput], k: int, check: Callable[[], None]) -> Generator[SideEvent, None, None]:
        """See `protocol.Backend.score`. Requests go on between two steps; stopping breaks them off."""

        def work(ended: Callable[[int, SideNumbers | Failed], None]) -> Coroutine[Any, Any, None]:
            return self._model.score(inputs, k, ended)

        yield from self._inputs(work, check)

    def logprobs_of(
        self, inputs: Sequence[TokensAsked], check: Callable[[], None]
    ) -> Generator[TokensEvent, None, None]:
        """See `protocol.RemoteBackend.logprobs_of`."""

        def work(ended: Callable[[int, bytes | Failed], None]) -> Coroutine[Any, Any, None]:
            return self._model.logprobs_of(inputs, ended)

        yield from self._inputs(work, check)

    def _inputs(
        self,
        work: Callable[[Callable[[int, T | Failed], None]], Coroutine[Any, Any, None]],
        check: Callable[[], None],
    ) -> Generator[tuple[int, T | SideRefused] | Waiting, None, None]:
        """What comes of inputs in the loop, by their indices. Raises ModelError."""

        async def telling(tell: Callable[[tuple[int, T | Failed]], None]) -> None:
            await work(lambda index, came: tell((index, came)))

        for event in self._worked(telling, check):
            if isinstance(event, Waiting):
                yield event
                continue
            index, came = event
            if isinstance(came, BadAnswer | Unanswered | Refusal):
                yield index, as_refused(self._name, came)
            else:
                yield index, came

    def _done(
        self, work: Callable[[], Coroutine[Any, Any, None]], check: Callable[[], None]
    ) -> Generator[Waiting, None, None]:
        """Work in the loop that tells nothing. Raises ModelError."""

        async def silent(_tell: Callable[[None], None]) -> None:
            await work()

        for event in self._worked(silent, check):
            if isinstance(event, Waiting):
                yield event

    def _worked(
        self, work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]], check: Callable[[], None]
    ) -> Iterator[T | Waiting]:
        """The news of work in the loop. Raises ModelError."""
        try:
            yield from Work(work).news(check, lambda: self._exchange.trouble)
        except (BadAnswer, Unanswered, Refusal, UnknownModel) as error:
            raise as_error(self._name, self._server, error) from None
        except Unusable as error:
            raise as_error(self._name, self._server, error.why) from None
        except AnotherModel:
            raise ModelError(
                f"{self._name} is no longer the model that it was: the server tells another place, length or version.",
                "Score again.",
            ) from None

    def _connected(self) -> Told:
        for _ in self.connect(lambda: None):
            pass
        told = self._model.told
        if told is None:
            raise ModelError(f"{self._name} is no longer the model that it was.", "Score again.")
        return told


def _end_ids_of(path: Path) -> tuple[int, ...]:
    """The ids that a generation config names; none where there is no such file."""
    try:
        eos = msgspec.json.decode(path.read_bytes()).get("eos_token_id")
    except (OSError, msgspec.DecodeError, AttributeError):
        return ()
    return tuple(each for each in (eos if isinstance(eos, list) else [eos]) if isinstance(each, int))


def _close(exchange: Exchange) -> None:
    asyncio.run_coroutine_threadsafe(exchange.close(), io_loop())
