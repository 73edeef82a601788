"""A pair: a view of two models in memory, with what follows from the two."""

from __future__ import annotations

from dataclasses import dataclass

from shiftlens.options.pair import ScoreOptions
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scoring.inputs.fitting import prepare_fitted
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.models.compatible import token_difference
from shiftlens.scoring.models.sources import ModelSource
from shiftlens.scoring.numbers import products
from shiftlens.scoring.numbers.head import Heads
from shiftlens.scoring.numbers.threads import threads_of, use_threads
from shiftlens.scoring.opening.opened import OpenedModel, UnitId
from shiftlens.scoring.opening.sources import Needed
from shiftlens.scoring.passes.memory import PassMemory
from shiftlens.scoring.passes.teacher_forcing import Scorer
from shiftlens.scoring.passes.two_vocabularies import TwoVocabularyHeads


@dataclass(frozen=True, slots=True)
class OpenedPair:
    """Two models, what their last passes left behind, what a reader should know; whether their tokens are the same.

    `threads` take its matrix products, from `library` ("torch" or "onednn").
    """

    base: OpenedModel
    aligned: OpenedModel
    memory: PassMemory
    notes: tuple[str, ...] = ()
    same_tokens: bool = True
    threads: int = 0
    library: str = ""

    @property
    def units(self) -> frozenset[UnitId]:
        """What is in memory for it."""
        return frozenset((*self.base.units, *self.aligned.units))

    def activate(self) -> None:
        """Have this process compute as this pair does. Other pairs may have been at work since."""
        if self.library:
            products.use(self.library)
        if self.threads:
            use_threads(self.threads)

    @property
    def fingerprints(self) -> tuple[str, str]:
        """Of the base and the aligned model, as they were when they were loaded."""
        return self.base.description.fingerprint, self.aligned.description.fingerprint

    @property
    def encoders(self) -> tuple[TextEncoder, TextEncoder]:
        """The tokenizers of the base and the aligned model."""
        return self.base.loaded.encoder, self.aligned.loaded.encoder

    def scorer(self, k: int) -> Scorer:
        """What scores passes, keeping k candidates per position."""
        base, aligned = self.base.causal, self.aligned.causal
        heads = Heads(base, aligned, k) if self.same_tokens else TwoVocabularyHeads(base, aligned, k, self.encoders)
        return Scorer(base, aligned, heads, k, self.memory)

    def prepare(self, response: ResponseToScore, options: ScoreOptions) -> Prepared:
        """What to feed to both for a response, with what is to be said of the pair. Raises ScoringError."""
        models = self.base.loaded, self.aligned.loaded
        return prepare_fitted(models, response, options, same_tokens=self.same_tokens, notes=self.notes)


def opened_pair(
    sides: tuple[Needed, Needed], models: tuple[OpenedModel, OpenedModel], memory: PassMemory
) -> OpenedPair:
    """The pair of two models in memory."""
    base, aligned = models
    differ = token_difference(base.loaded, aligned.loaded)
    about_files = dict.fromkeys((*base.loaded.notes, *aligned.loaded.notes))
    shared = base.loaded.model is aligned.loaded.model
    about_adapters = adapter_notes(sides[0].source, sides[1].source, shared=shared)
    return OpenedPair(
        base,
        aligned,
        memory,
        (*about_adapters, *vocabulary_notes(differ), *about_files),
        same_tokens=not differ,
        threads=threads_of((base.loaded.model, aligned.loaded.model)),
        library=sides[0].key.library,
    )


def adapter_notes(base: ModelSource, aligned: ModelSource, *, shared: bool) -> tuple[str, ...]:
    """What the reader should know of a pair with adapters: what is on what, and what is in memory once."""
    found: list[str] = []
    for side, source in (("base", base), ("aligned", aligned)):
        if source.adapter is not None:
            found.append(f"The {side} model is the adapter {source.name} ({source.kind}) on {source.full_model}.")
    if found and shared:
        found.append(f"Both models share the weights of {base.full_model} in memory.")
    elif found and base.full_model_place != aligned.full_model_place:
        found.append(
            f"The sides are made from two models, {base.full_model} and {aligned.full_model}: how those differ is in"
            " the numbers too."
        )
    return tuple(found)


def vocabulary_notes(difference: str) -> tuple[str, ...]:
    """What the reader should know of a pair of two vocabularies."""
    if not difference:
        return ()
    rule = (
        "So each model reads its own tokens of the same text; those shown are the aligned model's. Where one of them is"
        " not exactly one token of the base model, the fewest that end together are a group: its base rank is the worst"
        " of the group's, and its probability that of the group cut in this way. There is no KL."
    )
    return (difference, rule)
