"""Corpora that hold logprobs themselves: read as a stream, with no model and no engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest

from analysis.test_one_model import NO_NUMBERS_OF_A_PAIR
from corpora.test_summary_files import corpus_rows, json_of
from report.page_reader import PageReader
from saved.files import MODEL, Row, chat
from saved.test_aligntds import record
from shiftlens.analysis.classify import build
from shiftlens.analysis.contract import summary_json
from shiftlens.analysis.json_values import class_name
from shiftlens.analysis.model import ResponseAnalysis, ShiftClass
from shiftlens.cli.main import main
from shiftlens.corpora.output import encoded, read_output
from shiftlens.corpora.record import CorpusRow
from shiftlens.corpora.summary import rows_summary_json, summarise_rows
from shiftlens.corpora.summary_table import COLUMNS, summary_rows
from shiftlens.engine.client import EngineClient
from shiftlens.options.pair import ClassifyOptions, ScoreOptions
from shiftlens.pipeline.saved_work import plan_saved_work
from shiftlens.report.corpus_page import render_corpus
from shiftlens.scores.records import OneModelScores, ScoredResponse
from shiftlens.transcripts.read import read

WORDS = (b"Sure", b"!", b" Air")


def answered(number: int) -> dict[str, object]:
    """A chat whose answer is the model's first choice but for its second token, which is its third."""
    said = f"{number}".encode()
    tokens = [*WORDS, said]
    rows = []
    for at, data in enumerate(tokens):
        top: tuple[tuple[int, bytes, float], ...] = ((at, data, -0.25), (50, b"x", -2.0), (51, b"y", -3.0))
        if at == 1:
            top = ((50, b"x", -0.5), (51, b"y", -1.25), (at, data, -3.0))
        rows.append(Row(at, data, next(value for _, own, value in top if own == data), top))
    return chat(b"".join(tokens).decode(), rows, 3)


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Chats of which one has no logprobs, and AlignTDS's records of both models, where no engine can be had."""

    def run(*_: object) -> NoReturn:
        raise AssertionError("no model is needed")

    monkeypatch.setattr(EngineClient, "run", run)
    without = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "No."}]}
    records = [answered(0), {"request": without, "response": _without_logprobs(answered(1))}, answered(2)]
    chats, pairs = tmp_path / "chats.jsonl", tmp_path / "pairs.json"
    chats.write_text("".join(f"{json.dumps(each)}\n" for each in records), encoding="utf-8")
    pairs.write_text(record(), encoding="utf-8")
    return [str(chats), str(pairs)]


def _without_logprobs(chat: dict[str, object]) -> object:
    response: Any = json.loads(json.dumps(chat["response"]))
    response["choices"][0]["logprobs"] = None
    return response


def run_corpus(corpus: list[str], out: Path) -> list[CorpusRow]:
    assert main(["corpus", *corpus, "--scores", "saved", "-o", str(out)]) == 1
    return list(read_output(out))


def analyses(path: str) -> list[ResponseAnalysis | None]:
    """What `analyze --scores saved` makes of a file; None for a response that is refused."""
    transcript = read(Path(path).read_text(encoding="utf-8"), filename=path)
    assert transcript is not None
    work = plan_saved_work(transcript, ScoreOptions())
    found: list[ResponseAnalysis | None] = []
    for response, known in zip(transcript.responses, work.result_of_each(), strict=True):
        scored = None if known is None else known.outcome
        is_scored = isinstance(scored, (OneModelScores, ScoredResponse))
        compat = work.options.compat
        found.append(build(response, scored, ClassifyOptions(), compat=compat) if is_scored else None)  # type: ignore[arg-type]
    return found


