"""A whole file scored in other ways than it is shown: under several base contexts, and against itself in other numbers.

Requests that ask the engine. What is scored is kept as always, so that the same is not scored a second time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shiftlens.errors import ShiftLensError
from shiftlens.lsp.documents.open import Noise, OpenDocument, ParsedDocument
from shiftlens.lsp.jobs.pages import file_of, name_of
from shiftlens.lsp.jobs.read_document import read_document
from shiftlens.lsp.server.asked_progress import asked_progress
from shiftlens.lsp.server.continuing import failed
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.server.plain import Plain, in_thread
from shiftlens.lsp.server.protocol import ContextsParams, NoiseFloorParams
from shiftlens.lsp.views.command_line import Chosen, command_line
from shiftlens.lsp.views.requests import Json
from shiftlens.options.choice import Choice
from shiftlens.options.pair import BASE_CONTEXTS, FROM_MODELS
from shiftlens.options.pair_choice import choose_pair
from shiftlens.options.settings import TEMPLATE_PREFIX, Settings
from shiftlens.scores.location import user_store
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript

if TYPE_CHECKING:
    from shiftlens.analysis.noise_floor import FileNoise
    from shiftlens.report.text.lines import Places
    from shiftlens.text.lines import Unit

_COMPAT = "AlignTDS's numbers have a context of their own, so that they are not what is compared here."


def register_comparing(server: ShiftLensServer) -> None:
    """Register every handler of this file."""
    server.feature("shiftlens/contexts")(contexts)
    server.feature("shiftlens/noiseFloor")(noise_floor_of_file)


async def contexts(ls: ShiftLensServer, params: ContextsParams) -> Plain | None:
    """A file under several base contexts; `docs/language-server.md` has the result."""
    # Not needed at the start of a language server.
    from shiftlens.lsp.views.comparisons import contexts_answer
    from shiftlens.pipeline.contexts import contexts as under_contexts

    asked = await _asked(ls, params.uri)
    if asked is None:
        return None
    named = _named(params.contexts, asked.choice.score_options.base_context, trusted=ls.session.trusted)
    try:
        with (
            ls.session.scheduler.engine_slot.wanted(),
            asked_progress(ls, params.work_done_token, "Scoring under each base context") as on_progress,
        ):
            first, compared = await under_contexts(
                ls.session.engine,
                asked.transcript,
                asked.choice,
                named,
                store=asked.store,
                cache=ls.session.outcomes,
                on_progress=on_progress,
            )
    except ShiftLensError as error:
        raise failed(str(error)) from error
    if asked.choice.score_options.compat:
        first = dataclasses.replace(first, problems=(*first.problems, _COMPAT))
    command = _with_contexts(asked, named)
    return await _answer(
        ls, asked, lambda places, unit: contexts_answer(compared, first, asked.name, command, places, unit)
    )


async def noise_floor_of_file(ls: ShiftLensServer, params: NoiseFloorParams) -> Plain | None:
    """The noise floor of a file; `docs/language-server.md` has the result."""
    from shiftlens.lsp.views.comparisons import noise_answer
    from shiftlens.pipeline.noise_floor import noise_floor, why_not_against

    asked = await _asked(ls, params.uri)
    if asked is None:
        return None
    refused = why_not_against(params.against)
    if refused:
        raise failed(f"`against`: {refused}")
    try:
        with (
            ls.session.scheduler.engine_slot.wanted(),
            asked_progress(ls, params.work_done_token, "Measuring the noise floor") as on_progress,
        ):
            real, found = await noise_floor(
                ls.session.engine,
                asked.transcript,
                asked.choice,
                params.against,
                store=asked.store,
                cache=ls.session.outcomes,
                on_progress=on_progress,
            )
    except ShiftLensError as error:
        raise failed(str(error)) from error
    _keep(asked, found)
    ls.session.editor.refresh_tokens()
    command = asked.command("noise-floor", ["--against", found.dtypes[1]])
    return await _answer(ls, asked, lambda places, unit: noise_answer(found, real, asked.name, command, places, unit))


def _keep(asked: _Asked, found: FileNoise) -> None:
    """Have the colours tell which tokens are within the floor, as long as the text is this one."""
    from shiftlens.report.text.noise_floor import is_greyed

    positions = [each for response in found.responses for each in response.positions if is_greyed(each)]
    spans = tuple(sorted((each.start, each.end) for each in positions if each.start < each.end))
    choice = asked.choice
    asked.document.noise = Noise(
        asked.parsed.version, choice.pair, choice.score_options, choice.classify_options, spans
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A document whose responses may be scored anew, as it was when that was asked. `store` is None where the settings
    keep nothing."""

    document: OpenDocument
    parsed: ParsedDocument
    transcript: Transcript
    choice: Choice
    settings: Settings
    store: ResultStore | None

    @property
    def name(self) -> str:
        """What a page calls the file."""
        return name_of(self.document.uri)

    def command(
        self, name: str, more: Sequence[str], *, with_base_context: bool = True
    ) -> tuple[str, Sequence[str]] | None:
        """The command of a terminal that does the same, and what it takes beside; None for what is in no file."""
        path = file_of(self.document.uri)
        if path is None:
            return None
        chosen = Chosen(
            pair=self.choice.pair,
            score_options=self.choice.score_options,
            classify_options=self.choice.classify_options,
            settings=self.settings,
            front_matter=self.transcript.front_matter,
        )
        return command_line(name, path, chosen, more, with_base_context=with_base_context)


