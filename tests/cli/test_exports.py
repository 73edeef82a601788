"""`shiftlens analyze` for other programs: tables, LaTeX, and the gate."""

from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path

import pytest

from cli.test_analyze import shiftlens
from shiftlens.cli.main import main
from shiftlens.options.pair import PairSpec

pytestmark = pytest.mark.usefixtures("lasting_engines")

TALK = "User: What is 1+1?\n\nAssistant: =1+1 is 2, and @you know 'it'.\n\nUser: And?\n\nAssistant: Two.\n"


@pytest.fixture(scope="module")
def models(tiny_pair: PairSpec) -> list[str]:
    return ["--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--device", "cpu"]


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_table_has_the_numbers_of_the_json_and_its_formulas_are_told_of(talk: Path, models: list[str]) -> None:
    ran = shiftlens("analyze", talk, *models, "--format", "csv")
    read = list(csv.DictReader(io.StringIO(ran.out, newline="")))
    told = json.loads(shiftlens("analyze", talk, *models, "--format", "json").out)
    tokens = [token for response in told["responses"] for token in response["tokens"]]
    assert ran.code == 0
    assert len(read) == len(tokens)
    for row, token in zip(read, tokens, strict=True):
        assert row["class"] == token["class"]
        assert (int(row["start"]), int(row["end"])) == (token["start"], token["end"])
        assert int(row["base_rank"]) == token["base"]["rank"]
        assert float(row["kl"]) == token["kl"]
        assert bytes.fromhex(row["bytes"]).decode() == token["text"]
        assert not row["token"].startswith(("=", "@", "+", "-"))
    assert "would be read as a formula by a spreadsheet and got an apostrophe" in ran.err


@pytest.mark.slow
def test_a_table_in_a_file_is_whole_and_one_of_nothing_is_not_written(
    talk: Path, tmp_path: Path, models: list[str]
) -> None:
    out = tmp_path / "out.tsv"
    assert shiftlens("analyze", talk, *models, "--format", "tsv", "-o", out).code == 0
    whole = out.read_bytes()
    assert whole.startswith(b"file\tbase_model\t")
    ran = shiftlens("analyze", tmp_path / "absent.txt", *models, "--format", "tsv", "-o", out)
    assert ran.code == 1
    assert "Nothing could be analysed" in ran.err
    assert out.read_bytes() == whole
    assert list(tmp_path.glob(".*.part")) == []


@pytest.mark.slow
def test_a_parquet_file_has_the_reference_numbers_where_they_are_asked_for(
    talk: Path, tmp_path: Path, models: list[str]
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    out = tmp_path / "out.parquet"
    assert shiftlens("analyze", talk, *models, "--format", "parquet", "-o", out, "--compat", "aligntds").code == 0
    read = parquet.read_table(out)
    assert set(read["aligntds_tr"].to_pylist()) <= set(map(float, range(11)))
    assert None not in read["aligntds_ws"].to_pylist()


@pytest.mark.slow
def test_a_response_over_the_limit_ends_with_three_and_is_named_with_its_share(talk: Path, models: list[str]) -> None:
    table = list(csv.DictReader(io.StringIO(shiftlens("analyze", talk, *models, "--format", "csv").out, newline="")))
    ranks = [[int(row["base_rank"]) for row in table if row["response"] == response] for response in ("0", "1")]

    def shares_over(threshold: int) -> list[float]:
        return [sum(rank > threshold for rank in each) / len(each) for each in ranks]

    # A random pair shifts nearly all: the classes are chosen so that the two responses differ.
    threshold = max(itertools.chain(*ranks), key=lambda rank: abs(shares_over(rank)[0] - shares_over(rank)[1]))
    shares, classes = shares_over(threshold), ["--thresholds", f"{threshold},{threshold}"]
    between = (shares[0] + shares[1]) / 2
    over = shares.index(max(shares)) + 1
    ran = shiftlens("analyze", talk, *models, *classes, "--format", "latex", "--fail-over", str(between))
    assert ran.code == 3
    assert ran.out.endswith("\\end{document}\n")
    lines = [line for line in ran.err.splitlines() if " is over " in line]
    assert len(lines) == 1
    assert f"talk.txt: response {over}: {max(shares):.2%} shifted" in lines[0]
    assert shiftlens("analyze", talk, *models, *classes, "--fail-over", str(max(shares))).code == 0, (
        "just the limit is not over"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "parquet"], "name it with -o"),
        (["--format", "csv", "-o", "/nowhere/out.csv"], "no folder"),
        (["--fail-over", "10"], "share from 0 to 1"),
        (["--fail-over", "a lot"], "share from 0 to 1"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_loaded(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["analyze", "talk.txt", "--bundled", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
