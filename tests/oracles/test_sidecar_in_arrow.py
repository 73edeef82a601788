"""A sidecar is an Arrow file: pyarrow, which pandas reads it by, finds in it what was written."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

from analysis.hand_made import two_vocabularies
from oracles.oracle_parts import oracle
from shiftlens.scores.columns import float32, int32
from shiftlens.scores.sidecar.schema import NAMES
from sidecars import write_sidecar

TALK = "User: q\nAssistant: ab\n\nUser: r\nAssistant: cd\n"

oracle("pyarrow")


def table_of(path: Path) -> Any:
    table = importlib.import_module("pyarrow.feather").read_table(str(path))
    table.validate(full=True)
    return table


def test_pyarrow_reads_the_rows_and_what_is_said_of_them(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text(TALK, encoding="utf-8")
    table = table_of(write_sidecar(talk))
    assert tuple(table.schema.names) == NAMES
    assert json.loads(table.schema.metadata[b"shiftlens"])["models"]["base"]["name"] == "lab/base"
    rows = table.to_pylist()
    assert [row["text"] for row in rows] == ["a", "b", "</s>", "c", "d", "</s>"]
    assert [row["response"] for row in rows] == [0, 0, 0, 1, 1, 1]
    assert [row["base_rank"] for row in rows] == [9, 1, 1] * 2
    assert {row["base_rank_above"] for row in rows} == {None}
    assert rows[0]["aligned_top_tokens"] == [b" the", b"\xf0\x9f"]
    assert math.isclose(rows[0]["aligned_top_logprobs"][0], math.log(0.5), rel_tol=1e-6)


def test_pyarrow_reads_the_rows_of_two_vocabularies(tmp_path: Path) -> None:
    from shiftlens.scores.arrow.write import Batch, arrow_file
    from shiftlens.scores.sidecar.rest import Prefixes
    from shiftlens.scores.sidecar.rows import to_rows
    from shiftlens.scores.sidecar.schema import FIELDS

    scores = two_vocabularies()
    count, columns, _ = to_rows(0, scores, Prefixes())
    path = tmp_path / "two.arrow"
    path.write_bytes(arrow_file(FIELDS, {}, [Batch(count, [columns[name] for name in NAMES])]))
    rows = table_of(path).to_pylist()
    base = [row for row in rows if row["side"] == "base"]
    assert [row["base_id"] for row in base] == list(int32(scores.base.ids))
    assert [row["base_logprob"] for row in base] == list(float32(scores.base.logprob))
    assert {row["aligned_id"] for row in base} == {None}
    assert {row["kl"] for row in rows} == {None}
