"""Memory of scoring a long response beyond the weights and the KV caches, in a process of its own.

In a process that has measured something else before, memory that was freed there and kept would hide what is taken.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from pathlib import Path

from registry import Bench, one

PROMPT, RESPONSE, K = 60, 4096, 10


def peak_extra_mib(_rounds: int) -> float:
    """The most resident memory while 4096 tokens over 151,936 ids are scored, less the pair and its caches."""
    done = subprocess.run([sys.executable, __file__], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.split()[-1])


BENCHES = (Bench({"peak_extra_mib": "<= 200"}, one("peak_extra_mib", peak_extra_mib), linux_only=True),)


def _measured() -> float:
    from shapes import make_pair, prepared, random_ids, score_rows

    from shiftlens.engine.worker.allocator import keep_freed_memory
    from shiftlens.scoring.passes.causal import open_model

    keep_freed_memory()
    pair = make_pair("qwen2.5-0.5b")
    base, aligned = open_model(pair.base), open_model(pair.aligned)
    prefix, ids = random_ids(PROMPT, pair.vocabulary, 2), random_ids(RESPONSE, pair.vocabulary, 3)
    gc.collect()
    before = _resident_mib()
    peak = _Peak()
    for _collector in score_rows(base, aligned, [prepared(prefix, ids)], K):
        pass
    config = pair.base.config
    size: int = config.hidden_size // config.num_attention_heads
    cache: int = 2 * 2 * 4 * config.num_hidden_layers * config.num_key_value_heads * size * (PROMPT + RESPONSE)
    return peak.stop() - before - cache / 2**20


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


class _Peak:
    """Samples the resident set on a thread until stopped."""

    def __init__(self) -> None:
        self._most = 0.0
        self._going = True
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while self._going:
            self._most = max(self._most, _resident_mib())
            time.sleep(0.01)

    def stop(self) -> float:
        self._going = False
        self._thread.join()
        return self._most


if __name__ == "__main__":
    print(_measured())
