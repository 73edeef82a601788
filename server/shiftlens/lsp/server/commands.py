"""The commands, as `workspace/executeCommand` has them. None waits for scores; each says in return what it did."""

from __future__ import annotations

import asyncio
import platform

from lsprotocol import types

from shiftlens import __version__
from shiftlens.engine.sharing.running import running_engines
from shiftlens.errors import EngineError, ShiftLensError
from shiftlens.lsp.jobs.task import Trigger
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.views.report_html import report_html
from shiftlens.model_files.local import LocalModel, cached_models, find_local
from shiftlens.options.pair_choice import choose_stages

_PACKAGES = ("pygls", "lsprotocol", "msgspec", "torch", "transformers")


def register_commands(server: ShiftLensServer) -> None:
    """Register every command of this file."""
    for name, handler in (
        ("shiftlens.score", score),
        ("shiftlens.scoreResponses", score_responses),
        ("shiftlens.cancel", cancel),
        ("shiftlens.unload", unload),
        ("shiftlens.restartEngine", restart_engine),
        ("shiftlens.clearCache", clear_cache),
        ("shiftlens.useBundledPair", use_bundled_pair),
        ("shiftlens.localModels", local_models),
        ("shiftlens.report", report),
        ("shiftlens.debugInformation", debug_information),
    ):
        server.command(name)(handler)


def score(ls: ShiftLensServer, uri: str) -> bool:
    """Score a document now, whatever the run policy. False for one that is not open."""
    if uri not in ls.session.documents:
        return False
    ls.analyser.request(uri, Trigger.COMMAND)
    return True


async def score_responses(ls: ShiftLensServer, uri: str, place: types.Range) -> int:
    """Score the responses that a selection touches (or the one at a cursor) now; how many they are."""
    return await ls.analyser.request_responses(uri, place)


def cancel(ls: ShiftLensServer, uri: str) -> bool:
    """Stop scoring a document. False where nothing was under way."""
    return ls.analyser.cancel(uri)


async def unload(ls: ShiftLensServer) -> bool:
    """Give the models' memory back, for every window that shares this engine. Jobs under way there fail, here they are
    cancelled; the scores there are stay.

    The shared engine is ended also where only other windows have used it.
    False, and the user is told, where nothing was loaded or the engine does not answer.
    """
    for uri in list(ls.session.documents):
        ls.analyser.cancel(uri)
    try:
        if await ls.session.engine.unload():
            return True
    except EngineError as error:
        ls.session.editor.show_message(types.MessageType.Error, f"ShiftLens: the models were not unloaded. {error}")
        return False
    ls.session.editor.show_message(types.MessageType.Info, "ShiftLens: no models are loaded, so none were unloaded.")
    return False


async def restart_engine(ls: ShiftLensServer) -> bool:
    """End the engine, for every window, since the models may have changed; forget its scores and look at all again."""
    for uri in list(ls.session.documents):
        ls.analyser.cancel(uri)
    ls.session.outcomes.clear()
    ls.session.told.clear()
    try:
        await ls.session.engine.unload()
    except EngineError as error:
        ls.session.editor.show_message(types.MessageType.Error, f"ShiftLens: the engine was not ended. {error}")
    ls.analyser.request_all(Trigger.OPEN)
    return True


async def clear_cache(ls: ShiftLensServer) -> dict[str, object]:
    """Forget every score, in memory and on disk; the colours there are stay.

    {"removed": results that were on disk, "problem": why they still are, or null}.
    """
    ls.session.outcomes.clear()
    try:
        return {"removed": await ls.session.saved.clear(), "problem": None}
    except ShiftLensError as error:
        return {"removed": 0, "problem": str(error)}


def use_bundled_pair(ls: ShiftLensServer) -> bool:
    """Score with the bundled models in this session, where nothing else is chosen."""
    ls.analyser.use_bundled_pair()
    return True


async def local_models(ls: ShiftLensServer, names: list[str]) -> dict[str, object]:  # noqa: ARG001
    """What a user may choose from: {"named": those of `names`, "cached": those in the Hugging Face cache}.

    Each is {"name", "where": "bundled", "folder", "cache" or "missing", "size": bytes}.
    """
    named, cached = await asyncio.to_thread(lambda: ([find_local(name) for name in names], cached_models()))
    return {key: [_as_json(model) for model in models] for key, models in (("named", named), ("cached", cached))}


def _as_json(model: LocalModel) -> dict[str, object]:
    return {"name": model.name, "where": model.where.value, "size": model.size}


async def report(ls: ShiftLensServer, uri: str) -> str | None:
    """An HTML page of what a document shows now, nothing scored anew; null where it shows no scores."""
    document = ls.session.documents.get(uri)
    shown = ls.session.store.shown(uri)
    if document is None or shown is None:
        return None
    changed = not document.edits_since(shown).is_nothing
    settings = await ls.session.configuration.settings(uri)
    stages = choose_stages(settings, shown.pair, trusted=ls.session.trusted)
    return await asyncio.to_thread(report_html, uri, shown, stages, changed=changed)


async def debug_information(ls: ShiftLensServer) -> dict[str, object]:
    """Versions, settings and states, for a report of a fault. No text of any transcript."""
    session = ls.session
    documents = []
    for uri, document in list(session.documents.items()):
        settings = await session.configuration.settings(uri)
        shown = session.store.shown(uri)
        parsed = document.parsed
        documents.append(
            {
                "uri": uri,
                "version": document.version,
                "characters": len(document.text),
                "state": document.status.state.value,
                "message": document.status.message,
                "format": parsed.transcript.format if parsed is not None and parsed.transcript else None,
                "responses": len(shown.results) if shown is not None else None,
                "pair": [shown.pair.base, shown.pair.aligned] if shown is not None else None,
                "settings": settings.as_json(),
            }
        )
    return {
        "shiftlens": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "enginePid": session.engine.pid,
        "engines": [engine.as_json() for engine in await running_engines()],
        "trusted": session.trusted,
        "sessionPair": list(session.pair) if session.pair is not None else None,
        "positionEncoding": session.editor.encoding,
        "cachedBytes": session.outcomes.cached_bytes,
        "pendingRequests": ls.protocol.pending,
        "progressTokens": len(ls.work_done_progress.tokens),
        "documents": documents,
    }


def _version(package: str) -> str | None:
    # It brings half of `email` along, which the start of a server need not wait for.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None
