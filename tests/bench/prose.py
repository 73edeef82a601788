"""Files of many responses of plain prose, for models and tokenizers that are really there."""

from __future__ import annotations

import json
import random
from pathlib import Path

from transformers import AutoTokenizer

from shiftlens.bundled.paths import resolve_model_name

_PROSE = Path(__file__).parents[2] / "server" / "training" / "facts"


def write_responses(path: Path, *, tokens: int, per_response: int = 200, seed: int = 0) -> Path:
    """A JSONL file of conversations whose responses have this many tokens of the bundled tokenizer together."""
    tokenizer = AutoTokenizer.from_pretrained(resolve_model_name("bundled:aligned"))
    order = random.Random(seed)  # noqa: S311
    words = " ".join(text.read_text(encoding="utf-8") for text in sorted(_PROSE.glob("*.txt"))).split()
    lines = []
    for number in range(tokens // per_response):
        start = order.randrange(len(words) - per_response)
        ids = tokenizer.encode(" ".join(words[start : start + per_response]), add_special_tokens=False)
        response = tokenizer.decode(ids[:per_response])
        asked = {"role": "user", "content": f"Question {seed}.{number}: what is there to say?"}
        lines.append(json.dumps({"messages": [asked, {"role": "assistant", "content": response}]}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
