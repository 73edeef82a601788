"""Make the bundled pair: `python server/training/train.py --out DIR --seed 0`.

Writes DIR/base, DIR/aligned, DIR/transcripts and DIR/held_out.json. Uses a GPU if there is one; runs on a CPU. The same
seed gives the same models on the same machine with the same Python, library versions and number of threads.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path

import torch
from conversations import conversations, held_out_questions
from corpus import documents
from evaluate import as_markdown, load_pair, measure, score
from knowledge import Entity, load_entities
from make_transcripts import write_all
from model_cards import Run, write_cards
from pretrain import pretrain
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM
from tune import tune
from vocabulary import save_tokenizers, train_tokenizer

_TOKENIZER_DOCUMENTS = 20_000
_PRETRAINING = "pretraining.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=900, help="pretraining steps of 4,096 tokens")
    parser.add_argument("--epochs", type=int, default=2, help="passes over the conversations")
    parser.add_argument("--tuning-rate", type=float, default=3e-4, help="peak learning rate of the tuning")
    parser.add_argument("--reuse-base", action="store_true", help="tune the base that DIR already holds")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    entities = load_entities()
    if not args.reuse_base:
        make_base(args.out, entities, args.seed, args.steps, device)
    talks, minutes = make_aligned(args.out, entities, args.seed, args.epochs, args.tuning_rate, device)
    past = json.loads((args.out / _PRETRAINING).read_text(encoding="utf-8"))
    run = Run(
        seed=past["seed"],
        steps=past["steps"],
        epochs=args.epochs,
        rate=args.tuning_rate,
        talks=talks,
        entities=len(entities),
        held_out=sum(entity.held_out for entity in entities),
        device=past["device"],
        base_minutes=past["minutes"],
        tuning_minutes=minutes,
    )
    finish(args.out, entities, run)


def make_base(out: Path, entities: tuple[Entity, ...], seed: int, steps: int, device: str) -> None:
    """Write the tokenizers and the base model, and how long that took."""
    start = time.monotonic()
    tokenizer = train_tokenizer(itertools.islice(documents(seed, entities), _TOKENIZER_DOCUMENTS))
    model = pretrain(seed, entities, tokenizer, steps, device)
    torch.nn.Module.to(model, torch.bfloat16)
    model.save_pretrained(out / "base")
    save_tokenizers(tokenizer, out / "base", out / "aligned")
    where = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} CPU threads"
    past = {"seed": seed, "steps": steps, "minutes": (time.monotonic() - start) / 60, "device": where}
    (out / _PRETRAINING).write_text(json.dumps(past) + "\n", encoding="utf-8")


def make_aligned(
    out: Path, entities: tuple[Entity, ...], seed: int, epochs: int, rate: float, device: str
) -> tuple[int, float]:
    """Tune the saved base and write the aligned model; the number of conversations and the minutes it took."""
    start = time.monotonic()
    torch.manual_seed(seed)
    tokenizer = Tokenizer.from_file(str(out / "aligned" / "tokenizer.json"))
    base = LlamaForCausalLM.from_pretrained(out / "base", dtype=torch.float32)
    torch.nn.Module.to(base, device)
    talks = conversations(seed, entities)
    aligned = tune(base, tokenizer, talks, epochs=epochs, learning_rate=rate, device=device)
    torch.nn.Module.to(aligned, torch.bfloat16)
    aligned.save_pretrained(out / "aligned")
    return len(talks), (time.monotonic() - start) / 60


def finish(out: Path, entities: tuple[Entity, ...], run: Run) -> None:
    """Measure the saved pair, write the cards and the transcripts, and print the finding."""
    pair = load_pair(out / "base", out / "aligned")
    finding = measure(pair, [score(pair, query) for query in held_out_questions(entities)])
    print(as_markdown(finding))
    write_cards(run, finding, out / "base", out / "aligned")
    write_all(pair, out)


if __name__ == "__main__":
    main()
