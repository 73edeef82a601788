"""One model that can score tokens, wherever it runs.

A pair is made of two such models. Where both are loaded here and have the same tokens, one pass over both also gives
KL; in every other case each model is scored by itself, by this protocol, and what takes both distributions is not had.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shiftlens.options.pair import PairSpec
from shiftlens.scores.description import ModelDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend can tell of a position.

    - full_vocabulary: logprobs are over all ids that the model chooses among, not renormalised over a part of them.
    - exact_ranks: every rank is exact. Else a token that is not among the candidates has a rank above their number.
    - entropy: the entropy of the whole distribution is known.
    - most_top_k: the most candidates that it gives for a position; None for no limit.
    - any_token: it gives the logprob of any token that it is asked for, be it a candidate or not.
    - why_no_token: why that is not used although it is offered, as a part of a sentence that follows "the server".
    """

    full_vocabulary: bool = True
    exact_ranks: bool = True
    entropy: bool = True
    most_top_k: int | None = None
    any_token: bool = False
    why_no_token: str = ""


@dataclass(frozen=True, slots=True)
class SideInput:
    """The ids that a model is given before a response, those of the response, and the id that would end it.

    The first `lead` of `prefix_ids` begin any text (BOS).
    """

    prefix_ids: tuple[int, ...]
    ids: tuple[int, ...]
    end_id: int
    lead: int = 0

    @property
    def rows(self) -> int:
        """The positions to score: one for each id of the response, and that of its end."""
        return len(self.ids) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SideNumbers:
    """What one model gives for the n positions of an input, as columns of bytes. Logprobs and entropies are in nats.

    - k: candidates per position; may be fewer than were asked for, and 0.
    - logprob: float32 [n].
    - rank: int32 [n], see `scores.columns.rank_of`: r > 0 is exact, -r is above r, 0 is unknown.
    - entropy: float32 [n], empty where it is not known.
    - top_ids: int32 [n * k], most likely first, -1 where a position has fewer; top_logprobs: float32 [n * k].
    """

    k: int
    logprob: bytes
    rank: bytes
    entropy: bytes
    top_ids: bytes
    top_logprobs: bytes


@dataclass(frozen=True, slots=True)
class TokensAsked:
    """Tokens whose logprobs are asked for at each of the n positions of an input, `k` at each.

    `ids`: int32 [n * k], -1 where there are fewer.
    """

    asked: SideInput
    k: int
    ids: bytes


@dataclass(frozen=True, slots=True)
class SideRefused:
    """Why a model gives no numbers of one input, and what to do."""

    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing is there yet; `why` is a part of a sentence that says what is wrong, "" where nothing is."""

    why: str = ""


SideEvent = tuple[int, SideNumbers | SideRefused] | Waiting
"""What is new of some inputs: what came of one of them, by its index, or nothing."""

TokensEvent = tuple[int, bytes | SideRefused] | Waiting
"""The same of tokens that were asked for: logprobs in nats, float32 [n * k], not a number where none was asked for."""


class Backend(Protocol):
    """A model that takes ids and gives numbers. It is used from one thread."""

    @property
    def identity(self) -> ModelDescription:
        """Which model this is; `fingerprint` is "" where it can't be told from another version of it."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    def score(self, inputs: Sequence[SideInput], k: int, check: Callable[[], None]) -> Generator[SideEvent, None, None]:
        """What comes of each input, in any order; up to `k` candidates are wanted.

        A backend that has to wait yields Waiting at least every fifth of a second, so that others have their turn and a
        stop is seen. `check` is called every now and then, and may raise to stop. Closing the generator stops as well.
        Raises ModelError where the model can be used no more; the inputs that nothing was said of are not scored.
        """
        ...


class RemoteBackend(Backend, Protocol):
    """A backend whose model is not loaded here. Its texts are made into ids by a tokenizer that is.

    Until `connect` has ended, the other properties and methods may wait for the model.
    """

    def connect(self, check: Callable[[], None]) -> Iterator[Waiting]:
        """Have the model tell what it is, if that is not known yet. Waits as `score` does. Raises ModelError."""
        ...

    def try_out(self, ids: Sequence[int], k: int, check: Callable[[], None]) -> Iterator[Waiting]:
        """See by a text whether the model's numbers can be used, as `score` does by itself. Waits as that does.

        Raises ModelError where they can't.
        """
        ...

    def logprobs_of(
        self, inputs: Sequence[TokensAsked], check: Callable[[], None]
    ) -> Generator[TokensEvent, None, None]:
        """Logprobs of tokens that are asked for, in any order of the inputs, by a backend that can tell them
        (`Capabilities.any_token`). Otherwise as `score`."""
        ...

    @property
    def tokenizer(self) -> str:
        """What names the tokenizer of its ids: a folder, or a name of the hub."""
        ...

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Ids that end a text for this model, beside those that the tokenizer names."""
        ...


class BackendKind(Protocol):
    """One kind of backend, told by the names of its models."""

    def open(self, name: str, spec: PairSpec) -> RemoteBackend | None:
        """The backend of a name; None for a name that is not of this kind. Raises ModelError."""
        ...
