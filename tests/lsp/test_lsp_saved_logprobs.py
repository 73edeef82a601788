"""A file that holds logprobs is coloured from what it holds, with no pair chosen and no engine started."""

from __future__ import annotations

import html
import json

from lsprotocol import types

from lsp.lsp_client import decode, started
from saved.files import MODEL, Row, written

ROWS = [
    Row(5, b"Great", -0.25, ((5, b"Great", -0.25), (6, b"Well", -2.5))),
    Row(7, b" pick", -2.5, ((8, b" question", -0.5), (7, b" pick", -2.5))),
    Row(9, b"!", -6.0, ((8, b".", -0.5), (10, b",", -1.5), (11, b" and", -3.0))),
    Row(2, b"</s>", -0.1, ((2, b"</s>", -0.1), (8, b" I", -4.0))),
]
TEXT = written("chat", "Great pick!", ROWS, 3)
LINE_OF_ANSWER = TEXT.index("Great pick!")


async def test_saved_logprobs_give_colours_and_hovers_without_any_model() -> None:
    client = await started(settings={"scores": "saved"})
    uri = client.open(TEXT, name="answer.json")
    await client.until_state(uri, "ready")
    colours = decode(TEXT, await client.tokens(uri), "utf-16")
    assert [(text, kind) for text, kind, _ in colours] == [
        ("Great", "unshifted"),
        (" pick", "marginal"),
        ("!", "shifted"),
    ]
    hover = await client.hover(uri, 0, LINE_OF_ANSWER + len("Great p"))
    assert hover is not None
    assert isinstance(hover.contents, types.MarkupContent)
    said = html.unescape(hover.contents.value)
    assert "less expected" in said
    assert "The model's own rank 2" in said
    assert "one model only: classes are by that model's own rank" in said
    assert "base" not in said
    answer = await client.ask("shiftlens/analysis", {"uri": uri})
    assert answer["models"] == {"base": None, "aligned": MODEL}
    assert answer["settings"]["scores"] == "saved"
    assert answer["settings"]["baseContext"] is None
    token = await client.ask(
        "shiftlens/token", {"uri": uri, "position": {"line": 0, "character": LINE_OF_ANSWER + len("Great p")}}
    )
    (one,) = token["tokens"]
    assert (one["class"], one["classText"], one["base"], one["kl"]) == ("marginal", "less expected", None, None)
    assert (token["models"], token["prefix"]) == ({"base": None, "aligned": MODEL}, None)
    lenses = await client.text_document_code_lens_async(types.CodeLensParams(types.TextDocumentIdentifier(uri)))
    titles = [lens.command.title for lens in lenses or () if lens.command is not None]
    assert "25.0% surprising" in titles[0]
    assert await client.leave() == 0


async def test_a_file_without_saved_logprobs_says_so_instead_of_asking_for_models() -> None:
    client = await started(settings={"scores": "saved"})
    uri = client.open("User: Why?\nAssistant: Because.\n")
    status = await client.until_state(uri, "notScored")
    assert "holds no logprobs" in status["message"]
    assert await client.leave() == 0


async def test_without_a_pair_the_user_is_told_that_the_file_has_logprobs() -> None:
    client = await started(settings={})
    uri = client.open(json.dumps(json.loads(TEXT)), name="answer.json")
    status = await client.until_state(uri, "noPair")
    assert "holds logprobs of its response" in status["message"]
    assert await client.leave() == 0
