"""`shiftlens formats`: what is known of formats, for people, for programs and for a pipe."""

from __future__ import annotations

import json

import pytest

from shiftlens.cli.main import main
from shiftlens.transcripts.read import read


def test_every_format_is_listed_with_a_line_on_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"chatml", "labels", "markdown", "openai"} <= {line.split()[0] for line in lines}
    assert all(len(line.split()) > 1 for line in lines)


def test_an_example_can_be_piped_and_is_read_as_its_format(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("chatml", "labels", "openai", "aligntds-json"):
        assert main(["formats", name]) == 0
        found = read(capsys.readouterr().out)
        assert found is not None
        assert found.format == name
        assert found.responses


def test_programs_get_names_summaries_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    by_name = {each["name"]: each for each in found}
    assert len(by_name) == len(found)
    assert by_name["chatml"]["summary"]
    assert "<|im_start|>" in by_name["chatml"]["examples"][0]["text"]


def test_examples_are_shown_under_their_file_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", "chatml", "--examples"]) == 0
    out = capsys.readouterr().out
    assert "chatml.txt" in out
    assert "<|im_start|>user" in out


def test_an_unknown_format_names_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["formats", "chattml"])
    assert end.value.code == 2
    assert "'chattml'" in capsys.readouterr().err
