"""A run over a corpus, its end at any time, and going on. The engine here is a stand-in for the real one."""

from __future__ import annotations

import dataclasses
import gc
import json
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from corpora.stand_in import CHOICE, Engine, Killed, aligntds, run_corpus, write_lines
from shiftlens.corpora import runner, windows
from shiftlens.corpora.output import Output, encoded, read_output
from shiftlens.corpora.record import CorpusRow
from shiftlens.engine.protocol import Score
from shiftlens.errors import EngineError, ScoringError, ShiftLensError
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions

OUTPUTS = ["out.jsonl", "out.parquet"]


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST_RESPONSES", 4)


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    records: list[object] = [aligntds(number) for number in range(21)]
    records[5], records[9] = "broken", aligntds(9, "please refuse")
    path = write_lines(tmp_path / "records.jsonl", records)
    (tmp_path / "talk.md").write_text("User: q\n\nAssistant: one two\n\nUser: r\n\nAssistant: three\n")
    return [str(path), str(tmp_path / "talk.md")]


def need_parquet(name: str) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="the extra `corpora` is not installed")


@pytest.mark.parametrize("name", OUTPUTS)
async def test_each_response_is_a_row_in_the_order_of_the_corpus(name: str, corpus: list[str], tmp_path: Path) -> None:
    need_parquet(name)
    progress, said = await run_corpus(Engine(), corpus, tmp_path / name)
    rows = list(read_output(tmp_path / name))
    places = [(Path(row.file).name, row.row, row.response) for row in rows]
    records = [("records.jsonl", row, 0) for row in range(21) if row != 5]
    assert places == [*records, ("talk.md", 0, 0), ("talk.md", 0, 1)]
    assert (progress.responses, progress.left_out, progress.refused, progress.is_end) == (22, 1, 1, True)
    assert progress.positions == sum(len(row.tokens.id) for row in rows)
    (refused,) = [row for row in rows if row.status == "refused"]
    assert (refused.row, refused.why, refused.text, refused.tokens.id) == (9, "No. Ask another.", "please refuse", [])
    told = [(problem.row, problem.line, problem.kind) for status in said for problem in status.problems]
    assert told == [(5, 6, "left out"), (9, 10, "refused")]
    assert [status.done for status in said] == sorted(status.done for status in said)
    assert not Output(tmp_path / name).part.exists()


@pytest.mark.parametrize("name", OUTPUTS)
async def test_a_run_that_is_killed_goes_on_and_its_output_is_that_of_one_that_was_not(
    name: str, corpus: list[str], tmp_path: Path
) -> None:
    need_parquet(name)
    whole, cut = tmp_path / "whole" / name, tmp_path / "cut" / name
    for path in (whole, cut):
        path.parent.mkdir()
    complete = Engine()
    await run_corpus(complete, corpus, whole)
    asked = 0
    for lives in range(len(complete.jobs) + 1):
        engine = Engine(dies_at=1)
        try:
            await run_corpus(engine, corpus, cut)
        except Killed:
            assert not cut.exists()
            # What a process leaves that is killed while it writes.
            with Output(cut).part.open("ab") as file:
                file.write(b'{"schema":"shif' * lives)
            with Output(cut).journal.open("ab") as file:
                file.write(b'{"size":12')
        asked += len(engine.jobs)
    assert cut.read_bytes() == whole.read_bytes()
    assert asked == len(complete.jobs)


