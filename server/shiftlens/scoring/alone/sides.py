"""A pair of which each model is scored by itself."""

from __future__ import annotations

from dataclasses import dataclass

from shiftlens.backends.protocol import Backend
from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scoring.inputs.fitting import prepare_fitted
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.inputs.tokenized import TokenizedModel
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.models.compatible import token_difference
from shiftlens.scoring.opening.pair import vocabulary_notes

_ALONE = "Each model was scored by itself, so that there is no KL."


@dataclass(frozen=True, slots=True)
class Side:
    """A model that is scored by itself: what its inputs are made with, and what scores them."""

    tokens: TokenizedModel
    backend: Backend

    @property
    def description(self) -> ModelDescription:
        return self.backend.identity


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

    def prepare(self, response: ResponseToScore, options: ScoreOptions) -> Prepared:
        """What to feed to both for a response, with what is to be said of the pair. Raises ScoringError."""
        models = self.base.tokens, self.aligned.tokens
        return prepare_fitted(models, response, options, same_tokens=self.same_tokens, notes=self.notes)


def side_pair(base: Side, aligned: Side, notes: tuple[str, ...] = ()) -> SidePair:
    """Make a pair of two sides. `notes` are what is to be said of where the models come from."""
    differ = token_difference(base.tokens, aligned.tokens)
    about_files = dict.fromkeys((*base.tokens.notes, *aligned.tokens.notes))
    about_alone = () if differ else (_ALONE,)
    about_sides = [note for side in (base, aligned) for note in _about(side)]
    every = (*notes, *vocabulary_notes(differ), *about_alone, *dict.fromkeys(about_sides), *about_files)
    return SidePair(base, aligned, every, same_tokens=not differ)


def _about(side: Side) -> list[str]:
    """What a backend can't tell, in sentences."""
    name, can = side.tokens.name, side.backend.capabilities
    found = []
    if not can.full_vocabulary:
        found.append(f"The probabilities of {name} are over a part of its vocabulary.")
    if not can.exact_ranks:
        among = "" if can.most_top_k is None else f" ({can.most_top_k} at the most)"
        found.append(f"{name} gives ranks only of tokens among its candidates{among}.")
    if not can.entropy:
        found.append(f"{name} gives no entropy.")
    return found
