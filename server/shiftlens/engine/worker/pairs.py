"""The pair that is in memory. One at a time: loading another lets go of what the new one does not share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shiftlens.engine.worker.process_memory import machine_bytes
from shiftlens.model_files.fingerprint import model_fingerprint
from shiftlens.options.pair import AUTO_LIBRARY, PairSpec, ScoreOptions
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.matrix_library import expected_library, remember
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scoring.inputs.fitting import fitted
from shiftlens.scoring.inputs.prepare import Prepared, prepare
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.models.adapters import AdaptedModel
from shiftlens.scoring.models.compatible import token_difference
from shiftlens.scoring.models.hub import hub_access
from shiftlens.scoring.models.load_errors import guarded
from shiftlens.scoring.models.loading import LoadedModel, load_adapter, load_model
from shiftlens.scoring.models.sources import ModelSource, find_source
from shiftlens.scoring.numbers import products
from shiftlens.scoring.numbers.head import Heads
from shiftlens.scoring.numbers.threads import settle_threads
from shiftlens.scoring.passes.adapted import open_adapted
from shiftlens.scoring.passes.apart import ApartHeads
from shiftlens.scoring.passes.causal import CausalModel, open_model
from shiftlens.scoring.passes.memory import PassMemory, limit_for
from shiftlens.scoring.passes.teacher_forcing import Scorer


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model with its split into body and head, and what it says of itself."""

    loaded: LoadedModel
    causal: CausalModel
    description: ModelDescription


@dataclass(frozen=True, slots=True)
class OpenedPair:
    """Two models, what their last passes left behind, what a reader should know; whether their tokens are the same."""

    base: OpenedModel
    aligned: OpenedModel
    memory: PassMemory
    notes: tuple[str, ...] = ()
    same_tokens: bool = True

    @property
    def fingerprints(self) -> tuple[str, str]:
        """Of the base and the aligned model, as they were when they were loaded."""
        return self.base.description.fingerprint, self.aligned.description.fingerprint

    @property
    def encoders(self) -> tuple[TextEncoder, TextEncoder]:
        """The tokenizers of the base and the aligned model."""
        return self.base.loaded.encoder, self.aligned.loaded.encoder

    def scorer(self, k: int) -> Scorer:
        """What scores passes, keeping k candidates per row."""
        base, aligned = self.base.causal, self.aligned.causal
        heads = Heads(base, aligned, k) if self.same_tokens else ApartHeads(base, aligned, k, self.encoders)
        return Scorer(base, aligned, heads, k, self.memory)

    def prepare(self, response: ResponseToScore, options: ScoreOptions) -> Prepared:
        """What to feed to both for a response, with what is to be said of the pair. Raises ScoringError."""
        prepared = prepare(self.base.loaded, self.aligned.loaded, response, options, same_tokens=self.same_tokens)
        base_ids = prepared.ids if prepared.own is None else prepared.own.ids
        base, about_base = fitted(self.base.loaded, prepared.base, len(base_ids))
        aligned, about_aligned = fitted(self.aligned.loaded, prepared.aligned, len(prepared.ids))
        notes = (*self.notes, *prepared.notes, *about_base, *about_aligned)
        return dataclasses.replace(prepared, base=base, aligned=aligned, notes=notes)


@dataclass(frozen=True, slots=True)
class _Adapter:
    """An adapter in memory, and what its files and those of the model below were then."""

    loaded: LoadedModel
    fingerprint: str


@dataclass(slots=True)
class _Whole:
    """A whole model in memory, what its files were then, and by their names the adapters that are in it."""

    loaded: LoadedModel
    fingerprint: str
    adapted: AdaptedModel | None = None
    adapters: dict[str, _Adapter] = field(default_factory=dict)
    opened: dict[str, OpenedModel] = field(default_factory=dict)


_Key = tuple[str, str, str, str, str]


