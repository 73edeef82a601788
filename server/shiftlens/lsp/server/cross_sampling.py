"""Whether a token mattered, or several: a request that swaps them for the base's choice, and has the models go on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shiftlens.analysis.classify import combine
from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.engine.protocol import Progress
from shiftlens.errors import ShiftLensError
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.jobs.pages import file_of, name_of
from shiftlens.lsp.server.asked_progress import asked_progress
from shiftlens.lsp.server.continuing import about, failed, set_up, tell
from shiftlens.lsp.server.current import place_in
from shiftlens.lsp.server.language_server import ShiftLensServer
from shiftlens.lsp.server.protocol import CrossSampleParams
from shiftlens.lsp.views.command_line import Chosen, command_line
from shiftlens.lsp.views.requests import Json, range_json
from shiftlens.scores.continuations import Sampling

if TYPE_CHECKING:
    from shiftlens.analysis.cross_sampling import CrossSampled, SwappedTogether, SwapPosition
    from shiftlens.options.settings import Settings
    from shiftlens.pipeline.cross_sample import CrossSampling, NotSampled


def register_cross_sampling(server: ShiftLensServer) -> None:
    """Register the handler of this file."""
    server.feature("shiftlens/crossSample")(cross_sample_there)


async def cross_sample_there(ls: ShiftLensServer, params: CrossSampleParams) -> Json | None:
    """What comes of swapping the token at a position; `docs/language-server.md` has the result.

    With a token for partial results, each position is told as it is done. A request that is cancelled ends its job.
    """
    # Not needed at the start of a language server.
    from shiftlens.pipeline.cross_sample import CrossSampling, cross_sample
    from shiftlens.pipeline.swap_together import swap_together

    found = place_in(ls, params.uri, params.position)
    if found is None or not found[1].tokens:
        return None
    document, place = found
    await set_up(ls, document, place)
    own = place.result.analysis
    if own is None or place.result.partial:
        raise failed("The response is not scored to its end yet.")
    analysis = _of_response(place, own)
    asked = CrossSampling(
        samples=params.samples,
        seed=params.seed,
        sampling=Sampling(temperature=params.temperature, top_p=params.top_p, max_tokens=params.max_tokens),
    )
    answer: Json = {
        **about(document, place),
        "samples": params.samples,
        "seed": params.seed,
        "temperature": params.temperature,
        "topP": params.top_p,
        "maxTokens": params.max_tokens,
    }
    came = _Came()
    token = params.partial_result_token
    nothing = _json(ls, document, place, came, params)
    try:
        asked.check()
        positions = _positions(analysis, place, params)
        if token is not None:
            tell(ls, token, {**answer, **nothing})
        with (
            ls.session.scheduler.engine_slot.wanted(),
            asked_progress(ls, params.work_done_token, "Swapping tokens") as on_progress,
        ):
            work: AsyncGenerator[Progress | CrossSampled | NotSampled | SwappedTogether, None]
            if params.together:
                work = swap_together(ls.session.engine, analysis, params.most or 0, asked)
            else:
                work = cross_sample(ls.session.engine, analysis, positions, asked)
            async with aclosing(work) as events:
                async for event in events:
                    if isinstance(event, Progress):
                        if on_progress is not None:
                            on_progress(event)
                        continue
                    one = _Came().with_event(event)
                    came = came.with_event(event)
                    if token is not None:
                        told = _json(ls, document, place, one, params)
                        tell(ls, token, {name: values for name, values in told.items() if values})
    except ShiftLensError as error:
        raise failed(str(error)) from error
    if token is not None:
        return nothing
    settings = await ls.session.configuration.settings(document.uri)
    return {
        **answer,
        **_json(ls, document, place, came, params),
        **_page(ls, document, place, settings, params, asked, came),
    }


@dataclass(frozen=True, slots=True)
class _Came:
    """What has come so far: positions, those of which nothing came, and what came of swaps in one go."""

    done: tuple[CrossSampled, ...] = ()
    refused: tuple[NotSampled, ...] = ()
    together: tuple[SwappedTogether, ...] = ()

    def with_event(self, event: CrossSampled | NotSampled | SwappedTogether) -> _Came:
        """The same with one more."""
        from shiftlens.analysis.cross_sampling import CrossSampled, SwappedTogether

        if isinstance(event, CrossSampled):
            return replace(self, done=(*self.done, event))
        if isinstance(event, SwappedTogether):
            return replace(self, together=(*self.together, event))
        return replace(self, refused=(*self.refused, event))


def _json(ls: ShiftLensServer, document: OpenDocument, place: Place, came: _Came, params: CrossSampleParams) -> Json:
    """The lists of the answer. Without swaps in one go, these have none."""
    from shiftlens.analysis.cross_sampling_contract import together_json

    return {
        "positions": [_position(ls, document, place, each) for each in came.done],
        "notSampled": [_refused(each) for each in came.refused],
        **({"together": [together_json(each) for each in came.together]} if params.together else {}),
    }


def _of_response(place: Place, own: ResponseAnalysis) -> Analysis:
    """The analysis of the one response."""
    shown = place.analysis
    return Analysis(
        transcript=shown.transcript,
        pair=shown.pair,
        score_options=shown.score_options,
        classify_options=shown.classify_options,
        responses=(own,),
        summary=combine([own.summary]),
    )


def _positions(analysis: Analysis, place: Place, params: CrossSampleParams) -> Sequence[SwapPosition]:
    """What is to be swapped. Raises JsonRpcException where that is not known."""
    from shiftlens.analysis.cross_sampling import most_shifted, swap_position

    if params.most is not None:
        if params.most < 1:
            raise failed("`most` is a number of positions from 1 up.")
        return () if params.together else most_shifted(analysis, params.most)
    if params.together:
        raise failed("`together` swaps up to `most` tokens in one go, so that `most` is to be named.")
    position = swap_position(analysis.responses[0], place.tokens[0].index)
    if position is None:
        raise failed("What the base model would have said at this token is not known.")
    return (position,)


def _refused(found: NotSampled) -> Json:
    return {"index": found.position.row, "message": found.message}


def _page(
    ls: ShiftLensServer,
    document: OpenDocument,
    place: Place,
    settings: Settings,
    params: CrossSampleParams,
    asked: CrossSampling,
    came: _Came,
) -> Json:
    """The text of the answer, with its links and the command that gives the same."""
    from shiftlens.lsp.views.cross_sampling_page import cross_sampling_page, together_page
    from shiftlens.report.text.lines import Places

    shown, path = place.analysis, file_of(document.uri)
    command = None
    if path is not None:
        chosen = Chosen(
            pair=shown.pair,
            score_options=shown.score_options,
            classify_options=shown.classify_options,
            settings=settings,
            front_matter=shown.transcript.front_matter,
        )
        command = command_line("cross-sample", path, chosen, _arguments(place, params))
    places = Places(document.lines, document.edits_since(shown).span_to_new)
    unit = ls.session.editor.encoding
    name = name_of(document.uri)
    if params.together:
        return together_page(
            name, shown.pair, shown.score_options, asked, params.most or 0, came.together, command, places, unit
        )
    return cross_sampling_page(
        name, shown.pair, shown.score_options, asked, came.done, came.refused, command, places, unit
    )


def _arguments(place: Place, params: CrossSampleParams) -> list[str]:
    """What the command is told beside the pair: where, and how the samples are drawn."""
    where = ["--at", str(place.tokens[0].index)] if params.most is None else ["--most", str(params.most)]
    if params.together:
        where.append("--together")
    drawn = [
        *("--samples", str(params.samples), "--seed", str(params.seed), "--max-tokens", str(params.max_tokens)),
        *(("--temperature", str(params.temperature)) if params.temperature != 1.0 else ()),
        *(("--top-p", str(params.top_p)) if params.top_p != 1.0 else ()),
    ]
    return ["--response", str(place.response.index + 1), *where, *drawn]


def _position(ls: ShiftLensServer, document: OpenDocument, place: Place, found: CrossSampled) -> Json:
    """One position, and where it stands in the text as it is now."""
    from shiftlens.analysis.cross_sampling_contract import position_json

    span = document.edits_since(place.analysis).span_to_new(found.position.start, found.position.end)
    return {
        **position_json(found),
        "range": None if span is None else range_json(document, span, ls.session.editor.encoding),
    }