async def test_an_output_is_put_in_its_place_also_where_the_process_ended_just_before_it_was_said(
    corpus: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    await run_corpus(Engine(), corpus, out)
    journal = Output(out).journal
    raw = out.read_bytes()
    lines = journal.read_bytes().splitlines(keepends=True)
    for left, renamed in ((lines[:-1], True), (lines[:-1], False), (lines[:-2], False)):
        journal.write_bytes(b"".join(left))
        if not renamed:
            out.rename(Output(out).part)
        engine = Engine()
        progress, _ = await run_corpus(engine, corpus, out)
        assert (out.read_bytes(), progress.is_end, engine.jobs) == (raw, True, [])


async def test_an_output_that_is_complete_is_not_made_again(corpus: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    first, _ = await run_corpus(Engine(), corpus, out)
    engine = Engine()
    assert (await run_corpus(engine, corpus, out))[0] == first
    assert engine.jobs == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (dataclasses.replace(CHOICE, pair=PairSpec(base="b", aligned="c")), "aligned was a and is c"),
        (dataclasses.replace(CHOICE, score_options=ScoreOptions(top_k=5)), "top k was 10 and is 5"),
        (dataclasses.replace(CHOICE, classify_options=ClassifyOptions(thresholds=(2, 4))), "thresholds was"),
    ],
)
async def test_other_choices_than_those_of_the_journal_are_refused_with_what_differs(
    other: object, said: str, corpus: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(Killed):
        await run_corpus(Engine(dies_at=2), corpus, out)
    with pytest.raises(ShiftLensError, match=said) as refused:
        await run_corpus(Engine(), corpus, out, choice=other)  # type: ignore[arg-type]
    assert "--restart" in refused.value.remedy
    progress, _ = await run_corpus(Engine(), corpus, out, choice=other, restart=True)  # type: ignore[arg-type]
    assert progress.is_end


async def test_files_that_changed_since_are_named(corpus: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(Killed):
        await run_corpus(Engine(dies_at=2), corpus, out)
    (tmp_path / "talk.md").write_text("User: q\n\nAssistant: other\n")
    with pytest.raises(ShiftLensError, match=r"talk\.md changed since"):
        await run_corpus(Engine(), corpus, out)
    with pytest.raises(ShiftLensError, match=r"talk\.md changed since"):
        await run_corpus(Engine(), corpus[:1], out)


async def test_a_file_that_no_journal_tells_of_is_not_written_over(corpus: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine\n")
    with pytest.raises(ShiftLensError, match="no journal beside it"):
        await run_corpus(Engine(), corpus, out)
    assert out.read_text() == "mine\n"


async def test_rows_that_were_lost_are_told_and_not_filled_up(corpus: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(Killed):
        await run_corpus(Engine(dies_at=2), corpus, out)
    part = Output(out).part
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(ShiftLensError, match="it is not the file that"):
        await run_corpus(Engine(), corpus, out)


class Failing(Engine):
    """Fails at first, and where several responses are asked for at once."""

    def __init__(self, first: int, *, alone_only: bool = False) -> None:
        super().__init__()
        self.first, self.alone_only = first, alone_only

    async def run(self, request):  # type: ignore[no-untyped-def]
        if self.first:
            self.first -= 1
            raise EngineError("The engine ended.", "")
        if self.alone_only and len(request.responses) > 1:
            raise ScoringError("There was not enough memory to score this.", "")
        async for event in super().run(request):
            yield event


async def test_an_engine_that_ends_is_asked_again_and_that_is_said(corpus: list[str], tmp_path: Path) -> None:
    progress, said = await run_corpus(Failing(2), corpus, tmp_path / "out.jsonl")
    assert progress.is_end
    assert [status.remark for status in said if status.remark] == ["The engine ended. It is asked again."] * 2
    with pytest.raises(EngineError):
        await run_corpus(Failing(3), corpus, tmp_path / "other.jsonl")


async def test_what_cannot_be_scored_together_is_scored_one_by_one(corpus: list[str], tmp_path: Path) -> None:
    await run_corpus(Failing(0, alone_only=True), corpus, tmp_path / "out.jsonl")
    assert {row.status for row in read_output(tmp_path / "out.jsonl")} == {"scored", "refused"}


async def test_the_rows_of_a_window_are_let_go_of_before_the_next_is_scored(corpus: list[str], tmp_path: Path) -> None:
    kept: list[int] = []

    class Counting(Engine):
        async def run(self, request: Score) -> AsyncGenerator[Any, None]:
            kept.append(sum(type(each) is runner._Line for each in gc.get_objects()))
            async for event in super().run(request):
                yield event

    await run_corpus(Counting(), corpus, tmp_path / "out.jsonl")
    assert kept == [0] * 6


async def test_one_thread_reads_and_another_one_writes(
    corpus: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[int]] = {"read": set(), "write": set()}

    def noting(what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any) -> Any:
            threads[what].add(threading.get_ident())
            return work(*args)

        return noted

    monkeypatch.setattr(runner, "_next", noting("read", runner._next))
    monkeypatch.setattr(runner, "encoded", noting("write", encoded))
    monkeypatch.setattr(Output, "append", noting("write", Output.append))
    await run_corpus(Engine(), corpus[:1], tmp_path / "out.jsonl")
    # A row that the models refuse is written where the engine's answers are taken in.
    threads["write"].discard(threading.get_ident())
    assert [len(each) for each in threads.values()] == [1, 1]
    assert not threads["read"] & threads["write"]


async def test_what_is_not_scored_by_choice_has_a_row_that_says_so(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    talk = [*messages, {"role": "tool", "tool_call_id": "1", "content": "r"}, {"role": "assistant", "content": "a"}]
    path = write_lines(tmp_path / "a.jsonl", [{"messages": talk}])
    progress, _ = await run_corpus(Engine(), [str(path)], tmp_path / "out.jsonl")
    rows = list(read_output(tmp_path / "out.jsonl"))
    assert [row.status for row in rows] == ["not_scored", "scored"]
    assert "score-parts" in (rows[0].why or "")
    assert progress.is_whole


async def test_both_outputs_have_the_same_rows(corpus: list[str], tmp_path: Path) -> None:
    need_parquet("out.parquet")
    for name in OUTPUTS:
        await run_corpus(Engine(), corpus, tmp_path / name)
    lines, table = (list(read_output(tmp_path / name)) for name in OUTPUTS)

    def told(row: CorpusRow) -> object:
        return json.loads(json.dumps(row_values(row)), parse_float=lambda number: round(float(number), 5))

    assert list(map(told, table)) == list(map(told, lines))


def row_values(row: CorpusRow) -> object:
    import msgspec

    return msgspec.to_builtins(row)
