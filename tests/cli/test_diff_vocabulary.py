"""`shiftlens diff-vocabulary` on the bundled pair, whose aligned model was taught a manner of speech."""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from analysis.hand_made import scored
from shiftlens.analysis.model import ResponseAnalysis
from shiftlens.bundled.paths import transcripts
from shiftlens.cli import diff_vocabulary
from shiftlens.cli.files import Analyst
from shiftlens.cli.main import main
from shiftlens.options.choice import Choice
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.pipeline.analyse import Analysed, analysed
from shiftlens.pipeline.put_aside import PutAside
from shiftlens.pipeline.work import plan_work
from shiftlens.scores.outcomes import Result
from shiftlens.transcripts.model import Transcript

ANSWER = b"Great question! Air scatters blue light."
PAIR = PairSpec(base="b", aligned="a")
TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talks") / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def ran(*arguments: str | Path, code: int = 0) -> tuple[str, str]:
    command = [sys.executable, "-m", "shiftlens", "diff-vocabulary", "--device", "cpu", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=240, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def found_in(*arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran(*arguments, "--bundled", "--format", "json")[0])
    return found


def test_what_the_aligned_model_was_taught_is_promoted_and_plain_beginnings_are_suppressed(talk: Path) -> None:
    found = found_in(talk, *transcripts()[:2], "--limit", "15")
    assert found["schema"] == "shiftlens-vocabulary/1"
    assert found["models"] == {"base": "bundled:base", "aligned": "bundled:aligned"}
    assert "!" in [token["text"] for token in found["promoted"]]
    for name, sign in (("promoted", 1), ("suppressed", -1)):
        changes = [sign * token["change"] for token in found[name]]
        assert changes == sorted(changes, reverse=True)
        assert changes[-1] > 0
        assert all(token["change"] == pytest.approx(token["promoted"] - token["suppressed"]) for token in found[name])


def test_places_lead_to_the_file(talk: Path) -> None:
    found = found_in(talk, "--places", "2", "--limit", "50")
    places = [place for token in found["promoted"] for place in token["promotions"]]
    assert {place["file"] for place in places} == {str(talk)}
    assert any(place["said"] for place in places)
    lines = TALK.split("\n")
    for token in found["promoted"]:
        assert len(token["promotions"]) <= 2
        for place in token["promotions"]:
            assert TALK[place["start"] :].startswith(lines[place["line"] - 1][place["column"] - 1 :])
            if place["said"] and not token.get("end_of_response") and "bytes" not in token:
                assert TALK[place["start"] : place["end"]] == token["text"]


def test_the_text_has_both_lists_with_places_that_a_terminal_can_open(talk: Path, tmp_path: Path) -> None:
    said, _ = ran(talk, "--bundled", "--limit", "5", "-o", tmp_path / "list.txt")
    text = (tmp_path / "list.txt").read_text(encoding="utf-8")
    assert said == ""
    assert "Promoted most:\n  +" in text
    assert "Suppressed most:\n  -" in text
    assert f"{talk}:3:12: base " in text


def test_a_model_against_itself_promotes_nothing(talk: Path) -> None:
    pair = ("--base", "bundled:base", "--aligned", "bundled:base")
    text, _ = ran(talk, *pair, "--base-context", "raw", "--aligned-context", "raw")
    assert text.count("  none") == 2


def test_a_file_of_another_pair_is_left_out_and_told_of(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(f"---\nshiftlens:\n  aligned: bundled:base\n  aligned-context: raw\n---\n{TALK}", encoding="utf-8")
    # The command line goes before front matter, so that the pair is named in the files alone.
    named = tmp_path / "named.txt"
    named.write_text(f"---\nshiftlens:\n  aligned: bundled:aligned\n---\n{TALK}", encoding="utf-8")
    text, told = ran(named, other, tmp_path / "absent.txt", "--base", "bundled:base", code=1)
    assert "base bundled:base, aligned bundled:aligned" in text
    assert "other.txt: left out, since its pair (bundled:base, bundled:base) is not that of the files before." in told
    assert "absent.txt" in told


def test_nothing_that_could_be_analysed_is_told_of(tmp_path: Path) -> None:
    text, told = ran(tmp_path / "absent.txt", "--bundled", code=1)
    assert text == ""
    assert "Nothing could be analysed." in told


def test_of_a_corpus_the_analyses_of_one_file_are_in_memory_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"{number}.txt" for number in range(4)]
    for path in paths:
        path.write_text(TALK, encoding="utf-8")
    in_memory: list[int] = []

    async def analyse(shown: str, transcript: Transcript, aside: PutAside | None = None) -> Analysed:  # noqa: ARG001
        in_memory.append(sum(isinstance(each, ResponseAnalysis) for each in gc.get_objects()))
        work = plan_work(transcript, PAIR, ScoreOptions())
        work.results.update(dict.fromkeys(work.keys, Result(scored([bytes([byte]) for byte in ANSWER]))))
        return analysed(work, Choice(PAIR, ScoreOptions(), ClassifyOptions(), ()), None, None)

    @asynccontextmanager
    async def analyst(_: argparse.Namespace) -> AsyncIterator[Analyst]:
        yield analyse

    monkeypatch.setattr(diff_vocabulary, "analyst", analyst)
    gc.collect()
    assert main(["diff-vocabulary", "--bundled", *map(str, paths)]) == 0
    assert f"{4 * (len(ANSWER) + 1)} positions compared" in capsys.readouterr().out
    assert len(in_memory) == len(paths)
    assert set(in_memory) == {in_memory[0]}
