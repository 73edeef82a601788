"""A pickle is never opened, whatever its name and protocol, and it is said what to do instead."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import pytest

from shiftlens.cli.main import main
from shiftlens.corpora.files import corpus_files
from shiftlens.corpora.reading import CorpusReader
from shiftlens.errors import TranscriptError
from shiftlens.transcripts.files import decode


class Program:
    """Leaves a file where it is unpickled."""

    def __init__(self, leaves: Path) -> None:
        self.leaves = leaves

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.leaves,)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "was-run"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("command", [["analyze"], ["show"], ["analyze", "--scores", "saved"]], ids=" ".join)
def test_no_command_opens_a_pickle(
    command: list[str], protocol: int, tmp_path: Path, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "just_eval.pkl"
    path.write_bytes(pickle.dumps([Program(trace)], protocol))
    pair = [] if "saved" in command else ["--bundled"]
    assert main([*command, str(path), *pair]) == 1
    said = capsys.readouterr().err
    assert "This is a pickle of Python, which is never opened" in said
    assert "write it as JSON" in said
    assert not trace.exists()
    pickle.loads(path.read_bytes())  # noqa: S301 (what is tested would have been seen)
    assert trace.exists()


@pytest.mark.parametrize("name", ["just_eval.pkl", "just_eval.pkl.gz", "just_eval.json"])
def test_a_corpus_leaves_a_pickle_out_and_says_why(name: str, tmp_path: Path, trace: Path) -> None:
    raw = pickle.dumps([Program(trace)])
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    reader = CorpusReader(corpus_files([str(tmp_path / name)]), None, 10_000)
    (found,) = reader.read()
    assert [problem.why.partition(",")[0] for problem in found.problems] == ["This is a pickle of Python"]
    assert not found.responses
    assert not trace.exists()


def test_a_pickle_is_told_by_its_bytes_alone_as_well() -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TranscriptError, match="never opened"):
            decode(pickle.dumps({"id": 0}, protocol))
    with pytest.raises(TranscriptError, match="not valid UTF-8"):
        decode(b"\x80 is no character")
