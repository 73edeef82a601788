"""`shiftlens generate` on the bundled pair: the answer, printed and put behind the conversation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.usefixtures("lasting_engines"), pytest.mark.slow]

ASKED = "User: Why is the sky blue?\n\nAssistant:\n"
MESSAGES = '{"messages": [{"role": "user", "content": "Why is the sky blue?"}]}\n'
SHORT = ("--max-tokens", "12")


def ran(*arguments: str | Path, code: int = 0) -> tuple[str, str]:
    line = [sys.executable, "-m", "shiftlens", "generate", "--bundled", "--device", "cpu", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, timeout=240, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def file_of(folder: Path, text: str, name: str = "talk.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_the_answer_is_printed_and_the_file_stays(tmp_path: Path) -> None:
    talk = file_of(tmp_path, ASKED)
    out, told = ran(talk, *SHORT)
    assert out.strip()
    assert "The answer is cut: it has 12 tokens" in told
    assert talk.read_text(encoding="utf-8") == ASKED
    # The same conversation in another format is the same prompt.
    assert ran(file_of(tmp_path, MESSAGES, "talk.json"), *SHORT)[0] == out


def test_a_new_file_has_the_answer_in_the_transcripts_own_format(tmp_path: Path) -> None:
    messages = file_of(tmp_path, MESSAGES, "talk.json")
    target = tmp_path / "answered.json"
    out, _ = ran(messages, *SHORT, "--output", target)
    written = json.loads(target.read_text(encoding="utf-8"))
    assert written["messages"][1] == {"role": "assistant", "content": out.strip()}
    assert messages.read_text(encoding="utf-8") == MESSAGES
    assert "is there already" in ran(messages, *SHORT, "--output", target, code=2)[1]
    assert "no folder" in ran(messages, *SHORT, "--output", tmp_path / "none" / "answered.json", code=2)[1]
    assert json.loads(target.read_text(encoding="utf-8")) == written


def test_in_place_the_file_itself_gets_the_answer_once(tmp_path: Path) -> None:
    talk = file_of(tmp_path, ASKED)
    out, _ = ran(talk, *SHORT, "--in-place")
    assert talk.read_text(encoding="utf-8").startswith(ASKED.rstrip())
    assert out.strip() in talk.read_text(encoding="utf-8")
    assert "Every conversation of this file has its answer" in ran(talk, "--in-place", code=1)[1]


def test_a_seed_draws_the_same_answer_again(tmp_path: Path) -> None:
    talk = file_of(tmp_path, ASKED)
    drawn = [ran(talk, *SHORT, "--seed", seed, "--temperature", "1.5")[0] for seed in ("1", "1", "2")]
    assert drawn[0] == drawn[1] != drawn[2]


def test_of_several_conversations_one_has_to_be_named(tmp_path: Path) -> None:
    lines = file_of(tmp_path, MESSAGES * 2, "talks.jsonl")
    assert "--conversation: 1, 2" in ran(lines, *SHORT, code=1)[1]
    target = tmp_path / "answered.jsonl"
    ran(lines, *SHORT, "--conversation", "2", "--output", target)
    first, second = target.read_text(encoding="utf-8").splitlines()
    assert first == MESSAGES.strip()
    assert len(json.loads(second)["messages"]) == 2


def test_what_of_the_file_is_not_given_to_the_model_is_told(tmp_path: Path) -> None:
    """The bundled template takes no tools."""
    tools = '{"messages": [{"role": "user", "content": "Why?"}], "tools": [{"type": "function", "name": "look_up"}]}\n'
    told = ran(file_of(tmp_path, tools + "{\n", "talks.jsonl"), *SHORT)[1]
    assert "takes no such list of tools" in told
    assert "talks.jsonl: line 2: Not JSON" in told
