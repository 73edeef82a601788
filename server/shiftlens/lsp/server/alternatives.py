"""What the models would have said, in the text: as ghost text at the cursor, and written beside the response."""

from __future__ import annotations

import asyncio
import codecs
import json
from contextlib import aclosing

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified, JsonRpcException

from shiftlens.engine.protocol import Continue, Wrote
from shiftlens.errors import ShiftLensError
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.open import OpenDocument, offset, span_range
from shiftlens.lsp.jobs.pages import is_page
from shiftlens.lsp.jobs.read_document import read_document
from shiftlens.lsp.server.continuing import failed, set_up
from shiftlens.lsp.server.current import place_in, still_true
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.scores.continuations import BASE_ALPHA, Sampling, Voice
from shiftlens.scores.requests import to_score
from shiftlens.transcripts.model import PartKind


def register_alternatives(server: ShiftLensServer) -> None:
    """Register the handlers of this file."""
    # pygls tells clients of it only where it has options.
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(inline_completion)
    server.command("shiftlens.insertAlternative")(insert_alternative)


async def inline_completion(
    ls: ShiftLensServer, params: types.InlineCompletionParams
) -> types.InlineCompletionList | None:
    """The base model's greedy continuation where a scored token begins; none elsewhere, or where it can't be had.

    Unlike other views this computes, so that it is off unless a setting turns it on.
    """
    uri, cursor = params.text_document.uri, params.position
    if not (await ls.session.configuration.settings(uri)).inline_completions:
        return None
    found = place_in(ls, uri, cursor)
    if found is None:
        return None
    document, place = found
    version = document.version
    position = _begins_at(document, place, offset(document.lines, cursor, ls.session.editor.encoding))
    if position is None or _is_written_anew(place):
        return None
    try:
        await set_up(ls, document, place)
        text = _as_written(await _base_from(ls, place, position), place)
    except (JsonRpcException, ShiftLensError):
        # It is asked for at each rest of the cursor: `shiftlens/continue` tells why it can't be had.
        return None
    still_true(ls, document, version)
    here = types.Range(start=cursor, end=cursor)
    return types.InlineCompletionList(items=[types.InlineCompletionItem(insert_text=text, range=here)] if text else [])


async def insert_alternative(
    ls: ShiftLensServer, uri: str, position: types.Position, text: str
) -> dict[str, object] | None:
    """Write the response up to the token at a position, and `text` from there on, beside the response.

    {"written": "conversation", "turn" or "exchange", "as": the same in words, "range": where the new text stands}; None
    where no scored token is. Raises JsonRpcException (RequestFailed) where the file's format can't hold it, or the
    client does not take the edit.
    """
    # Not needed at the start of a language server.
    from shiftlens.transcripts.alternatives import with_alternative

    found = place_in(ls, uri, position)
    if found is None or not found[1].tokens or found[1].result.analysis is None:
        return None
    document, place = found
    if is_page(uri):
        raise failed("A page can't be edited. Do this in the file that it shows.")
    if not place.edits.is_nothing:
        raise JsonRpcContentModified
    version, before = document.version, document.text
    settings = await ls.session.configuration.settings(uri)
    reading = (await read_document(ls.session, document, settings)).reading
    still_true(ls, document, version)
    answer = _alternative(place, text)
    try:
        made = await asyncio.to_thread(
            with_alternative,
            before,
            place.analysis.transcript,
            place.response,
            answer,
            filename=reading.filename,
            own_template=reading.own_template,
        )
    except ShiftLensError as error:
        raise failed(str(error)) from error
    still_true(ls, document, version)
    start = made.prefix
    unit, lines = ls.session.editor.encoding, document.lines
    edit = types.TextEdit(span_range(lines, start, len(before) - made.suffix, unit), made.new_text)
    if not await ls.session.editor.apply_edit(uri, version, edit, "Insert an alternative"):
        raise failed("The editor did not take the edit.")
    return {
        "written": made.written.name.lower(),
        "as": made.written.value,
        "range": span_range(document.lines, start, start + len(made.new_text), unit),
    }


def _alternative(place: Place, text: str) -> str:
    """What the alternative says in all. Raises JsonRpcException for a response of several parts."""
    analysis = place.result.analysis
    if analysis is None or sum(bool(part.text) for part in place.response.turn.parts) != 1:
        raise failed("This response has reasoning or tool calls as well, beside which no alternative is written.")
    row = place.tokens[0].index
    return analysis.text[: analysis.text_ends[row - 1] if row else 0] + text


def _begins_at(document: OpenDocument, place: Place, cursor: int) -> int | None:
    """The position of the token that begins at an offset of the present text."""
    edits = document.edits_since(place.analysis)
    for token in place.tokens:
        span = edits.span_to_new(token.start, token.end)
        if span is not None and span[0] == cursor:
            return token.index
    return None


def _is_written_anew(place: Place) -> bool:
    """Whether the file holds the text in a form of its own: escaped twice in a tool call, indented in YAML."""
    in_call = any(token.part == PartKind.TOOL_CALL.value for token in place.tokens)
    return in_call or place.analysis.transcript.format == "yaml"


def _as_written(text: str, place: Place) -> str:
    """What stands in the file for a text: in a file of JSON, accepting it must not end the string that it is in."""
    from shiftlens.transcripts.registry import json_formats

    in_json = place.analysis.transcript.format in {each.name for each in json_formats()}
    return json.dumps(text, ensure_ascii=False)[1:-1] if in_json else text


async def _base_from(ls: ShiftLensServer, place: Place, position: int) -> str:
    request = Continue(
        pair=place.analysis.pair,
        options=place.analysis.score_options,
        response=to_score(place.response, place.analysis.transcript.format),
        position=position,
        voices=(Voice(BASE_ALPHA),),
        sampling=Sampling(),
    )
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = ""
    with ls.session.scheduler.engine_slot.wanted():
        async with aclosing(ls.session.engine.run(request)) as events:
            async for event in events:
                if isinstance(event, Wrote):
                    piece = b"" if event.token.end == "end" else event.token.piece
                    text += decoder.decode(piece, final=bool(event.token.end))
    return text
