"""Jobs whose models don't fit together: who goes first, for how long, and that nobody waits for ever."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.doing import do
from shiftlens.engine.protocol import Done, Reply, Score, Scored
from shiftlens.engine.worker.jobs import Worker
from shiftlens.engine.worker.turns import LEAST_TERM_SECONDS, Candidate, Choice, Turns, choose, term_seconds
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.scoring.opening.room import Outlook
from shiftlens.scoring.session import Session
from tiny_models import save_pair

BASE, TUNED, OTHER = (1, ""), (2, ""), (3, "")
LOADED = Outlook(frozenset((BASE, TUNED)))
BESIDE = Outlook(frozenset((BASE,)), loads=True)
INSTEAD = Outlook(loads=True, evicts=frozenset((TUNED,)))
OF_AN_IDLE_PAIR = Outlook(loads=True, evicts=frozenset((OTHER,)))
IN_THE_WAY_OF_A_PASS = Outlook(frozenset((BASE,)), loads=True, waits=True)
INTO_A_MODEL_IN_USE = Outlook(frozenset((BASE,)), loads=True, joins=True)
NOTHING_PINNED: frozenset[tuple[int, str]] = frozenset()
TERM = 10.0


def test_a_term_is_ten_seconds_or_five_times_the_loading() -> None:
    assert term_seconds(0.5) == LEAST_TERM_SECONDS
    assert term_seconds(60) == 300


@pytest.mark.parametrize("outlook", [BESIDE, OF_AN_IDLE_PAIR])
def test_models_that_displace_no_waiting_job_are_loaded_at_once(outlook: Outlook) -> None:
    candidates = [Candidate(2, outlook), Candidate(1, LOADED)]
    assert choose(candidates, NOTHING_PINNED, 0.0, TERM) == Choice(2)


def test_a_job_whose_models_would_displace_those_of_a_waiting_job_waits_for_the_term() -> None:
    candidates = [Candidate(2, INSTEAD, 4.0), Candidate(1, LOADED)]
    assert choose(candidates, NOTHING_PINNED, 9.9, TERM) == Choice(1, frozenset((2,)))
    assert choose(candidates, NOTHING_PINNED, 10.0, TERM) == Choice(2, switches=True)


def test_a_job_that_needs_no_models_is_never_blocked() -> None:
    assert choose([Candidate(3), Candidate(2, INSTEAD), Candidate(1, LOADED)], NOTHING_PINNED, 0.0, TERM).client == 3


def test_where_only_blocked_jobs_are_left_there_is_no_term() -> None:
    assert choose([Candidate(2, IN_THE_WAY_OF_A_PASS)], NOTHING_PINNED, 0.0, TERM) == Choice(2, switches=True)


def test_once_the_term_is_over_passes_under_way_end_first() -> None:
    candidates = [Candidate(2, IN_THE_WAY_OF_A_PASS, 20.0), Candidate(3), Candidate(1, LOADED)]
    assert choose(candidates, frozenset((BASE, TUNED)), 11.0, TERM).client == 1
    cancelled = [Candidate(2, IN_THE_WAY_OF_A_PASS, 20.0), Candidate(1)]
    assert choose(cancelled, frozenset((BASE, TUNED)), 11.0, TERM).client == 1
    ended = [Candidate(2, INSTEAD, 20.0), Candidate(3), Candidate(1, LOADED)]
    assert choose(ended, NOTHING_PINNED, 11.0, TERM) == Choice(2, switches=True)


def test_an_adapter_for_a_model_in_use_waits_for_the_end_of_the_pass_only() -> None:
    candidates = [Candidate(2, INTO_A_MODEL_IN_USE), Candidate(3), Candidate(1, LOADED)]
    assert choose(candidates, frozenset((BASE, TUNED)), 0.0, TERM) == Choice(1, frozenset((2,)))
    no_longer = [Candidate(2, BESIDE), Candidate(1, LOADED)]
    assert choose(no_longer, NOTHING_PINNED, 0.0, TERM) == Choice(2)


def test_of_several_the_one_that_has_waited_longest_goes() -> None:
    candidates = [Candidate(3, INSTEAD, 5.0), Candidate(2, INSTEAD, 8.0), Candidate(1, LOADED)]
    assert choose(candidates, NOTHING_PINNED, 11.0, TERM) == Choice(2, frozenset((3,)), switches=True)


@dataclass
class OneAtATime:
    """A machine on which the models of one client fit at a time. A step takes a second, a load `load_seconds`."""

    load_seconds: float
    now: float = 0.0
    loaded: int = 0
    loads: int = 0
    in_pass: set[int] = field(default_factory=set)
    history: list[int] = field(default_factory=list)

    @property
    def last_load_seconds(self) -> float:
        return self.load_seconds

    def clock(self) -> float:
        return self.now

    def outlook(self, *specs: PairSpec) -> Outlook:
        client = int(specs[0].base)
        if client == self.loaded:
            return Outlook(frozenset(((client, ""),)))
        there = frozenset(((self.loaded, ""),)) if self.loaded else frozenset()
        return Outlook(loads=True, evicts=there, waits=self.loaded in self.in_pass)

    def pinned(self) -> frozenset[tuple[int, str]]:
        return frozenset((client, "") for client in self.in_pass)

    def job(self, client: int, passes: int, chunks: int) -> Iterator[None]:
        for _ in range(passes):
            if self.loaded != client:
                assert self.loaded not in self.in_pass
                self.loaded, self.loads, self.now = client, self.loads + 1, self.now + self.load_seconds
            for chunk in range(chunks):
                self.now += 1
                self.history.append(client)
                self.in_pass = self.in_pass | {client} if chunk < chunks - 1 else self.in_pass - {client}
                yield


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 4)), min_size=2, max_size=4),
    st.floats(0, 20),
)
def test_jobs_that_do_not_fit_together_all_end_with_few_loads(jobs: list[tuple[int, int]], load: float) -> None:
    machine = OneAtATime(load)
    turns = Turns(machine, machine.clock)
    for client, (passes, chunks) in enumerate(jobs, start=1):
        pairs = (PairSpec(base=str(client), aligned=""),)
        turns.add(client, machine.job(client, passes, chunks), lambda pairs=pairs: pairs)  # type: ignore[misc]
    while turns:
        turns.step()
    steps = {client: passes * chunks for client, (passes, chunks) in enumerate(jobs, start=1)}
    assert {client: machine.history.count(client) for client in steps} == steps
    # A term each, and what is left of each job.
    terms = sum(steps.values()) / term_seconds(load)
    assert machine.loads <= len(jobs) + terms + 1
    longest = max(chunks for _passes, chunks in jobs)
    for client in steps:
        places = [-1, *(at for at, one in enumerate(machine.history) if one == client)]
        waited = max(later - earlier for earlier, later in itertools.pairwise(places))
        assert waited <= (len(jobs) - 1) * (term_seconds(load) + longest + 1) + len(jobs)


def job(number: int, client: int, pair: PairSpec, count: int) -> Score:
    responses = tuple(
        ResponseToScore(
            turns=(ContextTurn.of("user", f"Why {client} {i}?"),),
            parts=one_text("Because air scatters blue light. " * 30),
            source_format="labels",
        )
        for i in range(count)
    )
    return Score(job=number, client=client, pair=pair, options=ScoreOptions(), responses=responses)


def test_two_windows_whose_pairs_do_not_fit_together_load_each_model_once(
    tiny_pair: PairSpec, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base, aligned = save_pair(tmp_path_factory.mktemp("second"))
    other = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    unbounded = Session()
    with unbounded.open(tiny_pair):
        pass
    session = Session(sum(model.nbytes for model in unbounded.models()))
    replies: list[Reply] = []
    worker = Worker(replies.append, lambda _job: False, session)
    now = 0.0
    turns = Turns(session, lambda: now)
    for client, pair in enumerate((tiny_pair, other), start=1):
        request = job(client, client, pair, 12)
        turns.add(client, worker.steps(request), lambda request=request: worker.needs(request))  # type: ignore[misc]
    while turns:
        turns.step()
    assert session.loads == 4
    assert sum(isinstance(reply, Scored) and not reply.partial for reply in replies) == 24
    assert [reply.job for reply in replies if isinstance(reply, Done)] == [1, 2]


def test_a_job_whose_models_were_let_go_of_goes_on_where_it_was(
    tiny_pair: PairSpec, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base, aligned = save_pair(tmp_path_factory.mktemp("second"))
    other = PairSpec(base=str(base), aligned=str(aligned), device="cpu")
    alone: list[Reply] = []
    do(Worker(alone.append, lambda _job: False), job(1, 1, tiny_pair, 5))
    unbounded = Session()
    with unbounded.open(tiny_pair):
        pass
    session = Session(sum(model.nbytes for model in unbounded.models()))
    replies: list[Reply] = []
    worker = Worker(replies.append, lambda _job: False, session)
    now = 0.0
    turns = Turns(session, lambda: now)
    for client, pair in enumerate((tiny_pair, other), start=1):
        request = job(client, client, pair, 5)
        turns.add(client, worker.steps(request), lambda request=request: worker.needs(request))  # type: ignore[misc]
    while turns:
        turns.step()
        now += 2.0
    # Two models are loaded at a switch, and there is at most one in ten seconds.
    assert 4 < session.loads <= 4 + 2 * now / LEAST_TERM_SECONDS

    def ranks(of: list[Reply]) -> dict[int, bytes]:
        done = [reply for reply in of if isinstance(reply, Scored) and reply.job == 1 and not reply.partial]
        return {reply.index: reply.scored.base.rank for reply in done}

    assert ranks(replies) == ranks(alone)
