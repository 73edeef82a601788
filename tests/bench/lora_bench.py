"""Memory of a base and its adapter over that of the base alone.

Each is measured in a process of its own: the peak resident set, above that of a process that only imported the same
code. The base alone scores the text with our own stretches and blocks, one model; with the adapter, it is the whole
analysis of the pair.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from registry import Bench, one
from shapes import make_pair, prepared, random_ids

PROMPT, RESPONSE, K, RANK = 60, 257, 10, 16
_SHAPE = "qwen2.5-0.5b"


def lora_memory(_rounds: int) -> float:
    """Peak of scoring a base and its adapter over that of the base alone; 0.5B shape, rank 16 on every layer."""
    with tempfile.TemporaryDirectory() as folder:
        _measured("save", folder)
        nothing, alone, both = (_measured(what, folder) for what in ("nothing", "alone", "both"))
    return (both - nothing) / (alone - nothing)


BENCHES = (Bench({"lora_memory": "<= 1.15"}, one("lora_memory", lora_memory), linux_only=True),)


def _measured(what: str, folder: str) -> int:
    """Peak resident KiB of a process that does this."""
    done = subprocess.run([sys.executable, __file__, what, folder], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def _save(folder: Path) -> None:
    """A random base with the bundled pair's tokenizer beside it, and a LoRA adapter on all its linear layers."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer

    from shiftlens.bundled.paths import resolve_model_name
    from shiftlens.options.pair import BUNDLED_BASE

    base = make_pair(_SHAPE).base
    base.save_pretrained(folder / "base")
    AutoTokenizer.from_pretrained(resolve_model_name(BUNDLED_BASE)).save_pretrained(folder / "base")
    base.config.name_or_path = str(folder / "base")
    base.name_or_path = str(folder / "base")
    config = LoraConfig(r=RANK, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    get_peft_model(base, config).save_pretrained(str(folder / "adapter"))


@torch.inference_mode()
def _alone(folder: Path) -> None:
    from shiftlens.options.pair import PairSpec
    from shiftlens.scoring.models.loading import load_model
    from shiftlens.scoring.numbers.formulae import side_tensors
    from shiftlens.scoring.numbers.head import Blocks, even_slices
    from shiftlens.scoring.passes.causal import open_model

    base = str(folder / "base")
    model = open_model(load_model(base, PairSpec(base=base, aligned=base, device="cpu")).model)
    prompt, response = random_ids(PROMPT, 150_000, 2), random_ids(RESPONSE - 1, 150_000, 3)
    states, _cache = model.hidden_states(torch.tensor([[*prompt, *response]]), None)
    blocks = Blocks(model.vocabulary, model.device)
    rows, targets = states[0, PROMPT - 1 :], torch.tensor([*response, 0])
    for block in even_slices(RESPONSE, blocks.rows):
        tiles = model.tiles(rows[block], blocks.tiles(block.stop - block.start, model.vocabulary))
        side_tensors(tiles, targets[block], K, blocks.scratch)


def _both(folder: Path) -> None:
    from shapes import score_rows

    from shiftlens.options.pair import PairSpec
    from shiftlens.scoring.session import Session

    spec = PairSpec(base=str(folder / "base"), aligned=str(folder / "adapter"), device="cpu")
    ready = prepared(random_ids(PROMPT, 150_000, 2), random_ids(RESPONSE - 1, 150_000, 3))
    with Session().open(spec) as pair:
        for _collector in score_rows(pair.base.causal, pair.aligned.causal, [ready], K):
            pass


def _nothing(_folder: Path) -> None:
    import peft  # noqa: F401

    import shiftlens.scoring.session  # noqa: F401


if __name__ == "__main__":
    {"save": _save, "nothing": _nothing, "alone": _alone, "both": _both}[sys.argv[1]](Path(sys.argv[2]))
    # Not ru_maxrss, which begins with what the parent had.
    print(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0])
