"""The summary of a corpus as a Parquet table and as a page: the numbers of its JSON, and nothing that text can do."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.hand_made import of_parts, response, scored
from corpora.test_summary import found_of
from report.page_reader import PageReader
from report.test_page import HOSTILE
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.cli.main import main
from shiftlens.corpora.output import encoded
from shiftlens.corpora.record import CorpusRow, scored_row, unscored_row
from shiftlens.corpora.summary import rows_summary_json, summarise_rows
from shiftlens.corpora.summary_table import COLUMNS, summary_rows
from shiftlens.options.pair import ClassifyOptions, PairSpec
from shiftlens.report.corpus_page import render_corpus
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Part, PartKind, Role, Turn

PAIR = PairSpec(base="b", aligned="a")
DOCS = Path(__file__).parents[2] / "docs" / "corpora.md"


def analysed(pieces: list[bytes], ranks: list[int], turn: int = 0, *, masked: bool = False) -> ResponseAnalysis:
    mask = [1] * len(pieces) + [0] if masked else []
    scores = scored(pieces, base_ranks=ranks, kl=[0.1 * rank for rank in ranks], boundary=[0], loss_mask=mask)
    text = b"".join(pieces).decode("utf-8", "replace")
    return build(replace(response(text), turn_index=turn), scores, ClassifyOptions())


def in_parts() -> ResponseAnalysis:
    """Reasoning and an answer."""
    texts = ((PartKind.REASONING, "hm", 40), (PartKind.TEXT, "yes", 20))
    parts = tuple(Part(kind, text, SourceMap.verbatim(at, len(text))) for kind, text, at in texts)
    one = replace(response("hmyes"), turn=Turn(Role.ASSISTANT, parts))
    scores = scored([b"hm", b"yes"], base_ranks=[9, 1, 1], decoded={10: "the", 11: "a"})
    return build(one, of_parts(scores, (0, 1)), ClassifyOptions())


def corpus_rows() -> list[CorpusRow]:
    """Of two files and pairs, with parts, kinds, loss masks, unknown classes and a token that is no character."""
    other = PairSpec(base="b", aligned="=other")
    first, second = analysed([b"I", b" think", b"!"], [1, 9, 2, 9], 1), analysed([b"\xf0\x9f", b"\x98\x80"], [9, 9, 1])
    long = analysed([b"a"] * 40, [0, *[5] * 39, 1], 3, masked=True)
    return [
        scored_row(found_of("one", first), PAIR, first),
        scored_row(found_of("two,<b>", second), other, second),
        scored_row(found_of("one", long), PAIR, long),
        scored_row(found_of("one", in_parts()), PAIR, in_parts()),
        unscored_row(found_of("one", first), PAIR, "refused", "No."),
        unscored_row(found_of("one", first), PAIR, "not_scored", "By choice."),
    ]


def write(path: Path, rows: list[CorpusRow]) -> Path:
    path.write_bytes(b"".join(map(encoded, rows)))
    return path


def counts_of(row: dict[str, Any]) -> dict[str, Any]:
    """What the JSON has of counts, from a row of the table."""
    told = ("tokens", "unshifted", "marginal", "shifted", "flagged")
    names = ("unshifted", "marginal", "shifted")
    return {
        **{name: row[name] for name in told},
        **{name: row[name] for name in ("unknown", "realigned") if row[name]},
        "shares": {
            "tokens": sum(row[name] for name in names),
            **{name: row[f"{name}_share"] for name in names},
        },
        "shares_without_flagged": {
            "tokens": row["tokens_without_flagged"],
            **{name: row[f"{name}_share_without_flagged"] for name in names},
        },
    }


def summary_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """An object of the JSON from its rows, of which one is of no part, kind and mask."""
    (whole,) = (row for row in rows if not (row["part"] or row["kind"] or row["loss_mask"]))
    nested = {
        f"by_{name}": {row[name]: counts_of(row) for row in rows if row[name]} for name in ("part", "kind", "loss_mask")
    }
    return {**counts_of(whole), **{name: value for name, value in nested.items() if value}}


def token_of(row: dict[str, Any]) -> dict[str, Any]:
    text, raw = row["text"], bytes.fromhex(row["bytes"])
    more = {} if text.encode() == raw else {"bytes": row["bytes"]}
    return {"text": text, **more, "said": row["said"], "shifted": row["shifted"], "ratio": row["ratio"]}


def json_of(rows: list[dict[str, Any]], outputs: list[str]) -> dict[str, Any]:
    """The JSON of a summary from the rows of its table."""

    def of(table: str) -> list[dict[str, Any]]:
        return [row for row in rows if row["table"] == table]

    def grouped(table: str, *keys: str) -> list[dict[str, Any]]:
        groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in of(table):
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
        return [{**dict(zip(keys, key, strict=True)), **summary_of(found)} for key, found in groups.items()]

    counts = ("first", "past", "tokens", "unshifted", "marginal", "shifted")
    bins = (*counts, "with_kl", "mean_kl", "with_js", "mean_js_at_least")
    whole = of("all")[0]
    return {
        "schema": "shiftlens-corpus-summary/1",
        "outputs": outputs,
        **{name: whole[name] for name in ("responses", "refused", "not_scored")},
        **{name: whole[name] for name in ("one_model", "classes_by") if whole[name]},
        "summary": summary_of(of("all")),
        "by_tenth": [{name: row[name] for name in bins} for row in of("tenth")],
        "by_position": [{name: row[name] for name in bins} for row in of("position")],
        "by_turn": grouped("turn", "turn"),
        "by_file": grouped("file", "file"),
        "by_models": grouped("models", "base", "aligned"),
        "tokens": [token_of(row) for row in of("token")],
        "different_tokens_shifted": whole["different_tokens_shifted"],
    }


def test_a_parquet_table_read_back_is_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `corpora` is not installed")
    out, table = write(tmp_path / "out.jsonl", corpus_rows()), tmp_path / "summary.parquet"
    assert main(["corpus-summary", str(out), "--format", "parquet", "-o", str(table), "--limit", "5"]) == 0
    assert main(["corpus-summary", str(out), "--format", "json", "--limit", "5"]) == 0
    told = json.loads(capsys.readouterr().out)
    read = parquet.read_table(table)
    about = {key.decode(): value.decode() for key, value in read.schema.metadata.items()}
    assert about["schema"] == "shiftlens-corpus-summary-table/1"
    assert json_of(read.to_pylist(), json.loads(about["outputs"])) == told
    assert {"by_part", "by_kind", "by_loss_mask"} <= told["summary"].keys()
    assert len(told["by_models"]) == len(told["by_file"]) == 2
    types = {"text": "string", "integer": "int64", "number": "double", "flag": "bool"}
    assert [(field.name, str(field.type)) for field in read.schema] == [(c.name, types[c.type]) for c in COLUMNS]


def test_the_rows_of_no_responses_at_all_are_the_json_of_none() -> None:
    found = summarise_rows([])
    rows = [dict(zip((column.name for column in COLUMNS), row, strict=True)) for row in summary_rows(found, 5)]
    assert json_of(rows, []) == rows_summary_json(found, [], 5)


def test_each_column_of_the_table_is_documented() -> None:
    section = DOCS.read_text(encoding="utf-8").partition("## The summary")[2]
    documented = set(re.findall(r"`(\w+)`", section))
    assert [column.name for column in COLUMNS if column.name not in documented] == []


def page_of(rows: list[CorpusRow], *outputs: str, limit: int = 20) -> PageReader:
    return PageReader(render_corpus(summarise_rows(rows), outputs or ("out.jsonl",), limit))


def test_the_page_has_the_shares_the_curves_and_the_tokens_of_the_summary() -> None:
    page = page_of(corpus_rows())
    tables = {table.text.split("\n")[1]: table.text for table in page.all("table", "shares")}
    assert [title.partition("positions")[0] for title in tables] == [
        "tenth of the response",
        "position",
        "turn",
        "file",
        "base and aligned model",
    ]
    assert all(("mean KL" in title) == ("mean JS" in title) == (at < 2) for at, title in enumerate(tables))
    assert any("b, =other" in text for text in tables.values())
    titles = [chart.attributes["aria-label"] or "" for chart in page.all("svg", "chart")]
    assert sum(title.startswith("Mean KL") for title in titles) == 1
    assert sum(title.startswith("Mean Jensen-Shannon") for title in titles) == 1
    assert "a3939100.0%" in page.all("table", "ratios")[0].text
    assert "6 of 2 files; 1 refused; 1 not scored by choice" in page.all("dl")[0].text


def test_the_page_shows_so_many_files_and_tokens_and_says_how_many_more_there_are() -> None:
    page = page_of(corpus_rows(), limit=1)
    remarks = [remark.text for remark in page.all("p", "remark")]
    assert "and 1 more" in remarks
    assert any(remark.startswith("and ") and remark != "and 1 more" for remark in remarks)


def test_the_page_lets_in_its_own_style_and_runs_nothing() -> None:
    page = page_of(corpus_rows())
    (policy,) = (e for e in page.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy")
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-\S+'; base-uri 'none'; form-action 'none'",
        policy.attributes["content"] or "",
    )
    assert not page.all("script")
    assert not [e for e in page.elements if e.attributes.keys() & {"src", "href", "style", "onclick", "action"}]


@settings(max_examples=20)
@given(st.text(max_size=20))
def test_no_text_of_a_token_a_file_or_a_model_becomes_anything_but_text(text: str) -> None:
    said = (HOSTILE + text).encode("utf-8", "replace")

    def rows(piece: bytes, file: str, pair: PairSpec) -> list[CorpusRow]:
        found = analysed([piece, b"zzz"], [9, 2, 1])
        return [scored_row(found_of(name, found), pair, found) for name in (file, "other")]

    plain = page_of(rows(b"xxx", "one", PAIR))
    pair = PairSpec(base=HOSTILE + text, aligned=HOSTILE)
    hostile = page_of(rows(said, HOSTILE + text, pair), HOSTILE + text)
    assert [e.tag for e in hostile.elements] == [e.tag for e in plain.elements]
    assert [sorted(e.attributes) for e in hostile.elements] == [sorted(e.attributes) for e in plain.elements]
    values = (value or "" for e in hostile.elements for value in e.attributes.values())
    everything = "".join([hostile.elements[0].text, *values])
    assert "\u202e" not in everything
    assert "\x1b" not in everything
    assert "<script>alert" in hostile.all("table", "ratios")[0].text.replace("␣", " ")


def test_a_summary_is_never_written_over_what_it_sums_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write(tmp_path / "out.jsonl", corpus_rows())
    before = out.read_bytes()
    for name in ("text", "json", "html", "parquet"):
        with pytest.raises(SystemExit) as ended:
            main(["corpus-summary", str(out), "--format", name, "-o", str(tmp_path / "." / "out.jsonl")])
        assert ended.value.code == 2
        assert "is to be summed up, and would be written over" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_a_parquet_table_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["corpus-summary", str(write(tmp_path / "out.jsonl", corpus_rows())), "--format", "parquet"])
    assert "name it with -o" in capsys.readouterr().err


def test_a_page_is_written_whole_to_the_file_that_is_named(tmp_path: Path) -> None:
    out, page = write(tmp_path / "out.jsonl", corpus_rows()), tmp_path / "summary.html"
    assert main(["corpus-summary", str(out), "--format", "html", "-o", str(page)]) == 0
    assert PageReader(page.read_text(encoding="utf-8")).all("h1")[0].text == "Token distribution shift of a corpus"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "summary.html"]
