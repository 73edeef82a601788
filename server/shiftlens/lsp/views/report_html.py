"""The report of an open document: what its colours show now, without scoring anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.model import Analysis, ResponseAnalysis
from shiftlens.analysis.stages_at import NOT_YET, StageScores
from shiftlens.analysis.stages_of_file import FileStages, stages_of_file
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.options.pair import DEFAULT_MIN_CHANGE
from shiftlens.options.pair_choice import StagesChoice
from shiftlens.pipeline.unscored import left_out


def report_html(uri: str, shown: DocumentAnalysis, chosen: StagesChoice, *, changed: bool) -> str | None:
    """The page, with the stages that were chosen; None where no response has scores. `changed`: the text is another by
    now."""
    # With its template engine it would double the time that the server takes to start.
    from shiftlens.report.page import ReportedFile, render
    from shiftlens.report.text.stages import gaps_words

    responses = tuple(result.analysis for result in shown.results if result.analysis is not None)
    if not responses:
        return None
    remarks = []
    if changed:
        remarks.append("The file has changed since these scores were made.")
    if partial := sum(not result.is_final for result in shown.results):
        remarks.append(f"Not all of this file was scored when the report was made ({partial} responses to go).")
    without = [
        (response, result.refusal)
        for response, result in zip(shown.transcript.responses, shown.results, strict=True)
        if result.refusal is not None
    ]
    not_scored = [response for response, refusal in without if refusal.by_choice]
    if not_scored:
        remarks.append(left_out(not_scored))
    refused = tuple((response.index, str(refusal)) for response, refusal in without if not refusal.by_choice)
    analysis = Analysis(
        scores=shown.scores,
        transcript=shown.transcript,
        pair=shown.pair,
        score_options=shown.score_options,
        classify_options=shown.classify_options,
        responses=responses,
        summary=combine(response.summary for response in responses),
    )
    stages = _stages(shown, analysis, chosen.names) if chosen.names else None
    remarks += gaps_words(stages) if stages is not None else ()
    if chosen.why_not:
        remarks.append(chosen.why_not)
    name = unquote(urlsplit(uri).path).rsplit("/", 1)[-1] or uri
    return render([ReportedFile(name, analysis, refused=refused, remarks=tuple(remarks), stages=stages)])


def _stages(shown: DocumentAnalysis, analysis: Analysis, names: Sequence[str]) -> FileStages:
    """What is known of the document under each stage, compared as `shiftlens report` compares it."""
    each: list[Analysis] = []
    refused: list[list[tuple[int, str]]] = []
    for name in names:
        found: list[ResponseAnalysis] = []
        without: list[tuple[int, str]] = []
        for response, result in zip(shown.transcript.responses, shown.results, strict=True):
            if result.analysis is None:
                continue
            stage = next((stage for stage in result.stages if stage.model == name), StageScores(name))
            if stage.compared is None:
                without.append((response.index, stage.why_not or NOT_YET))
            else:
                options = analysis.classify_options
                found.append(build(response, stage.compared, options, compat=analysis.score_options.compat))
        pair, summary = replace(analysis.pair, aligned=name), combine(one.summary for one in found)
        each.append(replace(analysis, pair=pair, responses=tuple(found), summary=summary))
        refused.append(without)
    return stages_of_file(each, refused, DEFAULT_MIN_CHANGE)
