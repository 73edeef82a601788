"""What is told of files that are not open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lsp.lsp_client import started

pytestmark = pytest.mark.usefixtures("lasting_engines")

TALK = "User: Why is the sky blue?\nAssistant: Great question!\nUser: And the sea?\nAssistant: It too.\n"


async def test_a_file_that_is_not_open_shows_the_scores_of_before_and_loads_no_model(
    tiny_settings: dict[str, Any], tmp_path: Path
) -> None:
    talk, other = tmp_path / "talk.txt", tmp_path / "other.txt"
    talk.write_text(TALK)
    other.write_text(TALK.replace("It too", "Also"))
    client = await started(settings=tiny_settings)
    uri = client.open(TALK, uri=talk.as_uri())
    await client.until_state(uri, "ready")
    shown = await client.ask("shiftlens/analysis", {"uri": uri})
    client.close_document(uri)
    assert await client.leave() == 0

    client = await started(settings=tiny_settings)
    answer = await client.ask("shiftlens/survey", {"uri": uri})
    assert answer["state"] == "ready"
    assert answer["responses"] == shown["responses"]
    part = await client.ask("shiftlens/survey", {"uri": other.as_uri()})
    assert [response["state"] for response in part["responses"]] == ["scored", "pending"]
    assert part["state"] == "notScored"
    told = await client.command("shiftlens.debugInformation")
    assert told["enginePid"] is None
    assert told["cachedBytes"] == 0
    assert await client.leave() == 0


async def test_what_is_no_transcript_has_no_answer(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    prose, binary, large = tmp_path / "prose.txt", tmp_path / "binary.txt", tmp_path / "large.txt"
    prose.write_text("Milk, eggs and a loaf of bread.\n")
    binary.write_bytes(b"User: \xff\nAssistant: \xfe\n")
    large.write_text(TALK * 10)
    client = await started(settings={**tiny_settings, "maxFileBytes": len(TALK)})
    for uri in (prose.as_uri(), binary.as_uri(), large.as_uri(), (tmp_path / "none.txt").as_uri(), "untitled:a.txt"):
        assert await client.ask("shiftlens/survey", {"uri": uri}) is None
    assert await client.leave() == 0


async def test_without_a_pair_there_is_nothing_to_tell(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text(TALK)
    client = await started()
    assert await client.ask("shiftlens/survey", {"uri": talk.as_uri()}) is None
    assert await client.leave() == 0
