"""The report of an open document: what its colours show now, without scoring anything."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from shiftlens.analysis.classify import combine
from shiftlens.analysis.model import Analysis
from shiftlens.lsp.documents.store import DocumentAnalysis
from shiftlens.pipeline.unscored import left_out


def report_html(uri: str, shown: DocumentAnalysis, *, changed: bool) -> str | None:
    """The page; None where no response has scores. `changed`: the text is another by now."""
    # With its template engine it would double the time that the server takes to start.
    from shiftlens.report.page import ReportedFile, render

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
    name = unquote(urlsplit(uri).path).rsplit("/", 1)[-1] or uri
    return render([ReportedFile(name, analysis, refused=refused, remarks=tuple(remarks))])
