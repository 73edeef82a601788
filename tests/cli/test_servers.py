"""`shiftlens analyze` with a model on a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends.model_server import ModelServer, serving
from shiftlens.bundled.paths import resolve_model_name
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lasting_engines")]

TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"


def analysed(talk: Path, base: str, aligned: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "shiftlens", "analyze", str(talk), "--format", "json"]
    done = subprocess.run([*command, "--base", base, "--aligned", aligned], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_both_models_on_a_server_give_the_classes_of_the_pair_here(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text(TALK, encoding="utf-8")
    here = analysed(talk, BUNDLED_BASE, BUNDLED_ALIGNED)
    folders = {name: Path(resolve_model_name(f"bundled:{name}")) for name in ("base", "aligned")}
    with serving(ModelServer("vllm", folders)) as server:
        there = analysed(talk, server.name("base"), server.name("aligned"))
    (ours,), (theirs,) = there["responses"], here["responses"]
    assert [token["class"] for token in ours["tokens"]] == [token["class"] for token in theirs["tokens"]]
    assert {token["kl"] for token in ours["tokens"]} == {None}
    assert there["models"]["base"]["name"] == server.name("base")
    assert there["models"]["base"]["fingerprint"] == ""
    assert any("no KL" in note for note in ours["notes"])


def doctor(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "shiftlens", "doctor", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=120)
    return done.returncode, done.stdout.decode()


def test_doctor_tries_served_models_out_and_says_what_they_give_and_nothing_of_threads() -> None:
    folders = {name: Path(resolve_model_name(f"bundled:{name}")) for name in ("base", "aligned")}
    with serving(ModelServer("vllm", folders, max_logprobs=5)) as server:
        pair = ("--base", server.name("base"), "--aligned", server.name("aligned"))
        code, said = doctor(*pair)
        report = json.loads(doctor(*pair, "--format", "json")[1])
        mixed = doctor("--base", BUNDLED_BASE, "--aligned", server.name("aligned"))[1]
    assert code == 0, said
    assert "ok    engine: starts; both models of this pair are on servers" in said
    for name, folder in folders.items():
        assert f"ok    {name}: {server.name(name)}: served by vllm 1.2.3 from {folder}" in said
        assert ", texts of up to 2,046 tokens. Its numbers were tried out." in said
        assert f"Its tokens are made here, by the tokenizer of {folder}." in said
        assert f"{server.name(name)} gives ranks only of tokens among its candidates (5 at the most)." in said
    assert report["engine"]["threads"] is None
    assert "for matrix products with this pair" in mixed


def test_doctor_says_why_a_server_s_numbers_are_not_used() -> None:
    served = ModelServer("openai", {"aligned": Path(resolve_model_name(BUNDLED_ALIGNED))}, off_by=1)
    with serving(served) as server:
        code, said = doctor("--base", BUNDLED_BASE, "--aligned", server.name("aligned"))
    assert code == 1
    assert f"FAIL  models: {server.name('aligned')} is not used: the server says other things of a position" in said


def test_a_file_that_names_a_server_is_not_followed(tmp_path: Path) -> None:
    talk = tmp_path / "talk.md"
    talk.write_text(f"---\nshiftlens:\n  base: 'vllm:http://127.0.0.1:9#x'\n---\n{TALK}", encoding="utf-8")
    command = [sys.executable, "-m", "shiftlens", "analyze", str(talk), "--aligned", BUNDLED_ALIGNED]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 1
    assert "No base model is named. Front matter: `base` names a model server" in done.stderr.decode()
