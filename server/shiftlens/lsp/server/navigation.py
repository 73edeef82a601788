"""Going to the next shifted token or run: a request for clients that move themselves, and commands for all others.

A command has the editor show the place where it can (`window/showDocument`), else says where it is. It says as well
when it went on from the other end of the file, and when there is nothing to go to. Each answers what the request
`shiftlens/next` answers.
"""

from __future__ import annotations

import asyncio

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from shiftlens.lsp.documents.open import offset
from shiftlens.lsp.server.current import still_true
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.server.protocol import NextParams
from shiftlens.lsp.views.lenses import GO_TO_DENSEST_RUN, GO_TO_FIRST_SHIFTED
from shiftlens.lsp.views.navigation import densest_run, first_shifted, next_run, next_token, stop_answer
from shiftlens.lsp.views.requests import Json

_FINDERS = {"token": next_token, "run": next_run}
_BACK = {"next": False, "previous": True}
_WORDS = {"token": "shifted token", "run": "run of shifted tokens"}


def register_navigation(server: ShiftLensServer) -> None:
    """Register every handler and command of this file."""
    server.feature("shiftlens/next")(next_stop)
    for name, handler in (
        ("shiftlens.goToNextShifted", go_to_next_shifted),
        ("shiftlens.goToPreviousShifted", go_to_previous_shifted),
        ("shiftlens.goToNextRun", go_to_next_run),
        ("shiftlens.goToPreviousRun", go_to_previous_run),
        (GO_TO_FIRST_SHIFTED, go_to_first_shifted),
        (GO_TO_DENSEST_RUN, go_to_densest_run),
    ):
        server.command(name)(handler)


async def next_stop(ls: ShiftLensServer, params: NextParams) -> Json | None:
    if params.of not in _FINDERS or params.direction not in _BACK:
        raise JsonRpcInvalidParams(message='`of` must be "token" or "run", `direction` "next" or "previous".')
    return await _next(ls, params)


async def go_to_next_shifted(ls: ShiftLensServer, uri: str, position: types.Position) -> Json | None:
    """From a position to the shifted token behind it."""
    return await _go(ls, NextParams(uri, position, "token", "next"))


async def go_to_previous_shifted(ls: ShiftLensServer, uri: str, position: types.Position) -> Json | None:
    """From a position to the shifted token before it."""
    return await _go(ls, NextParams(uri, position, "token", "previous"))


async def go_to_next_run(ls: ShiftLensServer, uri: str, position: types.Position) -> Json | None:
    """From a position to the run of shifted tokens behind it."""
    return await _go(ls, NextParams(uri, position, "run", "next"))


async def go_to_previous_run(ls: ShiftLensServer, uri: str, position: types.Position) -> Json | None:
    """From a position to the run of shifted tokens before it."""
    return await _go(ls, NextParams(uri, position, "run", "previous"))


async def go_to_first_shifted(ls: ShiftLensServer, uri: str, response: int) -> Json | None:
    """To the first shifted token of a response, by its index in the file from 0."""
    return await _go_in_response(ls, uri, response, "token")


async def go_to_densest_run(ls: ShiftLensServer, uri: str, response: int) -> Json | None:
    """To the densest run of a response, by its index in the file from 0."""
    return await _go_in_response(ls, uri, response, "run")


async def _next(ls: ShiftLensServer, params: NextParams) -> Json | None:
    document, shown = ls.session.documents.get(params.uri), ls.session.store.shown(params.uri)
    if document is None or shown is None:
        return None
    version, edits, unit = document.version, document.edits_since(shown), ls.session.editor.encoding
    at = offset(document.lines, params.position, unit)
    stop = await asyncio.to_thread(_FINDERS[params.of], shown, edits, at, back=_BACK[params.direction])
    still_true(ls, document, version)
    return None if stop is None else stop_answer(document, shown, stop, params.of, unit)


async def _go(ls: ShiftLensServer, params: NextParams) -> Json | None:
    answer = await _next(ls, params)
    _show(ls, params.uri, answer, params.of, f"the {params.direction} {_WORDS[params.of]}", "this file")
    if answer is not None and answer["wrapped"]:
        start = "start" if params.direction == "next" else "end"
        _say(ls, f"went on from the {start} of the file.")
    return answer


async def _go_in_response(ls: ShiftLensServer, uri: str, response: int, of: str) -> Json | None:
    document, shown = ls.session.documents.get(uri), ls.session.store.shown(uri)
    answer = None
    if document is not None and shown is not None:
        find = first_shifted if of == "token" else densest_run
        stop = find(shown, document.edits_since(shown), response)
        if stop is not None:
            answer = stop_answer(document, shown, stop, of, ls.session.editor.encoding)
    _show(ls, uri, answer, of, f"the {'first' if of == 'token' else 'densest'} {_WORDS[of]}", "this response")
    return answer


def _show(ls: ShiftLensServer, uri: str, answer: Json | None, of: str, words: str, where: str) -> None:
    """Have the place of an answer shown, or say that there is none. Nobody waits for the editor."""
    if answer is None:
        _say(ls, f"no {_WORDS[of]} is known in {where}.")
    else:
        ls.session.in_background(_have_shown(ls, uri, answer["range"], words))


async def _have_shown(ls: ShiftLensServer, uri: str, place: object, words: str) -> None:
    if isinstance(place, types.Range) and not await ls.session.editor.show_place(uri, place):
        line, column = place.start.line + 1, place.start.character + 1
        _say(ls, f"{words} is on line {line}, column {column}.")


def _say(ls: ShiftLensServer, words: str) -> None:
    ls.session.editor.show_message(types.MessageType.Info, f"ShiftLens: {words}")
