"""The tools of `shiftlens mcp`, by a client of the `mcp` package that starts the real process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import CallToolResult, TextContent

import shiftlens
from shiftlens.analysis.tokens import token
from shiftlens.engine.client import EngineClient
from shiftlens.mcp_server.asking import Evidence
from shiftlens.mcp_server.server import mcp_server
from shiftlens.mcp_server.sources import Reading
from shiftlens.options.choice import Choice
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE

pytestmark = [pytest.mark.usefixtures("lasting_engines"), pytest.mark.slow]

TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"
BUNDLED = ("--base", BUNDLED_BASE, "--aligned", BUNDLED_ALIGNED)
SAME = ("--base", BUNDLED_ALIGNED, "--aligned", BUNDLED_ALIGNED, "--base-context", "chat")


@contextlib.asynccontextmanager
async def client(*arguments: str | Path, models: tuple[str, ...] = BUNDLED) -> AsyncIterator[Client]:
    line = ["-m", "shiftlens", "mcp", "--device", "cpu", *models, *map(str, arguments)]
    server = StdioServerParameters(command=sys.executable, args=line, env=dict(os.environ))
    async with Client(server) as connected:
        yield connected


def text_of(result: object) -> str:
    assert isinstance(result, CallToolResult)
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def answer(connected: Client, name: str, **arguments: object) -> dict[str, Any]:
    result = await connected.call_tool(name, arguments)
    text = text_of(result)
    assert not result.is_error, text
    found: dict[str, Any] = json.loads(text)
    return found


async def why_not(connected: Client, name: str, **arguments: object) -> str:
    result = await connected.call_tool(name, arguments)
    assert result.is_error
    return text_of(result)


async def test_there_are_four_tools_that_only_read() -> None:
    async with client() as connected:
        tools = (await connected.list_tools()).tools
    assert [tool.name for tool in tools] == ["analyze", "most_shifted", "rank_of", "continue_from"]
    for tool in tools:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        # Nothing lets an agent choose a model, a device, a download or a pickle.
        assert set(tool.input_schema["properties"]).isdisjoint({"base", "aligned", "device", "allow_download"})


async def test_numbers_are_those_of_the_analysis_and_what_was_planted_is_found() -> None:
    async with client() as connected:
        found = await answer(connected, "analyze", text=TALK)
        listed = await answer(connected, "most_shifted", text=TALK, tokens=2)
    analysis = shiftlens.analyze(TALK, base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu").responses[0]
    summary = analysis.summary
    (response,) = found["responses"]
    assert (response["unshifted"], response["marginal"], response["shifted"]) == (
        summary.unshifted,
        summary.marginal,
        summary.shifted,
    )
    # The bundled aligned model was made to open its answers so.
    assert [each["kind"] for each in found["most_shifted"][:3]] == ["opener"] * 3
    assert "".join(each["text"] for each in sorted(found["most_shifted"][:3], key=lambda it: it["position"])) == (
        "Great question"
    )
    for each in found["most_shifted"]:
        item = token(analysis, each["position"])
        assert item.base is not None
        assert each["gain"] == pytest.approx(item.aligned.logprob - item.base.logprob, abs=1e-3)
        assert (each["base"]["rank"], each["aligned"]["rank"]) == (item.base.rank, item.aligned.rank)
    gains = [each["gain"] for each in found["most_shifted"]]
    assert gains == sorted(gains, reverse=True)
    assert listed["most_shifted"] == found["most_shifted"][:2]
    assert listed["promoted"] == response["promoted"] == len(found["most_shifted"])
    assert listed["most_shifted_left_out"] == listed["promoted"] - 2


async def test_identical_models_promote_nothing_even_where_both_find_the_text_unlikely() -> None:
    async with client(models=SAME) as connected:
        found = await answer(connected, "most_shifted", text=TALK)
        assert found["shifted"] > 0
        assert (found["promoted"], found["most_shifted"]) == (0, [])
        assert (await answer(connected, "analyze", text=TALK))["responses"][0]["promoted"] == 0


async def test_the_base_goes_on_with_its_first_choice_and_a_rank_is_that_of_the_analysis() -> None:
    async with client() as connected:
        (first, *_) = (await answer(connected, "most_shifted", text=TALK))["most_shifted"]
        where = {"text": TALK, "position": first["position"]}
        found = await answer(connected, "continue_from", **where, samples=1, seed=7, max_tokens=4)
        ranked = await answer(connected, "rank_of", **where, candidate=first["text"])
    assert [(each["voice"], each["seed"]) for each in found["continuations"]] == [
        ("base", None),
        ("base", 7),
        ("aligned", None),
        ("aligned", 7),
    ]
    base, aligned = found["continuations"][0], found["continuations"][2]
    assert base["text"].startswith(first["base"]["first_choice"]["text"])
    assert aligned["text"].startswith(first["aligned"]["first_choice"]["text"])
    for side in ("base", "aligned"):
        (own,) = ranked[side]["tokens"]
        assert own["rank"] == first[side]["rank"]
        assert ranked[side]["prob"] == pytest.approx(first[side]["prob"], rel=1e-3)


async def test_files_are_read_below_what_the_user_allows_and_nowhere_else(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "talk.txt").write_text(TALK, encoding="utf-8")
    (tmp_path / "secret.txt").write_text(TALK, encoding="utf-8")
    (allowed / "link.txt").symlink_to(tmp_path / "secret.txt")
    async with client("--allow", allowed, "--max-bytes", "200") as connected:
        found = await answer(connected, "analyze", path="talk.txt")
        assert found["source"] == str(allowed.resolve() / "talk.txt")
        for path in ("link.txt", "../secret.txt", str(tmp_path / "secret.txt")):
            assert "is no file in a folder that the user allows" in await why_not(connected, "analyze", path=path)
        assert "more than 200 bytes" in await why_not(connected, "analyze", text=TALK * 4)
    async with client() as connected:
        assert "--allow FOLDER" in await why_not(connected, "analyze", path=str(allowed / "talk.txt"))


async def test_a_call_scores_and_lists_no_more_than_is_stated_and_says_so() -> None:
    many = "\n".join(
        json.dumps({"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "No."}]})
        for n in range(23)
    )
    async with client() as connected:
        found = await answer(connected, "analyze", text=many, tokens=0)
        assert (found["responses_there"], len(found["responses"]), found["next_response"]) == (23, 20, 21)
        assert found["most_shifted"] == []
        rest = await answer(connected, "analyze", text=many, first_response=found["next_response"])
        assert [each["response"] for each in rest["responses"]] == [21, 22, 23]
        assert "next_response" not in rest
        for arguments, said in (
            ({"first_response": 24}, "from 1 to 23"),
            ({"responses": 21}, "from 1 to 20"),
            ({"tokens": 101}, "from 0 to 100"),
        ):
            assert said in await why_not(connected, "analyze", text=many, **arguments)
        where = {"text": TALK, "position": 0}
        assert "from 1 to 256" in await why_not(connected, "continue_from", **where, max_tokens=257)
        assert "from 0 to 5" in await why_not(connected, "continue_from", **where, samples=6)
        assert "Give 1 to 2,000" in await why_not(connected, "rank_of", **where, candidate="x" * 2001)
        assert "position 500" in await why_not(connected, "rank_of", text=TALK, position=500, candidate="x")


async def test_a_text_chooses_no_models_and_acts_nowhere() -> None:
    front = "---\nshiftlens:\n  base: vllm:http://localhost:9/v1#x\n  aligned: some/model\n  scores: saved\n---\n"
    hostile = f"{front}User: Why?\n\nAssistant: Well \x1b[31mred\u202e end.\n"
    async with client() as connected:
        result = await connected.call_tool("most_shifted", {"text": hostile, "tokens": 100})
        text = text_of(result)
        found = json.loads(text)
        assert found["models"] == {"base": BUNDLED_BASE, "aligned": BUNDLED_ALIGNED}
        assert any("the user's models are used" in problem for problem in found["problems"])
        assert any("other scores than those of models" in problem for problem in found["problems"])
        assert text.isprintable()


async def test_a_client_that_asks_is_told_how_far_it_is() -> None:
    told: list[tuple[float, float | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        assert message
        told.append((progress, total))

    async with client("--no-cache") as connected:
        result = await connected.call_tool("analyze", {"text": TALK}, progress_callback=tell)
    assert not result.is_error
    assert told
    assert told == sorted(told)
    assert {total for _, total in told} == {200}


async def test_what_is_no_transcript_is_refused_with_what_to_do() -> None:
    async with client() as connected:
        assert "not a transcript" in await why_not(connected, "analyze", text="hello")
        assert "Exactly one of `text` and `path`" in await why_not(connected, "analyze")


async def test_a_fault_of_ours_quotes_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_: Mapping[str, object]) -> Choice:
        raise KeyError(TALK)

    engine = EngineClient()
    async with Client(mcp_server(Evidence(Reading((), 1000), fails, engine))) as connected:
        said = await why_not(connected, "analyze", text=TALK)
    await engine.close()
    assert "KeyError. This is a fault of ShiftLens" in said
    logged = capsys.readouterr().err
    assert "KeyError" in logged
    assert "Great question" not in said + logged


def ended(*arguments: str, path: Path | None = None) -> tuple[int, str]:
    line = [sys.executable, "-m", "shiftlens", "mcp", *arguments]
    environment = os.environ | ({} if path is None else {"PYTHONPATH": str(path)})
    done = subprocess.run(
        line, capture_output=True, timeout=120, check=False, stdin=subprocess.DEVNULL, env=environment
    )
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


def test_the_user_names_the_models_and_folders_that_there_are(tmp_path: Path) -> None:
    code, said = ended()
    assert code == 2
    assert "--base and --aligned" in said
    code, said = ended("--bundled", "--allow", str(tmp_path / "missing"))
    assert code == 2
    assert "can't be allowed" in said


def test_without_the_package_it_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("", encoding="utf-8")
    code, said = ended("--bundled", path=tmp_path)
    assert code == 1
    assert "pip install 'shiftlens[mcp]'" in said


def test_it_ends_with_its_client() -> None:
    assert ended("--bundled") == (0, "")