class PairHolder:
    """Keeps the models of the last pair, each whole model once, whatever adapters are put on it."""

    def __init__(self) -> None:
        self._wholes: dict[_Key, _Whole] = {}
        self._pair: tuple[PairSpec, OpenedPair] | None = None

    def open(self, spec: PairSpec, on_progress: Callable[[str, float], None]) -> OpenedPair:
        """The pair, loaded if need be. `on_progress` gets what is being loaded and the fraction done.

        Raises ModelError.
        """
        if self._pair is not None and self._pair[0] == spec:
            return self._pair[1]
        self._pair = None
        _choose_library(spec.matrix_library)
        with hub_access(spec.allow_download):
            sources = _sources(spec)
            keys = _keys(sources, spec)
            self._let_go(keys, sources)
            for i, (key, source) in enumerate(zip(keys, sources, strict=True)):
                self._load(key, source, spec, functools.partial(_in_half, on_progress, i))
        settle_threads(self._wholes[key].loaded.model for key in keys)
        base, aligned = (self._opened(self._wholes[key], source) for key, source in zip(keys, sources, strict=True))
        differ = token_difference(base.loaded, aligned.loaded)
        about_files = dict.fromkeys((*base.loaded.notes, *aligned.loaded.notes))
        notes = (*adapter_notes(*sources, shared=keys[0] == keys[1]), *vocabulary_notes(differ), *about_files)
        pair = OpenedPair(base, aligned, PassMemory(limit_for(machine_bytes())), notes, same_tokens=not differ)
        self._pair = (spec, pair)
        return pair

    @property
    def kv_bytes(self) -> int:
        """What the pair's last passes hold."""
        return 0 if self._pair is None else self._pair[1].memory.nbytes

    def forget(self, client: int, document: str | None) -> None:
        """Let go of what is kept for edits of a document of a client, of all of its documents with None."""
        if self._pair is not None:
            self._pair[1].memory.forget(lambda owner: owner[0] == client and (document is None or owner[1] == document))

    def clear(self) -> None:
        """Let go of every model."""
        self._wholes.clear()
        self._pair = None

    def _let_go(self, keys: Sequence[_Key], sources: Sequence[ModelSource]) -> None:
        for key in [key for key in self._wholes if key not in keys]:
            del self._wholes[key]
        for key, whole in self._wholes.items():
            wanted = {source.name for k, source in zip(keys, sources, strict=True) if k == key}
            for name in [name for name in whole.adapters if name not in wanted]:
                gone = whole.adapters.pop(name).loaded
                whole.opened.clear()
                if whole.adapted is not None and gone.adapter is not None:
                    whole.adapted.remove(gone.adapter)

    def _load(self, key: _Key, source: ModelSource, spec: PairSpec, on_progress: Callable[[str, float], None]) -> None:
        """Have the whole model of a source in memory, and its adapter in that."""
        before = model_fingerprint(source.name)
        whole = self._wholes.get(key)
        if whole is None:
            below = model_fingerprint(source.whole)
            named = source.whole in (spec.base, spec.aligned)
            # A pickle is opened only where the user named it: not one that the files of an adapter name.
            spec = dataclasses.replace(spec, allow_pickle=spec.allow_pickle and named)
            loaded = load_model(source.whole, spec, functools.partial(on_progress, f"Loading {source.whole}"))
            whole = self._wholes[key] = _Whole(loaded, _sure(below, source.whole))
        if source.adapter is None or source.name in whole.adapters:
            return
        on_progress(f"Loading {source.name}", 1.0)
        whole.opened.clear()
        if whole.adapted is None:
            whole.adapted = AdaptedModel(whole.loaded.model)
        try:
            loaded = load_adapter(source.name, source.adapter, whole.loaded, whole.adapted, spec)
        except BaseException:
            del self._wholes[key]
            raise
        as_loaded = whole.fingerprint != "" and model_fingerprint(source.whole) == whole.fingerprint
        whole.adapters[source.name] = _Adapter(loaded, _sure(before, source.name) if as_loaded else "")

    def _opened(self, whole: _Whole, source: ModelSource) -> OpenedModel:
        """One side of a pair, once all adapters of both sides are in place."""
        if source.name not in whole.opened:
            if source.adapter is not None:
                loaded, fingerprint = whole.adapters[source.name].loaded, whole.adapters[source.name].fingerprint
            else:
                loaded = dataclasses.replace(whole.loaded, name=source.name, adapted=whole.adapted)
                fingerprint = whole.fingerprint
            causal = guarded(source.name, lambda: _split(loaded))
            whole.opened[source.name] = OpenedModel(loaded, causal, describe(loaded, fingerprint))
        return whole.opened[source.name]