async def _asked(ls: ShiftLensServer, uri: str) -> _Asked | None:
    """None for a document that is not open, or is no transcript. Raises JsonRpcException for one not to be scored."""
    session = ls.session
    document = session.documents.get(uri)
    if document is None:
        return None
    settings = await session.configuration.settings(uri)
    parsed = await read_document(session, document, settings)
    transcript = parsed.transcript
    if parsed.problem is not None:
        raise failed(str(parsed.problem))
    if transcript is None:
        return None
    chosen = choose_pair(settings, transcript.front_matter, session.pair, trusted=session.trusted)
    if chosen.scores != FROM_MODELS:
        raise failed("The scores that are shown are those that the file holds, and no models are run for it.")
    if chosen.pair is None or chosen.only_stored:
        raise failed(chosen.why_not)
    session.set_up_engine(settings)
    choice = Choice(chosen.pair, chosen.score_options, chosen.classify_options, chosen.problems)
    store = user_store() if settings.result_cache else None
    return _Asked(document, parsed, transcript, choice, settings, store)


async def _answer(ls: ShiftLensServer, asked: _Asked, make: Callable[[Places, Unit], Json]) -> Plain:
    """What `make` makes, with the places of the present text, which may be another by now."""
    from shiftlens.report.text.lines import Places

    document, pair = asked.document, asked.choice.pair
    places = Places(document.lines, document.edits_since(asked.parsed).span_to_new)
    unit, version = ls.session.editor.encoding, document.version
    about = {
        "uri": document.uri,
        "version": version,
        "scoredVersion": asked.parsed.version,
        "models": {"base": pair.base, "aligned": pair.aligned},
    }
    return await in_thread(ls.protocol.converter, lambda: {**about, **make(places, unit)})


def _named(wanted: Sequence[str] | None, own: str, *, trusted: bool) -> list[tuple[str, str]]:
    """The contexts that are asked for, with their names: without any, those that have one, and the file's own.

    Raises JsonRpcException.
    """
    if wanted is None:
        wanted = [*BASE_CONTEXTS, *([own] if own.startswith(TEMPLATE_PREFIX) else [])]
    if len(wanted) < 2 or len(set(wanted)) < len(wanted):
        raise failed("`contexts` names two base contexts or more, each once.")
    named: list[tuple[str, str]] = []
    for context in wanted:
        is_template = context.startswith(TEMPLATE_PREFIX)
        if is_template and not trusted and context != own:
            raise failed("This workspace is not trusted, so that its templates are not used.")
        if not is_template and context not in BASE_CONTEXTS:
            raise failed(f"{context!r} is none of {', '.join(BASE_CONTEXTS)}, {TEMPLATE_PREFIX}TEXT.")
        others = sum(each.startswith(TEMPLATE_PREFIX) for _, each in named)
        named.append((f"template {others + 1}" if is_template and others else context.partition(":")[0], context))
    return named


def _with_contexts(asked: _Asked, named: Sequence[tuple[str, str]]) -> tuple[str, Sequence[str]] | None:
    """The command that compares these contexts; what is said of those that are templates is for the user to add."""
    if [context for _, context in named] == list(BASE_CONTEXTS):
        return asked.command("contexts", (), with_base_context=False)
    templates = [name for name, context in named if context.startswith(TEMPLATE_PREFIX)]
    flags = [flag for name, context in named if name not in templates for flag in ("--context", context)]
    found = asked.command("contexts", flags, with_base_context=False)
    if found is None:
        return None
    by_hand = [f'Add --context "{name}=template:FILE", with that template in the file.' for name in templates]
    return found[0], (*found[1], *by_hand)
