"""How many threads take the products of a pair."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from shiftlens.scoring.numbers import threads
from shiftlens.scoring.numbers.threads import CHOSEN_BY_USER, SMALL_MATRIX, threads_for, threads_of, use_threads


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine of two threads, on which nobody has chosen how many are used."""
    before = torch.get_num_threads()
    monkeypatch.delenv(CHOSEN_BY_USER, raising=False)
    torch.set_num_threads(2)
    threads._available.cache_clear()
    yield
    threads._available.cache_clear()
    torch.set_num_threads(before)


def matrix(elements: int) -> torch.nn.Module:
    return torch.nn.Linear(elements // 1024, 1024, device="meta")


def test_models_of_small_matrices_stay_on_one_thread() -> None:
    assert threads_for(SMALL_MATRIX, 8) == 1
    assert threads_of([matrix(SMALL_MATRIX), matrix(1024)]) == 1


def test_one_large_matrix_of_one_model_takes_all_threads() -> None:
    assert threads_for(SMALL_MATRIX + 1, 8) == 8
    assert threads_of([matrix(1024), matrix(SMALL_MATRIX + 1024)]) == 2


def test_all_threads_are_there_again_for_a_larger_pair() -> None:
    use_threads(threads_of([matrix(1024)]))
    assert torch.get_num_threads() == 1
    use_threads(threads_of([matrix(2 * SMALL_MATRIX)]))
    assert torch.get_num_threads() == 2


def test_what_the_user_has_chosen_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHOSEN_BY_USER, "2")
    assert threads_of([matrix(1024)]) == 2
