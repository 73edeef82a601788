"""Positions as AlignTDS's own scripts save them, with both models' candidates, as a site without any model.

No such file is published. So these are made of its published records as its scripts make them, under the bundled pair.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oracles.aligntds_records import (
    FENCED,
    KEPT,
    MARKS,
    NAMED,
    OWN_FUNCTION,
    Site,
    answer_of,
    decoded,
    held_against,
    plain_logprobs,
    records_of,
    tokenizer,
)
from oracles.plain_aligntds import Candidate, class_of, numbers, numbers_by
from report.page_reader import PageReader
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE
from shiftlens.text.visible import harmless

SAVED = 20
FLOAT32 = 1e-5

pytestmark = MARKS


def saved_by_the_reference(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the reference's scripts make of a record under the bundled pair: candidates and prefixes, by position."""
    answer, ends = answer_of(record)
    ids = tokenizer(BUNDLED_ALIGNED).encode(answer, add_special_tokens=False)
    rows = len(ids) + ends
    fenced = FENCED.format(record["pure_input"])
    sides = {}
    for side, name, prompt in (
        ("formatted_base", BUNDLED_BASE, fenced),
        ("formatted_inst", BUNDLED_ALIGNED, record["input"]),
    ):
        prefix = tokenizer(name).encode(prompt)
        top = plain_logprobs(name, prefix, ids, rows).topk(KEPT)
        sides[side] = {
            f"position_{at}": {
                "selected_token": decoded(tokens[0]).replace("\n", "\\n"),
                "candidates": [
                    {"token_id": token, "token": decoded(token), "logit": logprob + 5, "prob": math.exp(logprob)}
                    for token, logprob in zip(tokens, logprobs, strict=True)
                ],
                "prefix": tokenizer(name).decode([*prefix, *ids[:at]]),
            }
            for at, (tokens, logprobs) in enumerate(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        }
    return {"id": 0, "prompt": fenced, "probe_text": answer, **sides, "instruct_output": record["output"][0]}


def test_positions_saved_by_the_references_scripts_keep_its_numbers(tmp_path: Path) -> None:
    records = sorted(records_of(Path(NAMED)), key=lambda record: len(record["output"][0]))[:SAVED]
    made = [saved_by_the_reference(record) for record in records]
    (tmp_path / "positions.json").write_text(json.dumps(made), encoding="utf-8")
    line = [
        sys.executable,
        "-m",
        "shiftlens",
        "site",
        tmp_path / "positions.json",
        "--scores",
        "saved",
        "--max-bytes",
        "1000000000",
    ]
    done = subprocess.run([*map(str, line), "-o", str(tmp_path / "site")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    site = Site(records, (), tmp_path / "site")
    for at, record in enumerate(made):
        wanted = []
        for base, aligned in zip(record["formatted_base"].values(), record["formatted_inst"].values(), strict=True):
            sides = [
                [Candidate(each["token_id"], each["token"], each["logit"]) for each in side["candidates"]]
                for side in (base, aligned)
            ]
            wanted.append(numbers(*sides) if OWN_FUNCTION is None else numbers_by(OWN_FUNCTION, *sides))
        # What is kept of the saved logits are float32 logprobs.
        held_against(wanted, site.table(at), FLOAT32)
        page = PageReader(site.page(at))
        assert page.all("div", "query")[0].text == harmless(records[at]["pure_input"])
        scores = page.json("scores")
        assert scores["class"] == [class_of(each["TR@10"]) for each in wanted]
        assert "".join(scores["said"]) == harmless(answer_of(records[at])[0])
