"""Having a worker do a job whole, as the engine does it in steps."""

from __future__ import annotations

from shiftlens.engine.protocol import Forget, Job, Unload
from shiftlens.engine.worker.jobs import Worker


def do(worker: Worker, request: Job | Unload | Forget) -> None:
    """All steps of a job, one after another."""
    for _ in worker.steps(request):
        pass
