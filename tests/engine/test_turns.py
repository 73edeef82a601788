"""Whose turn it is among the jobs of several clients."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from shiftlens.engine.worker.turns import Turns


def job(name: str, steps: int, done: list[str], at_step: Callable[[], None] = lambda: None) -> Iterator[None]:
    for _ in range(steps):
        done.append(name)
        at_step()
        yield


def all_steps(turns: Turns) -> None:
    while turns:
        turns.step()


def test_clients_take_turns_step_by_step() -> None:
    done: list[str] = []
    turns = Turns()
    for client, name in enumerate("abc"):
        turns.add(client, job(name, 3, done))
    all_steps(turns)
    assert "".join(done) == "abcabcabc"


def test_the_jobs_of_one_client_keep_their_order() -> None:
    done: list[str] = []
    turns = Turns()
    turns.add(1, job("a", 2, done))
    turns.add(1, job("b", 2, done))
    turns.add(2, job("x", 2, done))
    all_steps(turns)
    assert "".join(done).replace("x", "") == "aabb"
    assert done.index("x") < done.index("b")


def test_a_client_that_comes_during_a_step_goes_next() -> None:
    done: list[str] = []
    turns = Turns()
    turns.add(1, job("long", 10, done))
    turns.step()
    turns.add(2, job("short", 1, done))
    turns.step()
    assert done == ["long", "short"]


def test_no_client_waits_longer_than_one_step_of_each_other_client() -> None:
    done: list[str] = []
    turns = Turns()
    for client, name in enumerate("abcd"):
        turns.add(client, job(name, 20, done))
    all_steps(turns)
    for name in "abcd":
        places = [at for at, one in enumerate(done) if one == name]
        assert max(later - earlier for earlier, later in itertools.pairwise(places)) <= 4


def test_without_jobs_there_is_nothing_to_do() -> None:
    turns = Turns()
    assert not turns
    turns.step()
