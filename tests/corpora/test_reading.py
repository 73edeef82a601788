"""Files of a corpus, row by row, from any place on."""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from corpora.stand_in import aligntds, write_lines
from shiftlens.corpora.files import corpus_files
from shiftlens.corpora.reading import IN_PART, LEFT_OUT, NOTE, START, CorpusReader, Place, Problem, Reached
from shiftlens.errors import TranscriptError

if sys.version_info >= (3, 14):
    from compression.zstd import compress
else:
    from backports.zstd import compress

TALK = "User: Why?\n\nAssistant: Because.\n\nUser: And?\n\nAssistant: So.\n"
RECORDS = [aligntds(number) for number in range(60)]
TEXTS = [str(record["output"][0]) for record in RECORDS if isinstance(record["output"], list)]


def reader(*paths: Path | str, max_bytes: int = 10_000, format_name: str | None = None) -> CorpusReader:
    return CorpusReader(corpus_files([str(path) for path in paths]), format_name, max_bytes)


def texts(steps: list[Reached]) -> list[str]:
    return [found.response.text for step in steps for found in step.responses]


def told(steps: Iterable[Reached]) -> list[Any]:
    """What steps say, without what is told apart by identity."""
    return [
        (
            [(found.at, found.file, found.line, found.id, found.response) for found in step.responses],
            step.problems,
            step.then,
            step.done,
        )
        for step in steps
    ]


def problems(steps: list[Reached]) -> list[Problem]:
    return [problem for step in steps for problem in step.problems]


def test_rows_are_read_alike_from_lines_lists_and_compressed_files(tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "a.jsonl", RECORDS)
    (tmp_path / "b.json").write_text(json.dumps(RECORDS, indent=1))
    (tmp_path / "c.json").write_text(json.dumps(RECORDS))
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + lines.read_bytes()))
    raw = lines.read_bytes()
    (tmp_path / "e.jsonl.zst").write_bytes(compress(raw[:1000]) + compress(raw[1000:]))
    for path in sorted(tmp_path.iterdir()):
        steps = list(reader(path).read())
        assert texts(steps) == TEXTS, path
        assert problems(steps) == [], path
        assert [found.id for step in steps for found in step.responses] == [str(number) for number in range(60)]
        assert {found.format for step in steps for found in step.responses} == {"aligntds-json"}
        assert steps[-1].done == 1.0
    first, second = list(reader(tmp_path / "b.json").read())[:2]
    assert (first.responses[0].line, second.responses[0].line) == (2, 10)


def test_tables_are_read_like_lines(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra `corpora` is not installed")
    from pyarrow import parquet

    table = pa.Table.from_pylist(RECORDS)
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=7)
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "state.json").write_text("{}")
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as to,
    ):
        to.write_table(table, max_chunksize=9)
    for path in (tmp_path / "a.parquet", folder):
        steps = list(reader(path).read())
        assert texts(steps) == TEXTS
        assert texts(list(reader(path).read(Place(0, 45)))) == TEXTS[45:]
        assert steps[3].responses[0].line is None


def test_of_a_table_that_is_gone_on_with_what_lies_before_is_not_read_again(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the extra `corpora` is not installed")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.Table.from_pylist([aligntds(number) for number in range(100)]), path, row_group_size=10)
    data = bytearray(path.read_bytes())
    for column in range(parquet.read_metadata(path).num_columns):
        # Rows 60 to 69, behind those that tell the format, can't be read any more.
        at = parquet.read_metadata(path).row_group(6).column(column).data_page_offset
        data[at : at + 16] = b"\xff" * 16
    path.write_bytes(data)
    (problem,) = problems(list(reader(path).read()))
    assert "can't be read" in problem.why
    steps = list(reader(path).read(Place(0, 80)))
    assert [found.id for step in steps for found in step.responses] == [str(number) for number in range(80, 100)]
    assert problems(steps) == []


def test_a_file_that_is_one_conversation_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "talk.md").write_text(TALK)
    asked = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    write_lines(tmp_path / "one.jsonl", asked)
    write_lines(tmp_path / "rows.jsonl", [{"messages": asked}, {"messages": [*asked, *asked]}])
    steps = list(reader(tmp_path).read())
    places = [(found.file[-8:], found.at.row, found.at.response) for step in steps for found in step.responses]
    assert places == [
        *(("ne.jsonl", 0, 0), ("ws.jsonl", 0, 0), ("ws.jsonl", 1, 0), ("ws.jsonl", 1, 1)),
        *(("/talk.md", 0, 0), ("/talk.md", 0, 1)),
    ]
    assert problems(steps) == []


