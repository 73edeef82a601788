"""Colours and hovers of real scores, over stdio."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from lsprotocol import types
from markdown_it import MarkdownIt
from pygls.exceptions import JsonRpcException

from lsp.lsp_client import SECONDS, EditorClient, capabilities, decode, spans, started
from score_job import score
from shiftlens.analysis.classify import build
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Scored
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.requests import to_score
from shiftlens.transcripts.read import read

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("lasting_engines")]

TALK = "User: Why is the sky blue?\nAssistant: Great question! é🙂 The\nquick fox.\n"
TWO = TALK + "\nUser: More?\nAssistant: I hope this helps.\n"
ODD = "User: a\u2028b\r\nAssistant: The\u2028quick 🙂\x0cfox\r\n日本 jumps\x85over\r\n"
NAMES = ("unshifted", "marginal", "shifted")
CONTENT_MODIFIED = -32801


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[EngineClient]:
    """An engine beside the server's, to compare with."""
    client = EngineClient()
    yield client
    await client.close()


async def expected(engine: EngineClient, pair: PairSpec, text: str) -> dict[int, str]:
    """The worst class of the tokens that hold bytes of each character of the responses, from the engine itself."""
    transcript = read(text, filename="talk.txt")
    assert transcript is not None
    found: dict[int, Scored] = {}
    await score(
        engine,
        pair,
        ScoreOptions(),
        [to_score(response, transcript.format) for response in transcript.responses],
        on_scored=lambda message: found.__setitem__(message.index, message),
    )
    classes: dict[int, str] = {}
    for index, response in enumerate(transcript.responses):
        scored = found[index].scored
        shown = build(response, scored, ClassifyOptions()).classes
        ends = list(scored.byte_ends)
        begins = [0, *ends[:-1]]
        at = 0
        for offset, char in enumerate(response.text):
            past = at + len(char.encode())
            worst = max(shown[row] for row in range(len(ends)) if begins[row] < past and ends[row] > at)
            classes[response.turn.parts[0].source.start_of(offset)] = NAMES[worst]
            at = past
    return classes


async def thresholds(editor: EditorClient, uri: str) -> list[int]:
    answer: dict[str, Any] = await editor.ask("shiftlens/analysis", {"uri": uri})
    found: list[int] = answer["settings"]["thresholds"]
    return found


def by_character(text: str, data: list[int], encoding: str) -> dict[int, str]:
    return {at: kind for start, end, kind, _ in spans(text, data, encoding) for at in range(start, end)}


@pytest.mark.parametrize("text", [TWO, ODD], ids=["two turns", "odd line ends"])
async def test_each_character_has_the_worst_class_of_its_tokens(
    editor: EditorClient, engine: EngineClient, tiny_pair: PairSpec, text: str
) -> None:
    uri = editor.open(text)
    await editor.until_state(uri, "ready")
    wanted = {at: kind for at, kind in (await expected(engine, tiny_pair, text)).items() if text[at] not in "\r\n"}
    assert by_character(text, await editor.tokens(uri), "utf-16") == wanted


async def test_a_client_that_counts_in_utf_8_gets_the_same_colours(
    editor: EditorClient, tiny_settings: dict[str, Any]
) -> None:
    uri = editor.open(ODD)
    await editor.until_state(uri, "ready")
    wanted = by_character(ODD, await editor.tokens(uri), "utf-16")
    other = await started(caps=capabilities(encodings=("utf-8", "utf-16")), settings=tiny_settings)
    theirs = other.open(ODD)
    await other.until_state(theirs, "ready")
    assert by_character(ODD, await other.tokens(theirs), "utf-8") == wanted
    assert await other.leave() == 0


async def test_scores_make_the_editor_come_back(editor: EditorClient) -> None:
    before = editor.refreshes
    uri = editor.open(TALK.replace("fox", "dog"))
    await editor.until(lambda: editor.refreshes > before)
    await editor.until_state(uri, "ready")


async def test_the_first_colours_of_a_long_response_come_before_the_last(editor: EditorClient) -> None:
    uri = editor.open("User: q\nAssistant: " + "A lazy dog jumps. " * 150)
    begun = len(editor.events)
    await editor.until_state(uri, "ready")
    events = editor.events[begun:]
    assert events[events.index((uri, "scoring")) : events.index((uri, "ready"))].count("refresh") >= 2


