"""Lenses, symbols, hints, selections, highlights and the way to the next shifted token, over stdio with real scores."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any
from urllib.parse import quote

import pytest
from lsp_client import SECONDS, EditorClient, capabilities, started
from lsprotocol import types
from pygls.exceptions import JsonRpcException

pytestmark = pytest.mark.asyncio(loop_scope="module")

TALK = "User: Why is the\nsky blue?\nAssistant: Great question! é🙂 The\nquick fox.\n"
TWO = TALK + "User: More?\nAssistant: I hope this helps. 🙂 Great, great.\n"
SHIFTED = 0

Place = tuple[int, int]


def document(uri: str) -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(uri)


def start_of(place: types.Range) -> Place:
    return place.start.line, place.start.character


def end_of(place: types.Range) -> Place:
    return place.end.line, place.end.character


async def answered(request: Any) -> Any:
    return await asyncio.wait_for(request, SECONDS)


async def lenses(client: EditorClient, uri: str) -> list[types.CodeLens]:
    return list(await answered(client.text_document_code_lens_async(types.CodeLensParams(document(uri)))) or ())


async def hints(client: EditorClient, uri: str, last_line: int = 1000) -> list[types.InlayHint]:
    whole = types.Range(types.Position(0, 0), types.Position(last_line, 0))
    request = client.text_document_inlay_hint_async(types.InlayHintParams(document(uri), whole))
    return list(await answered(request) or ())


async def shifted(client: EditorClient, uri: str) -> list[tuple[Place, Place]]:
    """Where the shifted tokens stand, from the table of all tokens, which tells one that spans lines by line."""
    table = await client.ask("shiftlens/tokens", {"uri": uri})
    places = [table["ranges"][at : at + 3] for at in range(0, len(table["ranges"]), 3)]
    found = zip(places, table["classes"], strict=True)
    return [((line, start), (line, end)) for (line, start, end), kind in found if kind == SHIFTED]


async def following(client: EditorClient, uri: str, place: Place, of: str = "token", direction: str = "next") -> Any:
    params = {
        "uri": uri,
        "position": {"line": place[0], "character": place[1]},
        "of": of,
        "direction": direction,
    }
    return await client.ask("shiftlens/next", params)


def start_in(answer: Any) -> Place:
    return answer["range"]["start"]["line"], answer["range"]["start"]["character"]


async def scored(client: EditorClient, text: str = TWO) -> str:
    uri = client.open(text)
    await client.until_state(uri, "ready")
    return uri


async def test_each_response_has_lenses_whose_numbers_are_those_of_the_analysis(editor: EditorClient) -> None:
    before = editor.lens_refreshes
    uri = await scored(editor)
    assert editor.lens_refreshes > before
    analysis = await editor.ask("shiftlens/analysis", {"uri": uri})
    found = await lenses(editor, uri)
    counted = [lens for lens in found if lens.command and " tokens: " in lens.command.title]
    assert [start_of(lens.range) for lens in counted] == [
        (one["range"]["start"]["line"], one["range"]["start"]["character"]) for one in analysis["responses"]
    ]
    for lens, one in zip(counted, analysis["responses"], strict=True):
        summary = one["summary"]
        share = summary["shifted"] / summary["tokens"]
        assert lens.command is not None
        assert lens.command.title.startswith(f"{summary['tokens']} tokens: {share:.1%} shifted, ")


async def test_the_command_of_a_lens_shows_the_place_it_speaks_of(editor: EditorClient) -> None:
    uri = await scored(editor, TWO.replace("fox", "dog"))
    found = await lenses(editor, uri)
    commands = [lens.command for lens in found if lens.command and lens.command.title.startswith("densest run: ")]
    assert commands
    for command in commands:
        before = len(editor.shown)
        answer = await editor.command(command.command, *(command.arguments or ()))
        words = f"densest run: {answer['tokens']} tokens, {answer['shifted']} shifted"
        assert command.title == words
        await editor.until(lambda before=before: len(editor.shown) > before)
        told = editor.shown[-1]
        assert told.uri == uri
        assert told.selection is not None
        assert start_of(told.selection) == start_in(answer)


async def test_next_and_previous_visit_every_shifted_token_and_say_when_they_wrap(editor: EditorClient) -> None:
    uri = await scored(editor, TWO.replace("fox", "cat"))
    wanted = [start for start, _ in await shifted(editor, uri)]
    assert len(wanted) > 2
    place, visited = (0, 0), []
    while True:
        answer = await following(editor, uri, place)
        place = start_in(answer)
        if answer["wrapped"]:
            break
        visited.append(place)
    assert visited == sorted(set(visited))
    # A token that spans lines is one stop, where it begins, and a line break alone has no colour.
    assert [place for place in visited if place in wanted] == [start for start in wanted if start in visited]
    for stop in visited:
        found = await editor.ask("shiftlens/token", {"uri": uri, "position": {"line": stop[0], "character": stop[1]}})
        assert "shifted" in [token["class"] for token in found["tokens"]]
        assert start_in(found) == stop
    assert {line for line, _ in wanted} <= {line for line, _ in visited}
    assert place == visited[0]
    assert answer["complete"] is True
    backwards = []
    place = (1000, 0)
    for _ in visited:
        answer = await following(editor, uri, place, direction="previous")
        place = start_in(answer)
        backwards.append(place)
    assert backwards == visited[::-1]
    assert (await following(editor, uri, place, direction="previous"))["wrapped"] is True


async def test_runs_hold_the_shifted_tokens(editor: EditorClient) -> None:
    uri = await scored(editor, TWO.replace("fox", "hen"))
    tokens = await shifted(editor, uri)
    place, runs = (0, 0), []
    while not (answer := await following(editor, uri, place, of="run"))["wrapped"]:
        place = start_in(answer)
        runs.append(answer)
    assert runs
    ends = [(run["range"]["end"]["line"], run["range"]["end"]["character"]) for run in runs]
    spans = list(zip(map(start_in, runs), ends, strict=True))
    assert all(any(first <= start and end <= last for first, last in spans) for start, end in tokens)
    assert all(1 <= run["shifted"] <= run["tokens"] for run in runs)
    backward = await following(editor, uri, place, of="run", direction="previous")
    assert start_in(backward) == ([(0, 0), *map(start_in, runs)][-2] if len(runs) > 1 else place)


async def test_a_request_for_something_else_is_refused(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    with pytest.raises(JsonRpcException, match="`of` must be"):
        await following(editor, uri, (0, 0), of="line")
    await editor.until_state(uri, "ready")


async def test_the_command_says_that_it_went_round_or_that_there_is_nothing(editor: EditorClient) -> None:
    uri = await scored(editor, TWO.replace("fox", "bee"))
    before = len(editor.messages), len(editor.shown)
    answer = await editor.command("shiftlens.goToNextShifted", uri, {"line": 1000, "character": 0})
    assert answer["wrapped"] is True
    await editor.until(lambda: len(editor.shown) > before[1])
    assert [m.message for m in editor.messages[before[0] :]] == ["ShiftLens: went on from the start of the file."]
    other = editor.open("Milk and eggs.\n")
    await editor.until_state(other, "noTranscript")
    for name in ("goToNextRun", "goToPreviousRun", "goToPreviousShifted"):
        assert await editor.command(f"shiftlens.{name}", other, {"line": 0, "character": 0}) is None
    assert editor.messages[-1].message == "ShiftLens: no shifted token is known in this file."


async def test_symbols_and_folds_need_no_scores(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings={**tiny_settings, "runPolicy": "manual"})
    uri = client.open(TWO)
    symbols = await answered(client.text_document_document_symbol_async(types.DocumentSymbolParams(document(uri))))
    assert [symbol.name for symbol in symbols] == [
        "user: Why is the",
        "assistant: Great question! é🙂 The",
        "user: More?",
        "assistant: I hope this helps. 🙂 Great, great.",
    ]
    folds = await answered(client.text_document_folding_range_async(types.FoldingRangeParams(document(uri))))
    assert [(fold.start_line, fold.end_line) for fold in folds] == [(0, 1), (2, 3)]
    await client.until_state(uri, "notScored")
    titles = [lens.command.title for lens in await lenses(client, uri) if lens.command]
    assert titles == ["no scores yet: score this response"] * 2
    # What is asked about text that was just changed is answered of the new text.
    client.change(uri, TALK, version=2)
    symbols = await answered(client.text_document_document_symbol_async(types.DocumentSymbolParams(document(uri))))
    assert len(symbols) == 2
    lens = (await lenses(client, uri))[0]
    assert lens.command is not None
    assert await client.command(lens.command.command, *(lens.command.arguments or ())) == 1
    await client.until_state(uri, "ready", version=2)
    assert await client.leave() == 0


async def test_hints_are_off_until_the_user_wants_them(tiny_settings: dict[str, Any]) -> None:
    client = await started(caps=capabilities(encodings=("utf-8", "utf-16")), settings=dict(tiny_settings))
    uri = await scored(client)
    assert await hints(client, uri) == []
    before = client.hint_refreshes
    client.reconfigure(**tiny_settings, inlayHints=True, codeLenses=False)
    await client.until(lambda: client.hint_refreshes > before)
    found = await hints(client, uri)
    assert all(isinstance(hint.label, str) and hint.label.startswith("base: ") for hint in found)
    places = [(hint.position.line, hint.position.character) for hint in found]
    # A token that is a line break alone has a hint, but no colour.
    assert set(places) >= {end for _, end in await shifted(client, uri)}
    above = [place for place in places if place[0] < 3]
    assert 0 < len(above) < len(places)
    assert [(h.position.line, h.position.character) for h in await hints(client, uri, last_line=3)] == above
    assert await lenses(client, uri) == []
    assert await client.leave() == 0


async def test_a_selection_grows_from_a_token_to_its_turn(editor: EditorClient) -> None:
    uri = await scored(editor, TWO.replace("fox", "cow"))
    positions = [types.Position(2, 12), types.Position(0, 8), types.Position(0, 1)]
    found = await answered(
        editor.text_document_selection_range_async(types.SelectionRangeParams(document(uri), positions))
    )
    assert len(found) == 3
    token = await editor.ask("shiftlens/token", {"uri": uri, "position": {"line": 2, "character": 12}})
    assert start_of(found[0].range) == (token["range"]["start"]["line"], token["range"]["start"]["character"])
    spans, each = [], found[0]
    while each is not None:
        spans.append((start_of(each.range), end_of(each.range)))
        each = each.parent
    assert all(outer[0] <= inner[0] and inner[1] <= outer[1] for inner, outer in itertools.pairwise(spans))
    assert ((2, 11), (3, 10)) in spans
    assert (start_of(found[1].range), end_of(found[1].range)) == ((0, 6), (1, 9))
    assert start_of(found[2].range) == end_of(found[2].range) == (0, 1)


async def test_the_same_token_is_highlighted_in_all_responses(editor: EditorClient) -> None:
    uri = await scored(editor, "User: q\nAssistant: a cat, a dog, a fox\nUser: q\nAssistant: x, y\n")
    position = types.Position(1, len("Assistant: a cat"))
    request = editor.text_document_document_highlight_async(types.DocumentHighlightParams(document(uri), position))
    found = await answered(request)
    token = await editor.ask("shiftlens/token", {"uri": uri, "position": {"line": 1, "character": position.character}})
    assert token["tokens"][0]["text"] == ","
    assert [start_of(one.range) for one in found] == [(1, 16), (1, 23), (3, 12)]
    kinds = {"shifted": 3, "marginal": 2, "unshifted": 1}
    for one in found:
        place = {"line": one.range.start.line, "character": one.range.start.character}
        there = await editor.ask("shiftlens/token", {"uri": uri, "position": place})
        assert one.kind == kinds[there["tokens"][0]["class"]]


async def test_runs_are_diagnostics_where_the_user_wants_them(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings={**tiny_settings, "runDiagnostics": True})
    uri = await scored(client)

    def told() -> list[types.Diagnostic]:
        return list(client.diagnostics[-1].diagnostics)

    assert {one.severity for one in told()} == {types.DiagnosticSeverity.Information}
    place, runs = (0, 0), []
    while not (answer := await following(client, uri, place, of="run"))["wrapped"]:
        place = start_in(answer)
        runs.append(place)
    assert [start_of(one.range) for one in told()] == runs
    client.change(uri, "\n" + TWO, version=2)
    await client.until(lambda: client.diagnostics[-1].version == 2)
    assert [start_of(one.range) for one in told()] == [(line + 1, column) for line, column in runs]
    await client.until_state(uri, "ready", version=2)
    client.reconfigure(**tiny_settings)
    await client.until(lambda: told() == [])
    assert await client.leave() == 0


async def test_a_file_that_is_no_transcript_any_more_keeps_nothing(tiny_settings: dict[str, Any]) -> None:
    client = await started(settings={**tiny_settings, "runDiagnostics": True})
    uri = await scored(client)
    assert client.diagnostics[-1].diagnostics
    before = client.lens_refreshes
    client.change(uri, "Milk and eggs.\n", version=2)
    await client.until_state(uri, "noTranscript", version=2)
    assert not client.diagnostics[-1].diagnostics
    assert client.lens_refreshes > before
    assert await lenses(client, uri) == []
    symbols = await answered(client.text_document_document_symbol_async(types.DocumentSymbolParams(document(uri))))
    assert not symbols
    assert await client.leave() == 0


async def test_what_the_client_has_no_use_for_is_not_offered(tiny_settings: dict[str, Any]) -> None:
    options = {"commands": ["shiftlens.openReport", "workbench.action.quit"]}
    bare = await started(caps=types.ClientCapabilities(), settings=tiny_settings, options=options)
    offered = bare.answer_to_initialise.capabilities
    assert offered.code_lens_provider is None
    assert offered.inlay_hint_provider is None
    assert offered.folding_range_provider is None
    assert offered.selection_range_provider is None
    assert offered.document_symbol_provider
    assert offered.document_highlight_provider
    assert await bare.leave() == 0


async def test_a_client_that_shows_no_documents_is_told_the_place(tiny_settings: dict[str, Any]) -> None:
    caps = capabilities(shows_documents=False, nests_symbols=False)
    options = {"commands": ["shiftlens.openReport", "workbench.action.quit"]}
    client = await started(caps=caps, settings=dict(tiny_settings), options=options)
    offered = client.answer_to_initialise.capabilities
    assert offered.code_lens_provider
    assert offered.inlay_hint_provider
    assert offered.folding_range_provider
    assert offered.selection_range_provider
    uri = await scored(client)
    answer = await client.command("shiftlens.goToNextShifted", uri, {"line": 0, "character": 0})
    line, column = start_in(answer)
    await client.until(lambda: bool(client.messages))
    said = f"ShiftLens: the next shifted token is on line {line + 1}, column {column + 1}."
    assert client.messages[-1].message == said
    assert client.shown == []
    # Of the commands that it has, those that lenses know.
    names = {lens.command.command for lens in await lenses(client, uri) if lens.command}
    assert names == {"shiftlens.openReport", "shiftlens.goToFirstShifted", "shiftlens.goToDensestRun"}
    symbols = await answered(client.text_document_document_symbol_async(types.DocumentSymbolParams(document(uri))))
    assert all(isinstance(symbol, types.SymbolInformation) for symbol in symbols)
    assert await client.leave() == 0


async def test_a_page_has_them_as_well(editor: EditorClient) -> None:
    record = {"messages": [{"role": "user", "content": "Why?\nSay."}, {"role": "assistant", "content": "Great.\nSo."}]}
    source = await scored(editor, json.dumps(record) + "\n" + json.dumps(record) + "\n")
    uri = f"shiftlens-conversation:/talk.jsonl?{quote(source, safe='')}"
    request = editor.workspace_text_document_content_async(types.TextDocumentContentParams(uri))
    text = (await answered(request)).text
    editor.open(text, uri=uri)
    await editor.until_state(uri, "ready")
    symbols = await answered(editor.text_document_document_symbol_async(types.DocumentSymbolParams(document(uri))))
    assert [len(symbol.children or ()) for symbol in symbols] == [2, 2]
    folds = await answered(editor.text_document_folding_range_async(types.FoldingRangeParams(document(uri))))
    assert len(folds) == 6
    rows = {start_of(lens.range)[0] for lens in await lenses(editor, uri)}
    lines = text.split("\n")
    assert {lines[row] for row in rows} == {"Great."}
    answer = await following(editor, uri, (0, 0))
    assert start_in(answer) == (await shifted(editor, uri))[0][0]
