"""AlignTDS's published records, where they are named, and a site of them with the scores that it is of."""

from __future__ import annotations

import csv
import importlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from oracles.plain_aligntds import NAMES, Candidate, own_function
from shiftlens.bundled.paths import resolve_model_name
from shiftlens.options.pair import BUNDLED_ALIGNED

NAMED = os.environ.get("SHIFTLENS_ALIGNTDS", "")
OWN_FUNCTION = own_function(Path(NAMED)) if NAMED else None
"""The function by which AlignTDS compares two lists of candidates, where a checkout is named."""
MARKS = [
    pytest.mark.slow,
    pytest.mark.timeout(3 * 3600),
    pytest.mark.skipif(not NAMED, reason="SHIFTLENS_ALIGNTDS names no records: see `make oracle-aligntds`"),
]
END = "</s>"
FENCED = "# Query: \n ```{}``` \n\n \n# Answer: \n ```"
KEPT = 30
MODEL_TAKES = 2048
COLUMNS = dict(zip(NAMES, ("kl", "jaccard", "ws", "tr", "tp", "btp", "ndcg"), strict=True))
ROUNDING = 1e-9


def records_of(named: Path) -> list[dict[str, Any]]:
    """The records of a file, or of the one file of a checkout that holds any."""
    if named.is_dir():
        (named,) = (named / "data").glob("*.json")
    found: list[dict[str, Any]] = json.loads(named.read_text(encoding="utf-8"))
    assert all(record.keys() >= {"pure_input", "input", "output"} for record in found)
    return found


def answer_of(record: Mapping[str, Any]) -> tuple[str, bool]:
    """What the aligned model answered, and whether it came to its end."""
    (text,) = record["output"]
    return text.removesuffix(END), text.endswith(END)


@dataclass(frozen=True)
class Row:
    """A position as its scores were saved: the token's bytes, and the candidates of both models with their bytes."""

    base: tuple[Candidate, ...]
    aligned: tuple[Candidate, ...]
    base_bytes: tuple[bytes, ...]
    aligned_bytes: tuple[bytes, ...]


@cache
def tokenizer(name: str) -> Any:
    return AutoTokenizer.from_pretrained(resolve_model_name(name))


@cache
def decoded(token: int) -> str:
    """One id alone as a string, as AlignTDS decodes each candidate."""
    return str(tokenizer(BUNDLED_ALIGNED).decode([token]))


@dataclass(frozen=True)
class Site:
    """A site with the scores that it is of. `files` are the transcripts, `PER_FILE` records each."""

    records: Sequence[Mapping[str, Any]]
    files: Sequence[Path]
    folder: Path

    def page(self, number: int) -> str:
        return (self.folder / "pages" / f"{number}.html").read_text(encoding="utf-8")

    def table(self, number: int) -> list[dict[str, str]]:
        with (self.folder / "data" / f"{number}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def rows(self) -> Iterator[list[Row]]:
        """The saved scores of each record in turn."""
        for file in self.files:
            sidecar = importlib.import_module("pyarrow").ipc.open_file(str(file) + ".shiftlens.arrow")
            for at in range(sidecar.num_record_batches):
                batch = sidecar.get_batch(at)
                columns = [
                    batch.column(f"{side}_top_{what}").to_pylist()
                    for side in ("base", "aligned")
                    for what in ("ids", "logprobs", "tokens")
                ]
                yield [_row(*cells) for cells in zip(*columns, strict=True)]


def _row(*cells: Any) -> Row:
    (base_ids, base_logprobs, base_bytes, aligned_ids, aligned_logprobs, aligned_bytes) = cells
    return Row(
        tuple(Candidate(i, decoded(i), logit) for i, logit in zip(base_ids, base_logprobs, strict=True)),
        tuple(Candidate(i, decoded(i), logit) for i, logit in zip(aligned_ids, aligned_logprobs, strict=True)),
        tuple(base_bytes),
        tuple(aligned_bytes),
    )


@cache
def model(name: str) -> Any:
    return AutoModelForCausalLM.from_pretrained(resolve_model_name(name), dtype=torch.float32)


@torch.inference_mode()
def plain_logprobs(name: str, prefix: Sequence[int], ids: Sequence[int], rows: int) -> torch.Tensor:
    """[r, V] logprobs of the first `rows` positions of a response, of those at most that see all of their context."""
    fed = [*prefix, *ids][:MODEL_TAKES]
    logits = model(name)(torch.tensor([fed])).logits[0, len(prefix) - 1 :][:rows]
    return torch.log_softmax(logits.double(), dim=-1)


def held_against(
    wanted: Sequence[Mapping[str, float]], table: Sequence[Mapping[str, str]], rounding: float = ROUNDING
) -> None:
    assert len(wanted) == len(table)
    for values, cells in zip(wanted, table, strict=True):
        assert list(values) == list(NAMES)
        for name, value in values.items():
            told = float(cells[f"aligntds_{COLUMNS[name]}"])
            is_near = math.isclose(told, value, rel_tol=rounding, abs_tol=rounding)
            assert is_near, f"{name} of position {cells['position']} is {told}, not {value}"
