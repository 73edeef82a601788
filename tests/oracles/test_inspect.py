"""Logs that Inspect writes are read as Inspect reads them. `make oracle-inspect` makes its environment."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from shiftlens.transcripts import read
from shiftlens.transcripts.archives import ArchivedTranscript, read_archive
from transcripts.archive_checks import spoken

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / "build" / "oracles" / "inspect" / "bin" / "python"

needs_inspect = pytest.mark.skipif(
    not PYTHON.exists(), reason="Inspect is not installed: `make oracle-inspect` does it"
)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    subprocess.run([PYTHON, HERE / "write_inspect_logs.py", folder, "60"], check=True)
    return folder


@needs_inspect
@pytest.mark.parametrize("name", ["plain.eval", "log.eval", "chunked/log.eval"])
def test_archives_are_read_as_inspect_reads_them(logs: Path, name: str) -> None:
    expected = json.loads((logs / "expected.json").read_text(encoding="utf-8"))
    found = read_archive((logs / name).read_bytes(), name)
    assert {each.member_name: spoken(each) for each in found} == dict(expected)
    assert [each.transcript.problems for each in found] == [()] * len(found)


@needs_inspect
def test_a_json_log_is_read_as_inspect_reads_it(logs: Path) -> None:
    expected = json.loads((logs / "expected.json").read_text(encoding="utf-8"))
    text = (logs / "log.json").read_text(encoding="utf-8")
    found = read(text, filename="log.json")
    assert found is not None
    assert (found.format, found.problems) == ("inspect", ())
    whole = ArchivedTranscript("", text, found)
    assert [spoken(whole, number) for number in range(len(found.conversations))] == [said for _, said in expected]
