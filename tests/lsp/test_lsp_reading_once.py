"""A text is read once, however many want it read."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shiftlens.lsp.documents.open import OpenDocument, parse
from shiftlens.lsp.jobs.read_document import read_document
from shiftlens.lsp.jobs.session import Session
from shiftlens.options.settings import Settings

TEXT = "User: q\nAssistant: a\n"


async def test_who_asks_while_a_text_is_read_waits_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(version: int, *rest: Any) -> Any:
        read.append(version)
        return parse(version, *rest)

    monkeypatch.setattr("shiftlens.lsp.jobs.read_document.parse", counted)
    session = cast(Session, SimpleNamespace(pages={}, pair=None, trusted=True))
    document = OpenDocument("file:///talk.txt", 1, TEXT)
    found = await asyncio.gather(*(read_document(session, document, Settings()) for _ in range(3)))
    assert read == [1]
    assert {len(one.transcript.responses) for one in found if one.transcript is not None} == {1}
    document.version, document.text = 2, TEXT + TEXT
    again = await read_document(session, document, Settings())
    assert (read, again.version) == ([1, 2], 2)
