"""What is no longer wanted is not scored to its end: the cancel command, a newer edit, a closed file."""

from __future__ import annotations

from typing import Any

import pytest

from lsp.lsp_client import EditorClient, started
from processes import processor_seconds

pytestmark = pytest.mark.usefixtures("lasting_engines")

SENTENCE = "The quick brown fox jumps over the lazy dog. "
SHORT = "User: {}?\nAssistant: Great question!\n"


def long_talk(name: str) -> str:
    """Some seconds of work: each response is asked for in other words than any before."""
    return "".join(f"User: {name} {i}?\nAssistant: {SENTENCE * 50}\n\n" for i in range(12))


async def cpu_seconds(client: EditorClient) -> float:
    return processor_seconds((await client.command("shiftlens.debugInformation"))["enginePid"])


async def test_a_job_that_is_given_up_takes_no_more_time_of_the_engine(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings={**tiny_settings, "resultCache": False})
    await client.until_state(client.open(SHORT.format("First")), "ready")
    before = await cpu_seconds(client)
    await client.until_state(client.open(long_talk("Whole")), "ready")
    whole = await cpu_seconds(client) - before
    for how in ("command", "edit", "close"):
        uri = client.open(long_talk(how))
        await client.until_state(uri, "scoring")
        before = await cpu_seconds(client)
        if how == "command":
            assert await client.command("shiftlens.cancel", uri) is True
        elif how == "edit":
            client.change(uri, SHORT.format("Edited"), 2)
            await client.until_state(uri, "ready", version=2)
        else:
            client.close_document(uri)
        # The engine does the jobs of one editor in their order: with this done, the one before has come to its end.
        await client.until_state(client.open(SHORT.format(f"After {how}")), "ready")
        assert await cpu_seconds(client) - before < whole / 2, how
    assert await client.leave() == 0
