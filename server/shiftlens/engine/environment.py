"""What the engine process is given at its start: an argument, and its environment. No torch here."""

from __future__ import annotations

from collections.abc import Mapping

LESS_URGENT = "--less-urgent"
"""The argument by which an engine process makes way for other programs; see `worker.urgency`."""

WAIT_POLICY = "OMP_WAIT_POLICY"
_PASSIVE = "passive"
_ABOUT_WAITING = (WAIT_POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
"""By any of these a user says how threads of OpenMP wait: of the standard, of GNU's library, of LLVM's and Intel's."""


def with_wait_policy(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which threads that wait for another one sleep, unless the user has said how they wait.

    Waiting threads otherwise spin. On a machine that others use, the thread that they wait for may be off its core,
    and spinning keeps it off. The library reads this once, when torch loads it.
    """
    if any(name in environment for name in _ABOUT_WAITING):
        return dict(environment)
    return {**environment, WAIT_POLICY: _PASSIVE}


def wait_policy_in_words(environment: Mapping[str, str]) -> str:
    """What an environment says of waiting threads, as `NAME=value`, for a report."""
    said = [f"{name}={environment[name]}" for name in _ABOUT_WAITING if name in environment]
    return ", ".join(said) or "not set"
