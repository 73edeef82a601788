"""`shiftlens contexts` on the bundled pair."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shiftlens.analysis.contexts_contract import schema

pytestmark = [pytest.mark.usefixtures("lasting_engines"), pytest.mark.slow]

TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talks") / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def ran(command: str, *arguments: str | Path, code: int = 0) -> tuple[str, str]:
    line = [sys.executable, "-m", "shiftlens", command, "--bundled", "--device", "cpu", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, timeout=240, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def json_of(command: str, *arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran(command, *arguments, "--format", "json")[0])
    return found


def test_under_each_context_the_numbers_are_those_of_an_analysis_with_it(talk: Path, tmp_path: Path) -> None:
    template = tmp_path / "a=b.jinja"
    template.write_text("Q: {{ query }}\nA:", encoding="utf-8")
    contexts = {"aligntds": "aligntds", "raw": "raw", "mine": f"template:{template}"}
    named = [
        f"--context={name}={context}" if name == "mine" else f"--context={name}" for name, context in contexts.items()
    ]
    found = json_of("contexts", talk, *named)
    Draft202012Validator(schema()).validate(found)
    assert [each["name"] for each in found["contexts"]] == list(contexts)
    for number, context in enumerate(contexts.values()):
        (alone,) = json_of("analyze", talk, "--base-context", context)["responses"]
        (compared,) = found["responses"]
        for token, own in zip(compared["tokens"], alone["tokens"], strict=True):
            given = token["contexts"][number]
            assert (given["rank"], given["class"]) == (own["base"]["rank"], own["class"])
            assert (given["prob"], given["kl"]) == (own["base"]["prob"], own["kl"])
        assert compared["summaries"][number]["shifted"] == alone["summary"]["shifted"]


def test_the_table_has_the_positions_whose_class_changes(talk: Path) -> None:
    out, _ = ran("contexts", talk)
    read = json_of("contexts", talk)
    assert [each["name"] for each in read["contexts"]] == ["aligntds", "chat", "raw", "few-shot"]
    changed = [token for token in read["responses"][0]["tokens"] if token["changes"]]
    assert f"{len(changed)} of 12 positions have another class" in out
    table = out.split("another, counted from 0.\n")[1].splitlines()
    assert [int(line.split()[0]) for line in table[1:]] == [token["index"] for token in changed]


def test_what_can_not_be_compared_is_wrong_usage(talk: Path) -> None:
    assert "is one context" in ran("contexts", talk, "--base-context", "raw", code=2)[1]
    assert "names one context" in ran("contexts", talk, "--context", "raw", code=2)[1]
    assert "the same name twice" in ran("contexts", talk, "--context", "raw", "--context", "raw", code=2)[1]
    assert "is none of" in ran("contexts", talk, "--context", "mine=nothing", code=2)[1]
    assert "context of its own" in ran("contexts", talk, "--compat", "aligntds", code=2)[1]


def test_a_count_that_the_file_chooses_and_that_is_not_followed_is_told(tmp_path: Path) -> None:
    chosen = tmp_path / "chosen.txt"
    chosen.write_text(f"---\nshiftlens:\n  compat: aligntds\n---\n{TALK}", encoding="utf-8")
    assert "context of their own" in ran("contexts", chosen, "--context", "raw", "--context", "chat")[1]
