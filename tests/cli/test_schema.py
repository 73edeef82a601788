"""What `shiftlens analyze --format json` really prints, held against the schema that users get."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from json_schema import assert_fits
from shiftlens.bundled.paths import transcripts
from shiftlens.options.pair import PairSpec
from tiny_models import save_model, sentence_piece_tokenizer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lasting_engines")]

THOUGHT = "<think>\nThe user greets me.\n</think>\n\n"
CALL = '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call>'


def record(answer: str) -> str:
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": said}) + "\n"


TALKS = {
    "thinking.txt": f"User: Hi\n\nAssistant: {THOUGHT}Hello! 😀\n",
    "pair.jsonl": '{"prompt": "Hi", "chosen": "Hello!", "rejected": "Go away."}\nbroken\n',
    "calls.jsonl": record(CALL) + record("Hello!"),
    "prose.txt": "Nothing but prose.\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talks")
    for name, text in TALKS.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"User: hi\nAssistant: caf\xe9\n")
    return folder


def analyzed(*arguments: str | Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "shiftlens", "analyze", "--format", "json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=240, check=False)
    assert done.returncode in (0, 1), done.stderr.decode()
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def models_of(pair: PairSpec) -> tuple[str, ...]:
    return ("--base", pair.base, "--aligned", pair.aligned, "--device", "cpu")


def tokens_of(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [token for each in found for response in each.get("responses", ()) for token in response["tokens"]]


def test_bundled_transcripts_parts_labels_problems_and_errors_are_as_the_schema_says(folder: Path) -> None:
    given = (*transcripts(), *(folder / name for name in (*TALKS, "latin.txt", "absent.txt")))
    found = dict(zip((path.name for path in given), analyzed(*given, "--bundled"), strict=True))
    for each in found.values():
        assert_fits(each)
    assert all(found[path.name]["responses"] for path in transcripts())
    thinking = found["thinking.txt"]["responses"][0]
    assert [part["kind"] for part in thinking["parts"]] == ["reasoning", "answer"]
    assert {token.get("part") for token in thinking["tokens"]} == {"reasoning", None}
    assert set(thinking["summary"]["by_part"]) == {"answer", "reasoning"}
    assert [response["label"] for response in found["pair.jsonl"]["responses"]] == ["chosen", "rejected"]
    assert found["pair.jsonl"]["problems"]
    assert found["calls.jsonl"]["not_scored"] == [0]
    failed = [name for name, each in found.items() if "error" in each]
    assert failed == ["prose.txt", "latin.txt", "absent.txt"]


def test_the_references_numbers_are_as_the_schema_says(folder: Path) -> None:
    smallest = min(transcripts(), key=lambda path: path.stat().st_size)
    found = analyzed(smallest, folder / "thinking.txt", "--bundled", "--compat", "aligntds")
    for each in found:
        assert_fits(each)
    assert len(tokens_of(found)) > 20
    assert all("aligntds" in token for token in tokens_of(found))


def test_a_pair_of_two_vocabularies_gives_what_the_schema_says(
    folder: Path, tiny_pair: PairSpec, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = save_model(tmp_path_factory.mktemp("other"), sentence_piece_tokenizer(), seed=3)
    found = analyzed(folder / "thinking.txt", folder / "pair.jsonl", *models_of(tiny_pair), "--base", other)
    for each in found:
        assert_fits(each)
    assert any("realigned" in token for token in tokens_of(found))
    assert not any(token["kl"] for token in tokens_of(found))
