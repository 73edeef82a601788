"""Tables of positions as CSV and TSV: whole, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import response, scored, whole
from analysis.test_one_model import analysed, of_file
from shiftlens.analysis.classify import build
from shiftlens.analysis.position_table import COLUMNS, Column, columns, rows
from shiftlens.options.pair import ClassifyOptions
from shiftlens.report.delimited import DelimitedWriter

TEXTS = st.text(max_size=12) | st.text(alphabet="=+-@\t\r\n,;\"'|\0＝a\ud800", max_size=6)


def written(texts: list[str], delimiter: Literal[",", "\t"] = ",") -> tuple[list[list[str]], int]:
    """The cells that a reader of CSV sees, and how many were neutralised."""
    out = io.StringIO(newline="")
    table = DelimitedWriter(out, [Column("a", "text"), Column("b", "number")], delimiter)
    table.write((text, -0.5) for text in texts)
    read = list(csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter))
    return read, table.neutralised


@given(st.lists(TEXTS, max_size=4), st.sampled_from([",", "\t"]))
def test_a_cell_of_text_never_begins_a_formula_and_gives_its_text_back(
    texts: list[str], delimiter: Literal[",", "\t"]
) -> None:
    read, neutralised = written(texts, delimiter)
    assert read[0] == ["a", "b"]
    cells = [row[0] for row in read[1:]]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")) for cell in cells)
    back = [cell[1:] if cell.startswith("'") else cell for cell in cells]
    assert back == [text.replace("\0", "␀").encode("utf-8", "backslashreplace").decode() for text in texts]
    assert neutralised == sum(cell.startswith("'") for cell in cells)


def test_numbers_are_no_text_and_keep_their_sign() -> None:
    read, neutralised = written(["=1+1"])
    assert read[1] == ["'=1+1", "-0.5"]
    assert neutralised == 1


def test_a_row_tells_of_a_position_what_the_json_does() -> None:
    found = build(
        response("=a\n"),
        scored([b"=a", b"\n"], base_ranks=[9, 2, 1], boundary=(0,), kl=[0.25, float("nan"), 0.5], loss_mask=[1, 0, 2]),
        ClassifyOptions(),
    )
    first, second, end = (
        dict(zip((column.name for column in COLUMNS), row, strict=True)) for row in rows("talk.txt", whole(found))
    )
    assert (first["file"], first["base_model"], first["aligned_model"]) == ("talk.txt", "b", "a")
    assert (first["token"], first["bytes"], first["start"], first["end"]) == ("=a", "3d61", 100, 102)
    assert (first["class"], first["base_rank"], first["boundary"]) == ("shifted", 9, True)
    assert (second["class"], second["kl"], second["kind"]) == ("marginal", None, "format")
    assert [row["loss_mask"] for row in (first, second, end)] == [True, False, None]
    assert (end["end_of_response"], end["bytes"], end["base_id"], end["aligned_id"]) == (True, None, 1, 2)
    assert first["logprob_difference"] == 0.0
    # The two lists of candidates are the same.
    assert first["js_at_least"] == pytest.approx(0, abs=1e-9)
    assert first["jaccard_at_10"] == 1.0


def test_of_one_model_alone_what_takes_two_is_empty() -> None:
    row = next(rows("a.json", of_file(analysed())))
    first = dict(zip((column.name for column in COLUMNS), row, strict=True))
    empty = ("base_model", "id", "boundary", "special", "realigned", "shortened", "base_rank", "base_top", "kl")
    assert [first[name] for name in (*empty, "js_at_least", "logprob_difference")] == [None] * 11
    assert (first["aligned_model"], first["class"], first["aligned_rank"]) == ("some-model", "unshifted", 1)


def test_every_value_is_of_the_type_of_its_column() -> None:
    types: dict[str, tuple[type, ...]] = {"text": (str,), "integer": (int,), "number": (int, float), "flag": (bool,)}
    found = build(
        response("ab"), scored([b"a", b"b"], decoded={10: "the", 11: "a"}), ClassifyOptions(), compat="aligntds"
    )
    wanted = columns("aligntds")
    for row in rows("talk.txt", whole(found), "aligntds"):
        assert len(row) == len(wanted)
        for column, value in zip(wanted, row, strict=True):
            assert value is None or isinstance(value, types[column.type]), column
            assert isinstance(value, bool) == (column.type == "flag") or value is None


def test_the_page_on_exports_describes_every_column() -> None:
    page = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    assert [column.name for column in columns("aligntds") if f"`{column.name}`" not in page] == []
