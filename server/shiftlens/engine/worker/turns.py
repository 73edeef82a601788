"""Whose turn it is: the jobs of several clients, done step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Turns:
    """One step of a client's first job, then one of the next client's; the jobs of one client keep their order."""

    def __init__(self) -> None:
        self._jobs: dict[int, deque[Iterator[None]]] = {}
        self._last: int | None = None

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def add(self, client: int, job: Iterator[None]) -> None:
        self._jobs.setdefault(client, deque()).append(job)

    def step(self) -> None:
        """Do the next step, if there is one. What the job raises goes through."""
        # A client that came while the last one had its turn stands behind it, but goes first.
        client = next((c for c in self._jobs if c != self._last), self._last)
        if client is None or client not in self._jobs:
            return
        self._last = client
        jobs = self._jobs.pop(client)
        try:
            next(jobs[0])
        except StopIteration:
            jobs.popleft()
        if jobs:
            self._jobs[client] = jobs
