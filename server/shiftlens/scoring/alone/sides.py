"""A pair of which each model is scored by itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from shiftlens.backends.protocol import Backend, TokensAsked, TokensEvent, Waiting
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scoring.inputs.fitting import prepare_fitted
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.inputs.tokenized import TokenizedBackend, TokenizedModel
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.models.compatible import token_difference
from shiftlens.scoring.opening.pair import vocabulary_notes

_A_TEXT = "The sky is blue because air scatters blue light more than red light, and sunsets are red for that reason."

_ALONE = "Each model was scored by itself, so that there is no KL."


@dataclass(frozen=True, slots=True)
class Side:
    """A model that is scored by itself: what its inputs are made with, and what scores them."""

    tokens: TokenizedModel
    backend: Backend

    @property
    def description(self) -> ModelDescription:
        return self.backend.identity

    @property
    def is_elsewhere(self) -> bool:
        """Whether the model is not loaded here."""
        return isinstance(self.tokens, TokenizedBackend)

    @property
    def origins(self) -> tuple[str, ...]:
        """What makes the tokens of a model that is elsewhere, and what more than others it tells."""
        if not isinstance(self.tokens, TokenizedBackend):
            return ()
        more = ("It tells what it gives the other model's candidates.",) if self.backend.capabilities.any_token else ()
        return (f"Its tokens are made here, by the tokenizer of {self.tokens.backend.tokenizer}.", *more)

    def logprobs_of(
        self, inputs: Sequence[TokensAsked], check: Callable[[], None]
    ) -> Generator[TokensEvent, None, None]:
        """What comes of tokens that are asked for, of a model that gives that. Raises ModelError."""
        if isinstance(self.tokens, TokenizedBackend) and self.backend.capabilities.any_token:
            yield from self.tokens.backend.logprobs_of(inputs, check)

    def try_out(self, k: int, check: Callable[[], None]) -> Iterator[Waiting]:
        """See whether a model that is elsewhere gives numbers that can be used. Raises ModelError."""
        if isinstance(self.tokens, TokenizedBackend):
            yield from self.tokens.backend.try_out(self.tokens.encoder.encode(_A_TEXT).ids, k, check)


@dataclass(frozen=True, slots=True)
class SideView:
    """What a side is, without the model itself."""

    description: ModelDescription
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class PairView:
    """What a pair is, without the models: to be held while they may be evicted."""

    base: SideView
    aligned: SideView
    encoders: tuple[TextEncoder, TextEncoder]


@dataclass(frozen=True, slots=True)
class SidePair:
    """Two models, each scored by itself; what a reader should know, and whether their tokens are the same."""

    base: Side
    aligned: Side
    notes: tuple[str, ...]
    same_tokens: bool

    @property
    def encoders(self) -> tuple[TextEncoder, TextEncoder]:
        """The tokenizers of the base and the aligned model."""
        return self.base.tokens.encoder, self.aligned.tokens.encoder

    @property
    def view(self) -> PairView:
        """The pair without the models."""
        base, aligned = (SideView(side.description, side.is_elsewhere) for side in (self.base, self.aligned))
        return PairView(base, aligned, self.encoders)

    def prepare(self, response: ResponseToScore, options: ScoreOptions) -> Prepared:
        """What to feed to both for a response, with what is to be said of the pair. Raises ScoringError."""
        models = self.base.tokens, self.aligned.tokens
        return prepare_fitted(models, response, options, same_tokens=self.same_tokens, notes=self.notes)


def side_pair(base: Side, aligned: Side, notes: tuple[str, ...] = ()) -> SidePair:
    """Make a pair of two sides. `notes` are what is to be said of where the models come from."""
    differ = token_difference(base.tokens, aligned.tokens)
    about_files = dict.fromkeys((*base.tokens.notes, *aligned.tokens.notes))
    about_alone = () if differ else (_ALONE,)
    every = (*notes, *vocabulary_notes(differ), *about_alone, *about_files)
    return SidePair(base, aligned, every, same_tokens=not differ)


def about(side: Side) -> tuple[str, ...]:
    """What a backend can't tell, in sentences. Of a server that is known only once it has answered."""
    name, can = side.tokens.name, side.backend.capabilities
    found = []
    if not can.full_vocabulary:
        found.append(f"The probabilities of {name} are over a part of its vocabulary.")
    if not can.exact_ranks:
        among = "" if can.most_top_k is None else f" ({can.most_top_k} at the most)"
        found.append(f"{name} gives ranks only of tokens among its candidates{among}.")
    if not can.entropy:
        found.append(f"{name} gives no entropy.")
    if can.why_no_token:
        found.append(
            f"The logprobs of the other model's candidates are not asked of {name}: the server {can.why_no_token}."
        )
    return tuple(found)
