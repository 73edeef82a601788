"""What is wrong with a transcript, as diagnostics at the lines concerned."""

from __future__ import annotations

from lsprotocol import types

from shiftlens.lsp.documents.open import ParsedDocument, span_range
from shiftlens.text.lines import LineIndex, Unit

SOURCE = "shiftlens"
MOST_PROBLEMS = 200


def diagnostics_of(parsed: ParsedDocument, extra: tuple[str, ...], encoding: Unit) -> list[types.Diagnostic]:
    """An error for a file that can't be read, a warning for each part of it that can't, up to MOST_PROBLEMS.

    `extra` are warnings on line 1.
    """
    if parsed.problem is None and not extra and (parsed.transcript is None or not parsed.transcript.problems):
        return []
    lines = LineIndex(parsed.text)

    def at(line: int | None, message: str, severity: types.DiagnosticSeverity) -> types.Diagnostic:
        start, end = lines.line_span(min(max((line or 1) - 1, 0), lines.line_count - 1))
        return types.Diagnostic(
            range=span_range(lines, start, end, encoding), message=message, severity=severity, source=SOURCE
        )

    found = [at(1, problem, types.DiagnosticSeverity.Warning) for problem in extra]
    if parsed.problem is not None:
        message = f"{parsed.problem.problem} {parsed.problem.remedy}".strip()
        found.append(at(parsed.problem.line, message, types.DiagnosticSeverity.Error))
    if parsed.transcript is not None:
        problems = parsed.transcript.problems
        found += [at(line, text, types.DiagnosticSeverity.Warning) for line, text in problems[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            more = f"{len(problems) - MOST_PROBLEMS:,} more parts of this file could not be read, from here on."
            found.append(at(problems[MOST_PROBLEMS][0], more, types.DiagnosticSeverity.Information))
    return found