def test_reading_goes_on_from_every_place_that_it_names(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [*RECORDS[:4], "no record", *RECORDS[4:8]])
    (tmp_path / "b.md").write_text(TALK)
    (tmp_path / "c.json").write_text(json.dumps(RECORDS[8:10]))
    every = list(reader(tmp_path).read())
    for at, step in enumerate(every):
        assert told(reader(tmp_path).read(step.then)) == told(every[at + 1 :])
    assert every[0].then > START
    (talk,) = (step for step in every if len(step.responses) == 2)
    rest = next(reader(tmp_path).read(talk.responses[1].at))
    assert (rest.responses[0].response, len(rest.responses)) == (talk.responses[1].response, 1)


def test_what_cannot_be_read_is_named_with_file_line_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = json.dumps(RECORDS[0]).encode()
    rows = [good, b"{broken", b'{"other": 1}', b'{"pure_input": "\xff"}', b"", good, b'{"x": "' + b"y" * 20_000, good]
    path.write_bytes(b"\n".join(rows) + b"\n")
    steps = list(reader(path).read())
    assert texts(steps) == TEXTS[:1] * 3
    found = problems(steps)
    assert [(problem.row, problem.line) for problem in found] == [(1, 2), (2, 3), (3, 4), (5, 7)]
    assert {problem.kind for problem in found} == {LEFT_OUT}
    assert all(problem.file == str(path) for problem in found)
    for problem, said in zip(found, ("JSON", "pure_input", "UTF-8", "--max-bytes"), strict=True):
        assert said in problem.why


def test_a_file_of_a_folder_that_is_no_transcript_is_a_note_and_one_that_is_named_is_not(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Nothing but prose.\n")
    write_lines(tmp_path / "settings.json", [{"some": 1}])
    assert {problem.kind for problem in problems(list(reader(tmp_path).read()))} == {NOTE}
    assert [problem.kind for problem in problems(list(reader(tmp_path / "README.md").read()))] == [LEFT_OUT]


def test_a_file_that_is_cut_off_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"{json.dumps(record)}\n" for record in RECORDS).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.json").write_text(json.dumps(RECORDS)[:-3])
    write_lines(tmp_path / "c.jsonl", RECORDS[:1])
    steps = list(reader(tmp_path).read())
    assert texts(steps)[-1:] == TEXTS[:1]
    assert [Path(problem.file).name for problem in problems(steps)] == ["a.jsonl.gz", "b.json"]


def test_front_matter_that_chooses_is_not_followed_and_said(tmp_path: Path) -> None:
    (tmp_path / "talk.md").write_text(f"---\nshiftlens:\n  base: other\n  thresholds: 2,4\n---\n{TALK}")
    (problem,) = problems(list(reader(tmp_path).read()))
    assert (problem.kind, "base, thresholds" in problem.why) == (NOTE, True)


def test_a_row_that_is_read_in_part_is_in_the_corpus_and_named(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": [{"type": "hologram"}]}, {"role": "assistant", "content": "a"}]
    write_lines(tmp_path / "a.jsonl", [{"messages": messages}] * 2)
    steps = list(reader(tmp_path).read())
    assert texts(steps) == ["a", "a"]
    assert [(problem.line, problem.kind) for problem in problems(steps)] == [(1, IN_PART), (2, IN_PART)]


def test_samples_of_an_archive_are_rows_of_their_names(tmp_path: Path) -> None:
    sample = {
        "id": 1,
        "epoch": 1,
        "input": "q",
        "target": "",
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
    }
    with zipfile.ZipFile(tmp_path / "log.eval", "w") as archive:
        for number in range(3):
            archive.writestr(f"samples/{number}_epoch_1.json", json.dumps({**sample, "id": number}))
    steps = list(reader(tmp_path).read())
    assert [found.id for step in steps for found in step.responses] == [f"samples/{n}_epoch_1.json" for n in range(3)]
    assert told(reader(tmp_path).read(Place(0, 2))) == told(steps[2:])


def test_patterns_and_folders_name_each_file_once_and_in_order(tmp_path: Path) -> None:
    for name in ("b/2.jsonl", "b/1.jsonl.gz", "a.md", ".hidden.md", "picture.png", "b/.git/x.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    names = [file.path.relative_to(tmp_path).as_posix() for file in corpus_files([f"{tmp_path}/**/*", str(tmp_path)])]
    assert names == ["a.md", "b/1.jsonl.gz", "b/2.jsonl", "picture.png"]
    with pytest.raises(TranscriptError, match="no such file"):
        corpus_files([str(tmp_path / "absent*")])


def test_what_follows_the_end_of_a_list_is_told(tmp_path: Path) -> None:
    two = json.dumps(RECORDS[:2], indent=1)
    (tmp_path / "a.json").write_text(f"{two}\n{two}\n")
    steps = list(reader(tmp_path / "a.json").read())
    assert texts(steps) == TEXTS[:2]
    (problem,) = problems(steps)
    assert (problem.kind, "Something follows the end of the list" in problem.why) == (LEFT_OUT, True)