def test_rows_have_the_classes_and_numbers_that_analyze_gives(
    corpus: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = run_corpus(corpus, tmp_path / "out.jsonl")
    expected = [each for path in corpus for each in analyses(path)]
    assert [row.status for row in rows] == ["scored", "refused", "scored", "scored"]
    assert [row.classes_by for row in rows] == ["own-rank", None, "own-rank", None]
    for row, analysis in zip(rows, expected, strict=True):
        if analysis is None:
            continue
        assert row.tokens.class_ == [class_name(ShiftClass(shift)) for shift in analysis.classes]
        assert row.text == analysis.text == "".join(row.tokens.text)
        assert row.summary.tokens == analysis.summary.tokens
        assert row.notes == list(analysis.notes)
    first, refused, _, pair = rows
    assert (first.base, first.aligned) == ("", MODEL)
    assert first.tokens.aligned_rank == [1, 3, 1, 1]
    assert first.tokens.base_rank == first.tokens.kl == [None] * 4
    assert first.tokens.id[0] is None
    assert refused.why == "The file holds no logprobs of this response."
    assert any(rank is not None for rank in pair.tokens.base_rank)
    assert "1 row refused" in capsys.readouterr().err


def test_parquet_has_the_rows_of_json_lines(corpus: list[str], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra `corpora` is not installed")
    lines = run_corpus(corpus, tmp_path / "out.jsonl")
    rows = run_corpus(corpus, tmp_path / "out.parquet")
    assert [rounded(json.loads(encoded(row))) for row in rows] == [rounded(json.loads(encoded(row))) for row in lines]


def rounded(value: Any) -> Any:
    """Numbers that are float32 in Parquet."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 5) if isinstance(value, float) else value


def test_a_run_with_models_does_not_go_on_with_one_of_saved_scores(
    corpus: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_corpus(corpus, tmp_path / "out.jsonl")
    capsys.readouterr()
    assert main(["corpus", *corpus, "--bundled", "-o", str(tmp_path / "out.jsonl")]) == 1
    assert "scores was saved and is not there" in capsys.readouterr().err


def test_models_and_saved_scores_are_not_both_to_be_had(corpus: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["corpus", *corpus, "--scores", "saved", "--bundled", "-o", str(tmp_path / "out.jsonl")])
    assert ended.value.code == 2


def chats_of(corpus: list[str], tmp_path: Path) -> list[CorpusRow]:
    return run_corpus(corpus[:1], tmp_path / "chats.out.jsonl")


def test_a_summary_of_one_model_alone_says_so_in_every_format(
    corpus: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = chats_of(corpus, tmp_path)
    found = summarise_rows(rows)
    told = rows_summary_json(found, ["out"], 20)
    assert told["classes_by"] == "own-rank"
    assert (told["responses"], told["refused"]) == (3, 1)
    assert told["summary"] == summary_json(found.corpus.whole)
    assert [(row["base"], row["aligned"]) for row in told["by_models"]] == [("", MODEL)]  # type: ignore[attr-defined]
    values = [dict(zip((column.name for column in COLUMNS), row, strict=True)) for row in summary_rows(found, 20)]
    assert json_of(values, ["out"]) == told
    capsys.readouterr()
    assert main(["corpus-summary", str(tmp_path / "chats.out.jsonl")]) == 0
    text = capsys.readouterr().out
    assert "less expected" in text
    assert MODEL in text
    page = PageReader(render_corpus(found, ["out"], 20))
    everything = page.all("body")[0].text
    assert "less expected" in everything
    for told_of_pairs in ("shifted", "aligned from it"):
        assert told_of_pairs not in everything
    assert not NO_NUMBERS_OF_A_PAIR.search(page.all("dl")[0].text)


def test_one_models_scores_are_not_counted_with_those_of_pairs(corpus: list[str], tmp_path: Path) -> None:
    pairs, alone = corpus_rows(), chats_of(corpus, tmp_path)
    found, of_pairs = summarise_rows([*pairs, *alone]), summarise_rows(pairs)
    assert found.corpus == of_pairs.corpus
    assert (found.responses, found.one_model, found.refused) == (of_pairs.responses + 3, 2, of_pairs.refused + 1)
    assert rows_summary_json(found, [], 20)["one_model"] == 2
    page = PageReader(render_corpus(found, ["out"], 20))
    assert "2 with scores of one model alone are not counted here" in page.all("dl")[0].text
