"""Tables of positions as Arrow and Parquet, and what is said without pyarrow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analysis.hand_made import response, scored, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.position_table import COLUMNS, Row, rows
from shiftlens.errors import PackageError
from shiftlens.options.pair import ClassifyOptions
from shiftlens.report.arrow import ParquetWriter, arrow_table, need_pyarrow


def some_rows() -> list[Row]:
    found = build(response("=a?b"), scored([b"=a", b"?", b"b"], kl=[0.25, float("nan"), 1, 1]), ClassifyOptions())
    return list(rows("talk\udcff.txt", whole(found)))


def test_a_parquet_file_has_the_columns_with_their_types_and_all_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = tmp_path / "table.parquet"
    table = ParquetWriter(path, COLUMNS, {"schema": "shiftlens-positions/1"})
    given = some_rows()
    table.write(given[:1])
    table.write(given[1:])
    table.close()
    read = parquet.read_table(path)
    assert read.column_names == [column.name for column in COLUMNS]
    assert read.num_rows == len(given)
    assert read.schema.metadata[b"schema"] == b"shiftlens-positions/1"
    assert str(read.schema.field("base_rank").type) == "int64"
    assert read["token"].to_pylist()[0] == "=a"
    assert read["kl"].to_pylist()[1] is None
    assert read["file"].to_pylist()[0] == "talk\\udcff.txt"


def test_a_table_of_no_rows_has_its_columns() -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    assert arrow_table(COLUMNS, [], {}).num_rows == 0


def test_without_pyarrow_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(PackageError, match=r"pip install .shiftlens\[corpora\]"):
        need_pyarrow()
