"""The engine process: reads requests on one thread, does the jobs on another, ends when its client does."""

from __future__ import annotations

import functools
import gc
import os
import queue
import sys
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO

from shiftlens.engine.environment import LESS_URGENT
from shiftlens.engine.frames import encode_frame, read_request
from shiftlens.engine.protocol import Cancel, Forget, Job, MemoryReport, Reply, Unload
from shiftlens.engine.worker.allocator import keep_freed_memory
from shiftlens.engine.worker.turns import Turns
from shiftlens.engine.worker.urgency import be_less_urgent
from shiftlens.scoring.models.hub import stay_offline


class Inbox:
    """Jobs waiting, and the numbers of those that were cancelled."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job | Unload | Forget] = queue.Queue()
        self._cancelled: set[int] = set()

    def read_all(self, stream: BinaryIO) -> None:
        """Take requests until the client closes the stream, then end the process, in mid-score if need be.

        A client that died closes the stream as well, so no engine is left behind.
        """
        try:
            while (request := read_request(stream)) is not None:
                if isinstance(request, Cancel):
                    self._cancelled.add(request.job)
                else:
                    self._jobs.put(request)
        except Exception as error:
            print(f"The engine can't read its requests: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)

    def take(self, *, wait: bool) -> list[Job | Unload | Forget]:
        """The jobs that have come since the last time; with `wait` at least one."""
        taken = [self._jobs.get()] if wait else []
        while True:
            try:
                taken.append(self._jobs.get_nowait())
            except queue.Empty:
                return taken

    def is_cancelled(self, job: int) -> bool:
        return job in self._cancelled


def name_a_temporary_folder() -> None:
    """Have one named also on a full disk, where Python finds none: torch asks for the name when it is imported."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = str(Path.cwd())


def set_up_libraries() -> None:
    """Have libraries be silent, stay offline and keep little memory; they read this when they are imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    stay_offline()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # oneDNN compiles a kernel for each number of rows and keeps a thousand of them, torch does so again: hundreds of
    # megabytes, with the holes that they leave in the heap. Making one anew takes half a millisecond.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "64")


def main() -> None:
    """Serve jobs until standard input closes.

    Libraries and models may print: only the saved descriptor carries frames, whatever is written to standard output
    goes to standard error.
    """
    if LESS_URGENT in sys.argv[1:]:
        be_less_urgent()
    frames_out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    set_up_libraries()
    name_a_temporary_folder()
    keep_freed_memory()
    inbox = Inbox()
    threading.Thread(target=inbox.read_all, args=(sys.stdin.buffer,), daemon=True).start()

    def send(reply: Reply) -> None:
        try:
            frames_out.write(encode_frame(reply))
            frames_out.flush()
        except BrokenPipeError:
            os._exit(0)

    # Only here: the reading thread must be at work before the seconds that torch takes to import.
    from shiftlens.engine.worker.jobs import Worker

    # What was imported stays to the end: the collector, which takes 0.2 seconds to look at it, need not do so again.
    gc.freeze()
    worker = Worker(send, inbox.is_cancelled)
    turns = Turns(worker.session)
    reported = MemoryReport(kv_bytes=0, cuda_bytes=0)
    while True:
        for request in inbox.take(wait=not turns):
            turns.add(request.client, worker.steps(request), functools.partial(worker.needs, request))
        turns.step()
        if (memory := worker.memory()) != reported:
            send(reported := memory)
