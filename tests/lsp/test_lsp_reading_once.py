"""A text is read once, however many want it read."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shiftlens.lsp.documents.open import OpenDocument, parse
from shiftlens.lsp.jobs import analyser
from shiftlens.lsp.jobs.analyser import Analyser
from shiftlens.lsp.jobs.session import Session
from shiftlens.options.settings import Settings

TEXT = "User: q\nAssistant: a\n"


async def test_who_asks_while_a_text_is_read_waits_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(version: int, *rest: Any) -> Any:
        read.append(version)
        return parse(version, *rest)

    monkeypatch.setattr(analyser, "parse", counted)
    session = cast(Session, SimpleNamespace(pages={}))
    document = OpenDocument("file:///talk.txt", 1, TEXT)
    jobs = Analyser(session, cast(Any, None))
    found = await asyncio.gather(*(jobs.parsed(document, Settings()) for _ in range(3)))
    assert read == [1]
    assert {len(one.transcript.responses) for one in found if one.transcript is not None} == {1}
    document.version, document.text = 2, TEXT + TEXT
    again = await jobs.parsed(document, Settings())
    assert (read, again.version) == ([1, 2], 2)
