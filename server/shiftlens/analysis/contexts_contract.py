"""The JSON of `shiftlens contexts`, "shiftlens-contexts/1".

    {"schema", "file", "format", "models": {"base", "aligned"}, "contexts": [{"name", "base_context"}],
     "settings": {"aligned_context", "classify_by", "thresholds", "score_parts"},
     "responses": [{"index", "notes": [[of each context]],
        "tokens": [{"index", "text", "start", "end", "changes",
                    "contexts": [{"class", "rank", "prob", "kl", "boundary"}]}],
        "summaries": [{"tokens", "unshifted", "marginal", "shifted", "shares": {"unshifted", "marginal", "shifted"}}],
        "changed"}],
     "summaries": [{the same}], "changed",
     "not_compared": [{"index", "contexts", "message"}], "not_scored": [index, ...], "problems": [{"line", "message"}]}

A file that could not be analysed gives {"schema", "file", "error": {"kind", "line", "message"}} instead.

- Lists of contexts are in the order in which they were named; "contexts" of "not_compared" counts them from 0.
- "base_context" is what was scored under: a name, or `template:` and the text of the template.
- "text", `start`, `end`, "bytes", "end_of_response", "class", "rank_above", "unknown" and shares are as in
  "shiftlens/1" (`analysis/contract.py`). "changes" tells that the class is not the same under all contexts; "changed"
  counts those positions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shiftlens.analysis.classify import shares
from shiftlens.analysis.contexts import ContextsRow, FileContexts, Given, ResponseContexts
from shiftlens.analysis.json_values import Json, class_name, finite, piece_json, rank_json, shares_json
from shiftlens.analysis.model import Summary

SCHEMA = "shiftlens-contexts/1"
SCHEMA_PATH = Path(__file__).with_name("contexts_schema.json")


def schema() -> dict[str, Any]:
    """The schema of the object of one file, draft 2020-12."""
    found: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return found


def to_json(found: FileContexts, file: str, *, not_scored: Sequence[int] = (), tokens: bool = True) -> Json:
    """The object of one file. `not_scored` are the responses of which no part is of a kind that is scored.

    Without `tokens`, those lists are empty.
    """
    first = found.analyses[0]
    return {
        "schema": SCHEMA,
        "file": file,
        "format": first.transcript.format,
        "models": {"base": first.pair.base, "aligned": first.pair.aligned},
        "contexts": [
            {"name": name, "base_context": analysis.score_options.base_context}
            for name, analysis in zip(found.names, found.analyses, strict=True)
        ],
        "settings": {
            "aligned_context": first.score_options.aligned_context,
            "classify_by": first.classify_options.classify_by,
            "thresholds": list(first.classify_options.thresholds),
            "score_parts": list(first.score_options.parts),
        },
        "responses": [response_json(response, response.rows if tokens else ()) for response in found.responses],
        "summaries": [_summary(summary) for summary in found.summaries],
        "changed": sum(len(response.changed) for response in found.responses),
        "not_compared": [
            {"index": index, "contexts": list(contexts), "message": message}
            for index, contexts, message in found.not_compared
        ],
        "not_scored": list(not_scored),
        "problems": [{"line": line, "message": message} for line, message in first.transcript.problems],
    }


def response_json(response: ResponseContexts, rows: Iterable[ContextsRow]) -> Json:
    """The object of one response, with some of its positions."""
    return {
        "index": response.analysis.response.index,
        "notes": [list(notes) for notes in response.notes],
        "tokens": [token_json(row) for row in rows],
        "summaries": [_summary(summary) for summary in response.summaries],
        "changed": len(response.changed),
    }


def token_json(row: ContextsRow) -> Json:
    """The object of one position."""
    return {
        "index": row.index,
        **piece_json(row.piece, is_end=row.is_end),
        "start": row.start,
        "end": row.end,
        "changes": row.changes,
        "contexts": [_given(given) for given in row.given],
    }


def _given(given: Given) -> Json:
    return {
        "class": class_name(given.shift),
        **rank_json(given.rank),
        "prob": finite(given.prob),
        "kl": finite(given.kl),
        "boundary": given.boundary,
    }


def _summary(summary: Summary) -> Json:
    return {
        "tokens": summary.tokens,
        "unshifted": summary.unshifted,
        "marginal": summary.marginal,
        "shifted": summary.shifted,
        **({"unknown": summary.unknown} if summary.unknown else {}),
        "shares": shares_json(shares(summary)),
    }
