"""A request whose document changes while it is answered."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

import pytest
from pygls.exceptions import JsonRpcContentModified

from shiftlens.lsp.server import features

pytestmark = pytest.mark.usefixtures("lasting_engines")


async def test_colours_of_a_text_that_changed_meanwhile_are_content_modified(monkeypatch: pytest.MonkeyPatch) -> None:
    document = SimpleNamespace(
        uri="file:///a",
        version=1,
        text="a",
        encoded=None,
        edits_since=lambda _shown: None,
        noise_of=lambda _shown: None,
    )
    session = SimpleNamespace(
        store=SimpleNamespace(shown=lambda _uri: object()),
        editor=SimpleNamespace(encoding="utf-16"),
        documents={document.uri: document},
    )

    def encode_while_the_reader_types(*_arguments: object) -> array[int]:
        document.version = 2
        return array("I")

    monkeypatch.setattr(features, "encode_now", encode_while_the_reader_types)
    with pytest.raises(JsonRpcContentModified):
        await features._encoded(SimpleNamespace(session=session), document)  # type: ignore[arg-type]
    assert document.encoded is None