def _choose_library(wanted: str) -> None:
    """Have products taken as the user wants; `auto` is what was measured on this machine once, or is measured now."""
    library = expected_library(wanted)
    if wanted == AUTO_LIBRARY and not (library and (library != "onednn" or products.has_onednn())):
        library = remember(products.quicker())
    products.use(library)


def _split(loaded: LoadedModel) -> CausalModel:
    shared = loaded.adapted
    return open_model(loaded.model) if shared is None else open_adapted(shared, loaded.adapter)


def _in_half(on_progress: Callable[[str, float], None], half: int, message: str, part: float) -> None:
    on_progress(message, (half + part) / 2)


def adapter_notes(base: ModelSource, aligned: ModelSource, *, shared: bool) -> tuple[str, ...]:
    """What the reader should know of a pair with adapters: what is on what, and what is in memory once."""
    found: list[str] = []
    for side, source in (("base", base), ("aligned", aligned)):
        if source.adapter is not None:
            found.append(f"The {side} model is the adapter {source.name} ({source.kind}) on {source.whole}.")
    if found and shared:
        found.append(f"Both models share the weights of {base.whole} in memory.")
    elif found and base.whole_place != aligned.whole_place:
        found.append(
            f"The sides are made from two models, {base.whole} and {aligned.whole}: how those differ is in the"
            " numbers too."
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


def _sources(spec: PairSpec) -> tuple[ModelSource, ModelSource]:
    """Where both sides come from. Copies of one model in two places are one where an adapter is put on them."""
    base, aligned = find_source(spec.base, spec), find_source(spec.aligned, spec)
    if (base.adapter is not None or aligned.adapter is not None) and base.whole != aligned.whole:
        same = model_fingerprint(base.whole)
        if same is not None and same == model_fingerprint(aligned.whole):
            aligned = dataclasses.replace(aligned, whole=base.whole)
    return base, aligned


def _keys(sources: tuple[ModelSource, ModelSource], spec: PairSpec) -> tuple[_Key, _Key]:
    """Which whole model in memory each side uses. Adapters of two kinds can't be put on one."""
    base, aligned = sources
    apart = aligned.kind if base.kind and aligned.kind and base.kind != aligned.kind else ""
    how = (spec.device, spec.dtype, products.in_use())
    return (base.whole_place, "", *how), (aligned.whole_place, apart, *how)


def _sure(before: str | None, name: str) -> str:
    """The fingerprint of what was loaded since `before` was taken; "" where nothing can be sure.

    Files that changed while they were read (or were fetched just now) may not be what is in memory.
    """
    after = model_fingerprint(name)
    return after if after is not None and before in (None, after) else ""


def describe(loaded: LoadedModel, fingerprint: str) -> ModelDescription:
    """What a loaded model is."""
    return ModelDescription(
        name=loaded.name,
        path=str(loaded.folder or ""),
        architecture=type(loaded.model).__name__,
        parameters=loaded.parameters,
        vocabulary=loaded.vocabulary,
        max_positions=loaded.max_positions,
        device=str(loaded.device),
        dtype=str(loaded.dtype).removeprefix("torch."),
        fingerprint=fingerprint,
        adapter_of=loaded.below,
        matrix_library=products.used_for(loaded.device, loaded.dtype),
    )
