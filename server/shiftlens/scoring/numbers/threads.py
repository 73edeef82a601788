"""How many threads take the products of a model on a CPU: all of them, or one where no product is worth sharing out.

Sharing out a product costs a wake-up of each thread and a wait for the slowest. Products of small matrices gain nothing
by that, and where other programs want the cores, each wait may be for a thread that the system has taken off its core.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable

import torch

SMALL_MATRIX = 1 << 20
"""Elements of a weight matrix. A chunk of 256 rows times one of so many is 270 million multiplications and additions,
some 3 ms of one core: below that, two threads were measured to take as long as one or hardly less. The bundled pair is
below it (its largest matrix is 4096 x 256); GPT-2 and every larger model is above."""

CHOSEN_BY_USER = "OMP_NUM_THREADS"
"""The environment variable by which a user says how many threads there are."""


def threads_for(largest: int, available: int, *, chosen: bool = False) -> int:
    """How many threads models take whose largest weight matrix has `largest` elements, of so many `available`.

    What the user has `chosen` is left as it is.
    """
    return available if chosen or largest > SMALL_MATRIX else 1


def largest_matrix(models: Iterable[torch.nn.Module]) -> int:
    """Elements of the largest weight matrix of models, their heads included, adapters too."""
    return max((weight.numel() for model in models for weight in model.parameters() if weight.dim() > 1), default=0)


def threads_of(models: Iterable[torch.nn.Module]) -> int:
    """On how many threads the products of these models are worth taking."""
    return threads_for(largest_matrix(models), _available(), chosen=bool(os.environ.get(CHOSEN_BY_USER)))


def use_threads(count: int) -> None:
    """Have this process take all products on so many threads, from now on."""
    if count != torch.get_num_threads():
        torch.set_num_threads(count)


@functools.cache
def _available() -> int:
    """As torch had it at first."""
    return torch.get_num_threads()