async def test_reopening_and_undoing_cost_nothing(editor: EditorClient) -> None:
    text = TALK.replace("fox", "lazy dog")
    uri = editor.open(text)
    await editor.until_state(uri, "ready")
    colours = await editor.tokens(uri)
    editor.close_document(uri)
    again = editor.open(text)
    await editor.until_state(again, "ready")
    assert [s["state"] for s in editor.statuses if s["uri"] == again] == ["ready"]
    assert await editor.tokens(again) == colours
    editor.change(again, text + "!", 2)
    editor.change(again, text, 3)
    await editor.until_state(again, "ready", version=3)
    assert {s["state"] for s in editor.statuses if s["uri"] == again} == {"ready"}


async def test_a_turn_that_did_not_change_is_not_scored_again(editor: EditorClient) -> None:
    uri = editor.open(TWO)
    await editor.until_state(uri, "ready")
    editor.change(uri, TWO.replace("helps", "helps you"), 2)
    await editor.until_state(uri, "ready", version=2)
    scoring = [s["message"] for s in editor.statuses if s["uri"] == uri and s["state"] == "scoring"]
    assert scoring
    assert not any("of 2" in message for message in scoring)


async def test_old_colours_move_with_an_edit_until_the_new_ones_are_there(editor: EditorClient) -> None:
    with editor.set_to(runPolicy="onOpen"):
        uri = editor.open(TWO)
        await editor.until_state(uri, "ready")
        old = decode(TWO, await editor.tokens(uri), "utf-16")
        edited = "User: Hello.\n\n" + TWO.replace("question", "quetsion")
        editor.change(uri, edited, 2)
        for wait in (False, True):
            if wait:
                await editor.until_state(uri, "notScored", version=2)
            new = decode(edited, await editor.tokens(uri), "utf-16")
            assert new
            assert [item for item in old if item in new][-9:] == old[-9:]
            assert 0 < len(new) < len(old)


async def test_a_file_that_is_no_transcript_costs_nothing(editor: EditorClient) -> None:
    for text in ("", "Just some prose.\nNo roles here.\n", "\n"):
        uri = editor.open(text)
        status = await editor.until_state(uri, "noTranscript")
        assert status["message"] == ""
        assert await editor.tokens(uri) == []
        assert await editor.hover(uri, 0, 0) is None
        assert (await editor.ask("shiftlens/analysis", {"uri": uri}))["responses"] == []


async def test_a_bad_line_among_good_ones_is_marked_and_the_rest_is_coloured(editor: EditorClient) -> None:
    good = '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "The quick \\u00e9"}]}'
    text = f"{good}\n{{broken\n{good}\n"
    uri = editor.open(text, name="talk.jsonl")
    await editor.until_state(uri, "ready")
    found = next(d for d in editor.diagnostics if d.uri == uri).diagnostics
    assert [d.range.start.line for d in found] == [1]
    assert found[0].severity == types.DiagnosticSeverity.Warning
    colours = decode(text, await editor.tokens(uri), "utf-16")
    assert "".join(piece for piece, _, _ in colours) == "The quick \\u00e9" * 2
    editor.change(uri, f"{good}\n", 2)
    await editor.until(lambda: next(d for d in reversed(editor.diagnostics) if d.uri == uri).diagnostics == ())


async def test_a_prompt_without_an_answer_says_so_and_gets_an_answers_colours_when_it_has_one(
    editor: EditorClient,
) -> None:
    uri = editor.open('{"messages": [{"role": "user", "content": "q"}]}\n', name="prompt.jsonl")
    status = await editor.until_state(uri, "noResponse")
    assert "prompt without an answer" in status["message"]
    assert await editor.tokens(uri) == []
    text = '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "The quick"}]}\n'
    editor.change(uri, text, 2)
    await editor.until_state(uri, "ready", version=2)
    assert await editor.tokens(uri) != []


async def test_a_transcript_that_can_not_be_read_is_an_error_at_its_line(editor: EditorClient) -> None:
    uri = editor.open("---\nshiftlens: [1\n---\nUser: q\nAssistant: a\n")
    status = await editor.until_state(uri, "error")
    assert "YAML" in status["message"]
    found = next(d for d in editor.diagnostics if d.uri == uri).diagnostics
    assert [d.severity for d in found] == [types.DiagnosticSeverity.Error]
    assert found[0].range.start.line > 0
    editor.close_document(uri)
    await editor.until(lambda: next(d for d in reversed(editor.diagnostics) if d.uri == uri).diagnostics == ())


