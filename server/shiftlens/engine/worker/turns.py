"""The turns of clients: their jobs are done step by step, with models that may not all fit in memory together.

Each client's jobs keep their order, and clients take turns by steps. A job is blocked where its models can't be loaded
without evicting models that another waiting job needs. Then:

- Jobs whose models are in memory go first, as long as there are any, but for no longer than a term after the last
  loading: at least `LEAST_TERM_SECONDS`, and `TERM_LOADS` times what the last loading took. So at most about a sixth of
  the time goes to loading, however many pairs want the memory.
- A job whose adapter is to be put into a model that a pass is using waits for the end of that pass only.
- When the term is over, no new pass is begun; those under way are finished, and the job that has been blocked longest
  goes next. What it displaces is blocked from then on, so that no job waits for ever.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shiftlens.options.pair import PairSpec

LEAST_TERM_SECONDS = 10.0
TERM_LOADS = 5

Unit = tuple[int, str]


class Outlook(Protocol):
    """What it takes to have a job's models in memory; see `opening.room.Outlook`."""

    @property
    def units(self) -> frozenset[Unit]: ...
    @property
    def loads(self) -> bool: ...
    @property
    def evicts(self) -> frozenset[Unit]: ...
    @property
    def waits(self) -> bool: ...
    @property
    def joins(self) -> bool: ...


class Models(Protocol):
    """The models in memory, as turns need to know of them; see `session.Session`."""

    @property
    def loads(self) -> int: ...
    @property
    def last_load_seconds(self) -> float: ...
    def outlook(self, *specs: PairSpec) -> Outlook: ...
    def pinned(self) -> frozenset[Unit]: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A client whose first job could go on: what its models take (None for a job without), how long it is blocked."""

    client: int
    outlook: Outlook | None = None
    blocked_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Choice:
    """Which client goes next, which are blocked, and whether this evicts models that a waiting job needs."""

    client: int
    blocked: frozenset[int] = frozenset()
    switches: bool = False


def term_seconds(load_seconds: float) -> float:
    """How long models stay in memory, at the least, while jobs want them. The last loading took `load_seconds`."""
    return max(LEAST_TERM_SECONDS, TERM_LOADS * load_seconds)


def choose(candidates: Sequence[Candidate], pinned: frozenset[Unit], since_switch: float, term: float) -> Choice:
    """Which client goes next, by the rule above. Candidates are in the order of their turns; there is at least one."""
    ready = [each for each in candidates if each.outlook is None or not each.outlook.loads]
    wanted = frozenset(unit for each in ready if each.outlook is not None for unit in each.outlook.units)
    displacing = [each for each in candidates if each.outlook is not None and _displaces(each.outlook, wanted)]
    joining = [each for each in candidates if each.outlook is not None and each.outlook.joins]
    blocked = [*displacing, *(each for each in joining if each not in displacing)]
    names = frozenset(each.client for each in blocked)
    free = [each for each in candidates if each.client not in names]
    under_way = [each for each in free if each.outlook is not None and each.outlook.units & pinned]
    if displacing and (since_switch >= term or not free):
        longest = max(displacing, key=lambda each: each.blocked_seconds)
        if free and _meets(longest.outlook, pinned):
            return Choice((under_way or free)[0].client, names)
        return Choice(longest.client, names - {longest.client}, switches=True)
    if any(each not in displacing for each in joining):
        # No other pass is begun, so that the one in the way ends sooner.
        return Choice((under_way or free or joining)[0].client, names)
    return Choice(free[0].client, names)


def _displaces(outlook: Outlook, wanted: frozenset[Unit]) -> bool:
    """Whether loading takes models from a job that waits."""
    return outlook.loads and (outlook.waits or bool(outlook.evicts & wanted))


def _meets(outlook: Outlook | None, pinned: frozenset[Unit]) -> bool:
    """Whether something in use is in the way of loading."""
    return outlook is not None and (outlook.waits or outlook.joins or bool(outlook.evicts & pinned))


@dataclass(frozen=True, slots=True)
class _Job:
    steps: Iterator[None]
    needs: Callable[[], Sequence[PairSpec]]


def _nothing() -> tuple[PairSpec, ...]:
    return ()


class Turns:
    """One step of a client's first job, then one of the next client's; the jobs of one client keep their order.

    Without `models`, jobs need none, and clients simply take turns.
    """

    def __init__(self, models: Models | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._models, self._clock = models, clock
        self._jobs: dict[int, deque[_Job]] = {}
        self._last: int | None = None
        self._blocked_since: dict[int, float] = {}
        self._term_began = clock()
        self._term = 0.0

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def add(self, client: int, job: Iterator[None], needs: Callable[[], Sequence[PairSpec]] = _nothing) -> None:
        """Put a job behind those of its client. `needs` tells the pairs that its next step needs in memory."""
        self._jobs.setdefault(client, deque()).append(_Job(job, needs))

    def step(self) -> None:
        """Do the next step, if there is one. What the job raises goes through."""
        # A client that came during the last turn is queued behind the client of that turn, but goes before it.
        order = [client for client in self._jobs if client != self._last]
        if self._last in self._jobs:
            order.append(self._last)
        if not order:
            return
        choice = self._choice(order)
        self._last = choice.client
        jobs = self._jobs.pop(choice.client)
        loads = 0 if self._models is None else self._models.loads
        try:
            next(jobs[0].steps)
        except StopIteration:
            jobs.popleft()
        finally:
            # Loading models beside others must not lengthen the wait of a client that is blocked.
            if self._models is not None and (choice.switches or (self._models.loads > loads and not choice.blocked)):
                self._term_began = self._clock()
                self._term = term_seconds(self._models.last_load_seconds)
        if jobs:
            self._jobs[choice.client] = jobs

    def _choice(self, order: Sequence[int]) -> Choice:
        if self._models is None or len(order) == 1:
            self._blocked_since.clear()
            return Choice(order[0])
        now = self._clock()
        candidates = []
        for client in order:
            specs = self._jobs[client][0].needs()
            since = self._blocked_since.get(client, now)
            candidates.append(Candidate(client, self._models.outlook(*specs) if specs else None, now - since))
        choice = choose(candidates, self._models.pinned(), now - self._term_began, self._term)
        self._blocked_since = {client: self._blocked_since.get(client, now) for client in choice.blocked}
        return choice
