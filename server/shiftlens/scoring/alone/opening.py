"""Opening models that are scored each by itself: backends that are elsewhere by their names, other models in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from shiftlens.backends.protocol import BackendKind, RemoteBackend, Waiting
from shiftlens.options.pair import PairSpec
from shiftlens.scoring.alone.local import LocalBackend
from shiftlens.scoring.alone.sides import Side, SidePair, side_pair
from shiftlens.scoring.inputs.tokenized import TokenizedBackend
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.models.hub import hub_access
from shiftlens.scoring.models.loading import load_tokenizer
from shiftlens.scoring.numbers import products
from shiftlens.scoring.opening.model_cache import ModelCache, OnProgress
from shiftlens.scoring.opening.sources import Needed, needed_alone


class SideOpener:
    """Opens sides for a session. `kinds` know the backends that are elsewhere; `cache` holds the models in memory."""

    def __init__(self, cache: ModelCache, kinds: Sequence[BackendKind]) -> None:
        self._cache, self._kinds = cache, tuple(kinds)
        self._remotes: dict[tuple[str, PairSpec], RemoteBackend | None] = {}
        self._remote_sides: dict[tuple[str, PairSpec, str], Side] = {}
        self._pairs: dict[PairSpec, SidePair] = {}

    def has_remote(self, spec: PairSpec) -> bool:
        """Whether a model of the pair is elsewhere."""
        return any(self.is_remote(name, spec) for name in (spec.base, spec.aligned))

    def is_remote(self, name: str, spec: PairSpec) -> bool:
        """Whether this model of the pair is elsewhere."""
        return self._remote(name, spec) is not None

    def needed(self, spec: PairSpec) -> list[Needed]:
        """What the models of the pair that are here need. Fetches nothing. Raises ModelError."""
        local = dataclasses.replace(spec, allow_download=False)
        return [needed_alone(name, local) for name in (spec.base, spec.aligned) if self._remote(name, spec) is None]

    def let_go(self) -> None:
        """Keep no reference to a model in memory, so that the cache can evict it."""
        self._pairs.clear()

    def clear(self) -> None:
        """Forget everything that was opened."""
        self._remotes.clear()
        self._remote_sides.clear()
        self._pairs.clear()

    @contextmanager
    def pair(self, spec: PairSpec, on_progress: OnProgress, *, look: bool) -> Iterator[SidePair]:
        """Both models; see `Session.open_sides`. With `look`, a model whose files have changed is read anew."""
        with (
            self._side(spec.base, spec, on_progress, look=look) as base,
            self._side(spec.aligned, spec, on_progress, look=look) as aligned,
        ):
            known = self._pairs.get(spec)
            if known is not None and known.encoders == (base.tokens.encoder, aligned.tokens.encoder):
                # Whether their tokens are the same takes a look at whole vocabularies.
                yield dataclasses.replace(known, base=base, aligned=aligned)
                return
            self._pairs[spec] = side_pair(base, aligned)
            yield self._pairs[spec]

    def connect(self, spec: PairSpec, check: Callable[[], None]) -> Iterator[Waiting]:
        """Have the models of a pair that are elsewhere tell what they are, in steps. Raises ModelError."""
        for name in (spec.base, spec.aligned):
            remote = self._remote(name, spec)
            if remote is not None:
                yield from remote.connect(check)

    @contextmanager
    def side(self, name: str, spec: PairSpec, on_progress: OnProgress) -> Iterator[Side]:
        """One model of a pair, in use while this lasts if it is here. Raises ModelError."""
        with self._side(name, spec, on_progress, look=False) as side:
            yield side

    @contextmanager
    def _side(self, name: str, spec: PairSpec, on_progress: OnProgress, *, look: bool) -> Iterator[Side]:
        remote = self._remote(name, spec)
        if remote is not None:
            yield self._remote_side(name, spec, remote)
            return
        with hub_access(spec.allow_download):
            one = needed_alone(name, spec)
            products.use(one.key.library)
            if look:
                self._cache.drop_changed([one])
            (model,) = self._cache.opened([one], spec, on_progress)
        backend = LocalBackend(model, one.key.library)
        backend.activate()
        self._cache.touch(model.units)
        self._cache.pin(model.units, 1)
        try:
            yield Side(model.loaded, backend)
        finally:
            self._cache.pin(model.units, -1)

    def _remote(self, name: str, spec: PairSpec) -> RemoteBackend | None:
        key = (name, spec)
        if key not in self._remotes:
            found = (kind.open(name, spec) for kind in self._kinds)
            self._remotes[key] = next((each for each in found if each is not None), None)
        return self._remotes[key]

    def _remote_side(self, name: str, spec: PairSpec, remote: RemoteBackend) -> Side:
        # A server may come to serve another model under the same name, which its backend then tells.
        key = (name, spec, remote.tokenizer)
        if key not in self._remote_sides:
            with hub_access(spec.allow_download):
                encoder = TextEncoder(load_tokenizer(remote.tokenizer, spec))
            self._remote_sides[key] = Side(TokenizedBackend(remote, encoder), remote)
        return self._remote_sides[key]