async def test_a_file_that_breaks_while_one_types_keeps_its_colours(editor: EditorClient) -> None:
    text = '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "The quick"}]}'
    uri = editor.open(text, name="talk.json")
    await editor.until_state(uri, "ready")
    colours = decode(text, await editor.tokens(uri), "utf-16")
    broken = text[:-1]
    editor.change(uri, broken, 2)
    await editor.until_state(uri, "error", version=2)
    assert decode(broken, await editor.tokens(uri), "utf-16") == colours
    editor.change(uri, "prose now\n", 3)
    await editor.until_state(uri, "noTranscript", version=3)
    assert await editor.tokens(uri) == []


async def test_an_empty_response_is_no_trouble(editor: EditorClient) -> None:
    uri = editor.open("User: q\nAssistant:")
    status = await editor.until_state(uri, "noResponse")
    assert status["message"] == "The assistant's turn is empty."
    assert await editor.tokens(uri) == []


async def test_delta_and_range_agree_with_full(editor: EditorClient) -> None:
    uri = editor.open(TWO)
    await editor.until_state(uri, "ready")
    document = types.TextDocumentIdentifier(uri)
    full = await editor.text_document_semantic_tokens_full_async(types.SemanticTokensParams(document))
    assert full is not None
    assert full.result_id is not None
    same = await editor.text_document_semantic_tokens_full_delta_async(
        types.SemanticTokensDeltaParams(document, full.result_id)
    )
    assert isinstance(same, types.SemanticTokensDelta)
    assert list(same.edits) == []
    changed = TWO.replace("helps", "really helps")
    editor.change(uri, changed, 2)
    await editor.until_state(uri, "ready", version=2)
    delta = await editor.text_document_semantic_tokens_full_delta_async(
        types.SemanticTokensDeltaParams(document, full.result_id)
    )
    assert isinstance(delta, types.SemanticTokensDelta)
    data = list(full.data)
    for edit in delta.edits:
        data[edit.start : edit.start + edit.delete_count] = edit.data or []
    assert data == await editor.tokens(uri)
    unknown = await editor.text_document_semantic_tokens_full_delta_async(
        types.SemanticTokensDeltaParams(document, "nonsense")
    )
    assert isinstance(unknown, types.SemanticTokens)
    line = types.Range(types.Position(2, 0), types.Position(3, 0))
    part = await editor.text_document_semantic_tokens_range_async(types.SemanticTokensRangeParams(document, line))
    assert part is not None
    start, end = changed.index("quick"), changed.index("\n\nUser: More")
    wanted = [item for item in spans(changed, data, "utf-16") if start <= item[0] < end]
    assert wanted
    assert spans(changed, list(part.data), "utf-16") == wanted


