"""A scoring session: opens models, scores responses, and yields results as plain values.

It is all that scoring needs, with no messages and no other process: the engine's worker and the tests call the same. It
is long because all that can be asked of the models in memory is asked of this one class.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

from shiftlens.backends.protocol import BackendKind
from shiftlens.errors import ModelError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.continuations import Begun
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.requests import ResponseToScore
from shiftlens.scoring.alone.opening import SideOpener
from shiftlens.scoring.alone.sides import SidePair, about
from shiftlens.scoring.continuing.run import Continuing, Written, continuations
from shiftlens.scoring.events import Event, Events, Opened
from shiftlens.scoring.models.hub import hub_access
from shiftlens.scoring.opening.copies import CachedModel
from shiftlens.scoring.opening.device_memory import machine_bytes
from shiftlens.scoring.opening.model_cache import ModelCache, OnProgress
from shiftlens.scoring.opening.opened import UnitId
from shiftlens.scoring.opening.opener import PairOpener
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.scoring.opening.room import Outlook
from shiftlens.scoring.opening.sources import Needed, needed
from shiftlens.scoring.passes.memories import PassMemories
from shiftlens.scoring.passes.memory import limit_for
from shiftlens.scoring.running.pair_run import PairRun
from shiftlens.scoring.running.run import Run
from shiftlens.scoring.running.several_run import SeveralRun
from shiftlens.scoring.running.side_run import SideRun


def _quiet(_message: str, _fraction: float) -> None:
    pass


class Session:
    """Models that stay in memory while they fit, and the pairs that are opened as views of them.

    `memory_bytes` bounds the models on each kind of device; None takes what the machine allows (see `model_limit`).
    `kinds` know the models that are elsewhere, by name; a name that none of them knows is of a model to be loaded here.
    A session belongs to one thread.
    """

    def __init__(self, memory_bytes: int | None = None, kinds: Sequence[BackendKind] = ()) -> None:
        self._memories: PassMemories[UnitId] = PassMemories(limit_for(machine_bytes()))
        self._cache = ModelCache(memory_bytes, self._let_go)
        self._pairs = PairOpener(self._cache, self._memories)
        self._sides = SideOpener(self._cache, kinds)
        self._latest: PairSpec | None = None

    @contextmanager
    def open(self, spec: PairSpec, on_progress: OnProgress = _quiet) -> Iterator[OpenedPair]:
        """The pair, loaded if need be, and kept in memory while this lasts.

        `on_progress` gets what is being loaded and the fraction done; what it raises ends the loading. Raises
        ModelError, and ModelsInUse where an adapter is to be put into a model that another pair is using.
        """
        with self._pairs.in_use(spec, on_progress, look=self._is_another(spec)) as pair:
            yield pair

    def score(
        self,
        spec: PairSpec,
        options: ScoreOptions,
        responses: Sequence[ResponseToScore],
        *,
        check: Callable[[], None] = lambda: None,
        on_progress: OnProgress = _quiet,
    ) -> Iterator[Event]:
        """What comes of scoring these responses, in the order in which it happens.

        `check` is called between chunks of the work and may raise to stop it. Raises ModelError.
        """
        for events in self.steps(spec, Run(options, responses, check), on_progress):
            yield from events

    def steps(self, spec: PairSpec, run: Run, on_progress: OnProgress = _quiet) -> Generator[Events, None, None]:
        """The same in steps, each with what it gave; between two of them other pairs can be scored.

        Models are sure to be in memory within a pass only. Those that were evicted between two passes are loaded again.
        """
        if self._sides.has_remote(spec):
            yield from self._steps_alone(spec, run, on_progress)
            return
        with self.open(spec, on_progress) as pair:
            opened = Opened(pair.base.description, pair.aligned.description)
            # A reference in this generator would keep the models in memory after the cache has evicted them.
            del pair
        yield (opened,)
        yield from PairRun(run, lambda: self._pairs.in_use(spec, on_progress, look=False)).steps()

    def continuations(
        self, spec: PairSpec, asked: Continuing, on_progress: OnProgress = _quiet
    ) -> Generator[tuple[Opened | Begun | Written, ...], None, None]:
        """What the models write from a position on, a step for each token; Opened comes first.

        Raises ModelError and ScoringError.
        """
        with self.open_here(spec, on_progress) as pair:
            opened = Opened(pair.base.description, pair.aligned.description)
            del pair
        yield (opened,)
        yield from continuations(asked, lambda: self._pairs.in_use(spec, on_progress, look=False))

    @contextmanager
    def open_here(self, spec: PairSpec, on_progress: OnProgress = _quiet) -> Iterator[OpenedPair]:
        """As `open`, for what takes both models here. Raises ModelError where one is elsewhere."""
        if self._sides.has_remote(spec):
            raise ModelError(
                "A model of this pair is elsewhere, and can only score what is there.",
                "Choose two models that are loaded here.",
            )
        with self.open(spec, on_progress) as pair:
            yield pair

    def score_several(
        self,
        specs: Sequence[PairSpec],
        options: ScoreOptions,
        responses: Sequence[ResponseToScore],
        *,
        check: Callable[[], None] = lambda: None,
        on_progress: OnProgress = _quiet,
    ) -> Iterator[Event]:
        """What comes of scoring these responses under several pairs, the base model of which is fed once for all.

        `aligned` of an event is the index of its pair in `specs`. Pairs whose models don't fit in memory together are
        scored in several goes, for each of which the base model is fed anew; `SeveralRun` says when else it is. Nothing
        is kept for edits. Raises ModelError.
        """
        run = Run(options, responses, check, remember=False)
        for numbers in self.goes(specs):
            for events in self.steps_several(specs, numbers, run, on_progress):
                yield from events

    def goes(self, specs: Sequence[PairSpec]) -> list[list[int]]:
        """The places of pairs that are scored in one go: as many as fit in memory; by itself with a model elsewhere.

        Loads nothing. Raises ModelError.
        """
        goes: list[list[int]] = []
        wanted: list[Needed] = []
        for i, spec in enumerate(specs):
            if self._sides.has_remote(spec):
                goes.append([i])
                wanted = []
                continue
            with hub_access(spec.allow_download):
                both = needed(spec)
            alike = bool(wanted) and _how(spec) == _how(specs[goes[-1][0]])
            if alike and self._cache.fits([*wanted, *both], spec):
                goes[-1].append(i)
                wanted += both
            else:
                goes.append([i])
                wanted = [*both]
        return goes

    def steps_several(
        self, every: Sequence[PairSpec], numbers: Sequence[int], run: Run, on_progress: OnProgress = _quiet
    ) -> Generator[Events, None, None]:
        """One of the `goes` of these pairs in steps, like `steps`. `numbers` are the places of its pairs."""
        specs = [every[i] for i in numbers]
        if self._sides.has_remote(specs[0]):
            yield from self._steps_alone(specs[0], run, on_progress, numbers[0])
            return
        with self._pairs.all_in_use(specs, on_progress, look=True) as pairs:
            opened = [
                Opened(pair.base.description, pair.aligned.description, number)
                for number, pair in zip(numbers, pairs, strict=True)
            ]
            del pairs
        yield tuple(opened)
        each = [functools.partial(self._pairs.in_use, spec, on_progress, look=False) for spec in specs]
        yield from SeveralRun(
            run, lambda: self._pairs.all_in_use(specs, on_progress, look=False), each, numbers
        ).steps()

    @contextmanager
    def open_sides(self, spec: PairSpec, on_progress: OnProgress = _quiet) -> Iterator[SidePair]:
        """A pair of which each model is scored by itself, wherever the two are. Raises ModelError."""
        with self._sides.pair(spec, on_progress, look=self._is_another(spec)) as pair:
            yield pair

    def describe(self, spec: PairSpec, on_progress: OnProgress = _quiet) -> tuple[ModelDescription, ModelDescription]:
        """What base and aligned model are, loaded if need be, or as their servers tell it. Raises ModelError."""
        steps = self.describing(spec, on_progress)
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                both: tuple[ModelDescription, ModelDescription] = ended.value
                return both

    def describing(
        self, spec: PairSpec, on_progress: OnProgress = _quiet, check: Callable[[], None] = lambda: None
    ) -> Generator[None, None, tuple[ModelDescription, ModelDescription]]:
        """The same in steps, with what it found as its result; `check` may raise to stop it."""
        if self._sides.has_remote(spec):
            for _ in self._sides.connect(spec, check):
                yield
            with self.open_sides(spec, on_progress) as sides:
                return sides.base.description, sides.aligned.description
        with self.open(spec, on_progress) as pair:
            return pair.base.description, pair.aligned.description

    def trying_out(
        self, spec: PairSpec, check: Callable[[], None] = lambda: None
    ) -> Generator[None, None, tuple[tuple[str, ...], tuple[str, ...]]]:
        """See in steps whether the models of a pair that are elsewhere give numbers that can be used.

        The result has sentences on each that is: what it can't tell, and what makes its tokens. Raises ModelError.
        """
        found: list[tuple[str, ...]] = []
        for name in (spec.base, spec.aligned):
            if not self._sides.is_remote(name, spec):
                found.append(())
                continue
            with self._sides.side(name, spec, _quiet) as side:
                for _ in side.try_out(ScoreOptions().top_k, check):
                    yield
                found.append((*side.origins, *about(side)))
        base, aligned = found
        return base, aligned

    def models(self) -> tuple[CachedModel, ...]:
        """Every model in memory, and its bytes."""
        return self._cache.models()

    @property
    def loads(self) -> int:
        """How many full models have been loaded so far."""
        return self._cache.loads

    @property
    def last_load_seconds(self) -> float:
        """How long the last loading took."""
        return self._cache.last_load_seconds

    @property
    def kv_bytes(self) -> int:
        """What earlier passes left behind for edits, in bytes."""
        return self._memories.nbytes

    def outlook(self, *specs: PairSpec) -> Outlook:
        """What opening these pairs would take now, which are one or of one of the `goes`.

        Loads and fetches nothing; what opening would refuse takes nothing.
        """
        units = self._pairs.units(specs)
        if units is not None:
            return Outlook(units)
        wanted: list[Needed] = []
        try:
            for spec in specs:
                if self._sides.has_remote(spec):
                    wanted += self._sides.needed(spec)
                else:
                    wanted += needed(dataclasses.replace(spec, allow_download=False))
            return self._cache.outlook(wanted, specs[0])
        except ModelError:
            return Outlook()

    def pinned(self) -> frozenset[UnitId]:
        """The units that are in use, which can't be evicted."""
        return self._cache.pinned()

    def forget(self, client: int, document: str | None) -> None:
        """Let go of what is kept for edits of a document of a client, of all of its documents with None."""
        self._memories.forget(lambda owner: owner[0] == client and (document is None or owner[1] == document))

    def unload(self) -> None:
        """Let go of every model; what is in use goes when it no longer is."""
        self._pairs.clear()
        self._sides.clear()
        self._cache.clear()

    def _steps_alone(self, spec: PairSpec, run: Run, on_progress: OnProgress, number: int = 0) -> Iterator[Events]:
        for _ in self._sides.connect(spec, run.check):
            yield ()
        with self.open_sides(spec, on_progress) as pair:
            opened = Opened(pair.base.description, pair.aligned.description, number)
            both_elsewhere = pair.base.is_elsewhere and pair.aligned.is_elsewhere
            del pair
        yield (opened,)
        open_base, open_aligned = (
            functools.partial(self._sides.side, name, spec, on_progress) for name in (spec.base, spec.aligned)
        )
        open_pair = functools.partial(self._sides.pair, spec, on_progress, look=False)
        sides = (open_base, open_aligned)
        yield from SideRun(run, open_pair, sides, number, both_elsewhere=both_elsewhere).steps()

    def _is_another(self, spec: PairSpec) -> bool:
        """Whether a pair is another one than the last time: what it is made of may have changed since it was used."""
        another, self._latest = spec != self._latest, spec
        return another

    def _let_go(self, unit: UnitId) -> None:
        self._memories.drop(unit)
        self._sides.let_go()
        self._pairs.let_go(unit)


def _how(spec: PairSpec) -> PairSpec:
    """How the models of a pair are loaded, whichever they are."""
    return dataclasses.replace(spec, base="", aligned="")
