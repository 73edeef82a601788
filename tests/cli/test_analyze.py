"""`shiftlens analyze` with real models, and what it does with what it can't analyse."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shiftlens.options.pair import PairSpec

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lasting_engines")]

TALK = "User: Why is the \x1b[31msky blue?\n\nAssistant: Great question! 😀 Because\x1b[2J air [bold]scatters[/bold].\n"
LINES = (
    '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "caf\\u00e9 \\ud83d\\ude00"}]}\n'
    "broken\n"
)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def shiftlens(*arguments: str | Path, stdin: str = "") -> Ran:
    command = [sys.executable, "-m", "shiftlens", *map(str, arguments)]
    done = subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=120)
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def models(tiny_pair: PairSpec) -> list[str]:
    return ["--base", tiny_pair.base, "--aligned", tiny_pair.aligned, "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_pair: PairSpec) -> Path:
    folder = tmp_path_factory.mktemp("talks")
    (folder / "talk.txt").write_text(TALK, encoding="utf-8", newline="")
    (folder / "lines.jsonl").write_text(LINES, encoding="utf-8", newline="")
    (folder / "prose.txt").write_text("Nothing but prose.\n", encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"User: hi\nAssistant: caf\xe9\n")
    front = f"---\nshiftlens:\n  base: {tiny_pair.base}\n  aligned: {tiny_pair.aligned}\n  thresholds: 2,4\n---\n"
    (folder / "front.md").write_text(front + TALK, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def several(folder: Path, models: list[str]) -> Ran:
    names = ("talk.txt", "prose.txt", "latin.txt", "lines.jsonl", "front.md", "absent.txt", ".")
    paths: list[Path | str] = [*(folder / name for name in names), "-"]
    return shiftlens("analyze", *paths, *models, "--format", "json", "--compat", "aligntds", stdin=TALK)


def test_several_files_give_one_object_per_line_in_their_order(several: Ran) -> None:
    names = [Path(found["file"]).name for found in several.objects]
    assert names[:6] == ["talk.txt", "prose.txt", "latin.txt", "lines.jsonl", "front.md", "absent.txt"]
    assert all(found["schema"] == "shiftlens/1" for found in several.objects)


def test_standard_input_is_a_file_too(several: Ran) -> None:
    named, piped = several.objects[0], several.objects[-1]
    assert piped["file"] == "<stdin>"
    assert piped["responses"] == named["responses"]


def test_tokens_stand_where_the_file_says(several: Ran) -> None:
    response = several.objects[0]["responses"][0]
    assert "".join(token["text"] for token in response["tokens"]) == response["text"]
    assert all(TALK[token["start"] : token["end"]] == token["text"] for token in response["tokens"])
    escaped = several.objects[3]["responses"][0]
    assert escaped["text"] == "café 😀"
    assert LINES[escaped["start"] : escaped["end"]] == "caf\\u00e9 \\ud83d\\ude00"


def test_probabilities_agree_with_logprobs_and_ranks_with_candidates(several: Ran) -> None:
    for token in several.objects[0]["responses"][0]["tokens"]:
        side = token["aligned"]
        assert sum(c["prob"] for c in side["top"]) + side["missing_mass"] == pytest.approx(1, abs=1e-5)
        if side["rank"] <= len(side["top"]):
            assert side["top"][side["rank"] - 1]["prob"] == pytest.approx(side["prob"], rel=1e-4)
        assert "KL@10" in token["aligntds"]


def test_files_that_cannot_be_analysed_do_not_stop_the_others(several: Ran) -> None:
    assert several.code == 1
    errors = {Path(found["file"]).name: found["error"] for found in several.objects if "error" in found}
    assert "not a transcript" in errors["prose.txt"]["message"]
    assert "--transcript-format" in errors["prose.txt"]["message"]
    assert errors["latin.txt"]["line"] == 2
    assert "folder" in several.objects[-2]["error"]["message"]
    assert "latin.txt: line 2: " in several.err
    assert "lines.jsonl: line 2: " in several.err
    assert "Traceback" not in several.err


def test_front_matter_sets_what_the_command_line_leaves_open(several: Ran) -> None:
    assert several.objects[4]["settings"]["thresholds"] == [2, 4]
    assert several.objects[0]["settings"]["thresholds"] == [1, 3]


def test_the_text_view_shows_hostile_text_as_symbols(folder: Path, models: list[str]) -> None:
    ran = shiftlens("analyze", folder / "talk.txt", *models, "--color", "never")
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert "␛" in ran.out
    assert "Response 1: Why is the ␛[31msky blue?" in ran.out
    bare = "".join(c for c in ran.out if c not in "⟦⟧⟨⟩")
    assert "air [bold]scatters[/bold]." in bare
    assert "Legend" in ran.out
    assert "% shifted" in ran.out


def test_one_file_gives_one_indented_object_in_the_file_asked_for(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    ran = shiftlens("analyze", folder / "front.md", "--format", "json", "-o", out, "--top-k", "2")
    assert (ran.code, ran.out) == (0, "")
    found = json.loads(out.read_text())
    assert len(found["responses"][0]["tokens"][0]["base"]["top"]) == 2
    assert found["models"]["base"]["architecture"] == "LlamaForCausalLM"


def test_without_models_the_message_says_how_to_name_them(folder: Path) -> None:
    ran = shiftlens("analyze", folder / "talk.txt")
    assert ran.code == 1
    for option in ("--base", "--aligned", "--bundled"):
        assert option in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--thresholds", "3,1"], "two ranks"),
        (["--top-k", "0"], "whole number"),
        (["--base-context", "nonsense"], "template:FILE"),
        (["--base-context", "template:/nowhere.j2"], "can't be read"),
        (["--bundled", "--base", "x"], "leave out"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_loaded(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from shiftlens.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(["analyze", "talk.txt", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
