"""Other tools' ways to a part of the same numbers, each over ours in one process.

They are installed, with the versions that peers.lock names, in an environment of their own under build/, where this
file is run again: `make bench` does both. One model each; both sides of our pass are that model, so half of it is its
share.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from registry import Bench

PYTHON = Path("build/peers/bin/python")
PROMPT, RESPONSE, K = 60, 257, 10
_LABEL = "found: "


def in_their_environment(rounds: int) -> dict[str, float]:
    """Run this file where the peers are installed."""
    if not PYTHON.exists():
        print("peers are not installed: run `make bench`, which does so", file=sys.stderr)
        return {}
    done = subprocess.run([PYTHON, __file__, str(rounds)], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.rpartition(_LABEL)[2])
    return found


BENCHES = (Bench({"minicons_speedup": ">= 4", "lmeval_speedup": ">= 1.0"}, in_their_environment),)


def _measured(rounds: int) -> dict[str, float]:
    from shapes import make_pair, prepared, score_rows
    from transformers import AutoTokenizer

    from shiftlens.bundled.paths import resolve_model_name
    from shiftlens.engine.worker.allocator import keep_freed_memory
    from shiftlens.options.pair import BUNDLED_BASE
    from shiftlens.scoring.passes.causal import open_model

    keep_freed_memory()
    # Opening a model makes its layers quicker: theirs is the other one.
    pair = make_pair("qwen2.5-0.5b")
    model, opened = pair.base, open_model(pair.aligned)
    # Any text does: what takes time is the width of the logits, not which ids are fed.
    tokenizer: Any = AutoTokenizer.from_pretrained(resolve_model_name(BUNDLED_BASE))
    words = "The quick brown fox jumps over the lazy dog. " * (PROMPT + RESPONSE)
    ids = tokenizer(words, add_special_tokens=False)["input_ids"][: PROMPT + RESPONSE - 1]
    prompt, response = tokenizer.decode(ids[:PROMPT]), tokenizer.decode(ids[PROMPT:])

    def ours(prefix: list[int], own: list[int]) -> Callable[[], None]:
        def work() -> None:
            for _collector in score_rows(opened, opened, [prepared(tuple(prefix), tuple(own))], K):
                pass

        return work

    minicons = _minicons(model, tokenizer)
    lmeval = _lmeval(model, tokenizer)
    text_ids = tokenizer(response, add_special_tokens=False)["input_ids"]
    return {
        "minicons_speedup": _ratio(lambda: minicons(response), ours(text_ids[:1], text_ids[1:]), rounds),
        "lmeval_speedup": _ratio(lambda: lmeval(prompt, response), ours(ids[:PROMPT], ids[PROMPT:]), rounds),
    }


def _minicons(model: Any, tokenizer: Any) -> Callable[[str], object]:
    """Log-probabilities and ranks of all tokens of a text."""
    from minicons.scorer import IncrementalLMScorer

    scorer = IncrementalLMScorer(model, "cpu", tokenizer=tokenizer)
    return lambda text: scorer.token_score([text], rank=True)


def _lmeval(model: Any, tokenizer: Any) -> Callable[[str, str], object]:
    """The log-probability of a response after a prompt, and whether it is greedy."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1)

    def score(prompt: str, response: str) -> object:
        return lm.loglikelihood([Instance("loglikelihood", {}, (prompt, response), 0)], disable_tqdm=True)

    return score


def _ratio(theirs: Callable[[], object], ours: Callable[[], object], rounds: int) -> float:
    def seconds(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    theirs(), ours()
    times = [(seconds(theirs), seconds(ours)) for _ in range(rounds)]
    return min(t for t, _ in times) / (min(o for _, o in times) / 2)


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        values = _measured(int(sys.argv[1]))
    print(_LABEL + json.dumps(values))