async def test_a_hover_shows_both_distributions_and_the_token_in_them(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    hover = await editor.hover(uri, 1, 12)
    assert hover is not None
    assert hover.contents.kind == types.MarkupKind.Markdown
    page = MarkdownIt("commonmark").enable("table").render(hover.contents.value)
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    assert len(rows) >= 12
    assert "all others" in rows[-1]
    assert "◀" in page
    for words in ("Base rank", "aligned rank", "KL(aligned || base)", "Jaccard@10", "position 1 of", "aligntds"):
        assert words in re.sub(r"<[^>]*>", "", page)
    assert not re.search(r"<(a|img|code)\b", page)
    token = (await editor.ask("shiftlens/token", {"uri": uri, "position": {"line": 1, "character": 12}}))["tokens"][0]
    assert token["class"] in page
    assert f"Base rank {token['base']['rank']}" in page
    ranges = [(start, end) for start, end, _, _ in spans(TALK, await editor.tokens(uri), "utf-16")]
    start = TALK.index("Great")
    assert hover.range is not None
    assert (start, start + hover.range.end.character - hover.range.start.character) in ranges


async def test_a_hover_lists_the_tokens_that_make_one_character(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    column = TALK.splitlines()[1].index("🙂")
    hover = await editor.hover(uri, 1, column)
    assert hover is not None
    assert "&#60;0xF0&#62;" in hover.contents.value
    assert "Part 1 of 4 of one character" in hover.contents.value
    assert hover.range == types.Range(types.Position(1, column), types.Position(1, column + 2))


async def test_a_hover_behind_the_last_character_shows_the_end_as_well(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    hover = await editor.hover(uri, 2, len("quick fox."))
    assert hover is not None
    assert "End of the response" in hover.contents.value
    assert "the base model with" in hover.contents.value
    at = {"line": 2, "character": len("quick fox.")}
    answer = await editor.ask("shiftlens/token", {"uri": uri, "position": at})
    assert [token["isEnd"] for token in answer["tokens"]] == [False, True]
    assert answer["tokens"][1]["base"]["id"] != answer["tokens"][1]["aligned"]["id"]


async def test_a_hover_outside_responses_says_nothing(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    assert await editor.hover(uri, 0, 3) is None
    assert await editor.hover(uri, 99, 99) is None
    assert await editor.ask("shiftlens/token", {"uri": uri, "position": {"line": 0, "character": 3}}) is None


async def test_custom_requests_keep_every_key(editor: EditorClient) -> None:
    uri = editor.open(TWO)
    await editor.until_state(uri, "ready")
    analysis = await editor.ask("shiftlens/analysis", {"uri": uri})
    assert analysis["state"] == "ready"
    assert analysis["format"] == "labels"
    assert [r["state"] for r in analysis["responses"]] == ["scored", "scored"]
    first = analysis["responses"][0]
    counts = first["summary"]
    assert counts["tokens"] == counts["unshifted"] + counts["marginal"] + counts["shifted"]
    assert first["range"]["start"] == {"line": 1, "character": len("Assistant: ")}
    assert [r["prompt"] for r in analysis["responses"]] == ["Why is the sky blue?", "More?"]
    answer = await editor.ask("shiftlens/token", {"uri": uri, "position": {"line": 1, "character": 12}})
    side = answer["tokens"][0]["base"]
    assert set(side) == {"id", "rank", "rankText", "logprob", "prob", "entropy", "missingMass", "top"}
    assert len(side["top"]) == 10
    assert abs(sum(c["prob"] for c in side["top"]) + side["missingMass"] - 1) < 1e-5
    assert "Why is the sky blue?" in answer["prefix"]["base"]
    assert await editor.ask("shiftlens/analysis", {"uri": "file:///unknown"}) is None


async def test_other_classes_need_no_new_scores(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    told = len([s for s in editor.statuses if s["uri"] == uri])
    with editor.set_to(thresholds=[1, 100000]):
        # The server says nothing when only the classes are others, so it is asked until they are.
        while await thresholds(editor, uri) != [1, 100000]:
            pass
        kinds = {kind for _, kind, _ in decode(TALK, await editor.tokens(uri), "utf-16")}
        assert kinds <= {"unshifted", "marginal"}
        states = [s["state"] for s in editor.statuses if s["uri"] == uri][told:]
        assert set(states) <= {"ready"}


async def test_a_bad_setting_is_told_once_and_its_default_used(editor: EditorClient) -> None:
    with editor.set_to(topK="ten"):
        for _ in range(2):
            editor.reconfigure(**editor.settings)
            await editor.until_state(editor.open(TALK), "ready")
        said = [m.message for m in editor.messages if "topK" in m.message]
        assert said == ["The setting `shiftlens.topK` must be a whole number from 1 to 100; its default is used."]


async def test_manual_scores_on_command_only(editor: EditorClient) -> None:
    text = TALK.replace("question", "jumps over")
    with editor.set_to(runPolicy="manual"):
        uri = editor.open(text)
        status = await editor.until_state(uri, "notScored")
        assert "ShiftLens: Score" in status["message"]
        assert await editor.tokens(uri) == []
        hover = await editor.hover(uri, 1, 12)
        assert hover is not None
        assert "Not scored yet" in hover.contents.value
        assert await editor.command("shiftlens.score", uri) is True
        await editor.until_state(uri, "ready")
        assert await editor.tokens(uri)


async def test_saving_scores_where_typing_does_not(editor: EditorClient) -> None:
    with editor.set_to(runPolicy="onSave"):
        uri = editor.open(TALK)
        await editor.until_state(uri, "ready")
        editor.change(uri, TALK.replace("fox", "cat"), 2)
        await editor.until_state(uri, "notScored", version=2)
        editor.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))
        await editor.until_state(uri, "ready", version=2)


async def test_commands_check_their_arguments(editor: EditorClient) -> None:
    assert await editor.command("shiftlens.score", "file:///unknown") is False
    assert await editor.command("shiftlens.cancel", "file:///unknown") is False
    with pytest.raises(Exception, match="missing a required argument"):
        await editor.command("shiftlens.score")
    with pytest.raises(Exception, match="too many positional arguments"):
        await editor.command("shiftlens.score", "file:///a", "too many")


async def test_debug_information_holds_no_text(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    info = await editor.command("shiftlens.debugInformation")
    assert info["packages"]["pygls"].startswith("2.")
    assert isinstance(info["enginePid"], int)
    entry = next(d for d in info["documents"] if d["uri"] == uri)
    assert entry["state"] == "ready"
    assert entry["settings"]["debounceMs"] == 20
    assert "question" not in str(info)


async def test_many_edits_leave_nothing_behind(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    for version in range(2, 52):
        editor.change(uri, TALK + "x" * version, version)
    await editor.until_state(uri, "ready", version=51)
    info = await editor.command("shiftlens.debugInformation")
    assert info["pendingRequests"] < 20


async def test_a_model_that_is_not_there_is_told_once(editor: EditorClient, tmp_path: Any) -> None:
    with editor.set_to(base=str(tmp_path / "absent")):
        uri = editor.open(TALK)
        status = await editor.until_state(uri, "error")
        assert "absent" in status["message"]
        editor.change(uri, TALK + "x", 2)
        await editor.until_state(uri, "error", version=2)
        said = [m for m in editor.messages if "absent" in m.message]
        assert len(said) == 1
        assert said[0].type == types.MessageType.Error
        assert "Traceback" not in said[0].message
    await editor.until_state(uri, "ready")


async def test_a_response_that_can_not_be_scored_says_why_and_the_others_are_coloured(editor: EditorClient) -> None:
    text = TALK + "User: more\nAssistant: " + "The quick fox. " * 5
    fails_for_more = "template:{{ query }}: {% if 'more' in query %}{{ query.no.such }}{% endif %}"
    with editor.set_to(baseContext=fails_for_more):
        uri = editor.open(text)
        status = await editor.until_state(uri, "ready")
        assert status["message"] == "1 of 2 responses could not be scored."
        colours = spans(text, await editor.tokens(uri), "utf-16")
        assert colours
        assert colours[-1][1] < text.index("User: more")
        hover = await editor.hover(uri, 4, 40)
        assert hover is not None
        assert "**Not scored**" in hover.contents.value
        analysis = await editor.ask("shiftlens/analysis", {"uri": uri})
        assert [r["state"] for r in analysis["responses"]] == ["scored", "refused"]
        assert analysis["responses"][1]["message"]


async def test_unloading_ends_the_engine_and_keeps_the_colours(editor: EditorClient) -> None:
    uri = editor.open(TALK)
    await editor.until_state(uri, "ready")
    colours = await editor.tokens(uri)
    assert await editor.command("shiftlens.unload") is True
    assert (await editor.command("shiftlens.debugInformation"))["enginePid"] is None
    assert await editor.tokens(uri) == colours


async def test_a_request_that_an_edit_overtakes_gets_colours_or_content_modified(editor: EditorClient) -> None:
    text = "User: q\nAssistant: " + "The quick fox. " * 150
    with editor.set_to(runPolicy="onOpen"):
        uri = editor.open(text)
        await editor.until_state(uri, "ready")
        params = types.SemanticTokensParams(types.TextDocumentIdentifier(uri))
        codes: set[int] = set()
        for version in range(2, 20, 2):
            editor.change(uri, text + "x" * version, version)
            request = editor.protocol.send_request_async("textDocument/semanticTokens/full", params)
            editor.change(uri, text + "y" * version, version + 1)
            try:
                answer = await asyncio.wait_for(request, SECONDS)
                assert answer.data
            except JsonRpcException as error:
                codes.add(error.code)
        assert codes <= {CONTENT_MODIFIED}
