"""Several tuned models as JSON, schema "shiftlens-stages/1". `stages_schema.json` beside this file is for machines.

    {"schema", "file", "format",
     "models": {"base", "stages": [name, ...]},
     "settings": {"base_context", "aligned_context", "classify_by", "thresholds", "top_k", "score_parts",
        "compat", "min_change"},
     "responses": [{"index", "notes",
        "tokens": [{"index", "text", "start", "end",
                    "base": {"rank", "prob", "choice": {"text", "prob"}},
                    "stages": [{the same, "class", "moved"}],
                    "first", "known"}],
        "summary": {"positions", "moved_by", "shares", "unmoved", "unknown"}}],
     "summary": {the same},
     "not_compared": [{"index", "stages", "message"}], "not_scored": [index, ...], "problems": [{"line", "message"}]}

A file that could not be analysed gives {"schema", "file", "error": {"kind", "line", "message"}} instead.

- Stages are counted from 0 in the order in which they were named. What moves a position stands in `analysis/stages.py`;
  "moved" is null where that can't be told. "first" is the stage that moved the position, or null, which with
  "known": false says that it can't be told.
- `start`, `end`, "bytes", "end_of_response", "class" and "rank_above" are as in "shiftlens/1" (`analysis/contract.py`);
  "text" is the token's own, with U+FFFD for bytes that are not whole characters. The "choice" of a model that ends the
  response has "end_of_response": true and its text; it is null where not known.
- `moved_by` counts the positions that each stage was the first to move; with "unmoved" and "unknown" these add up to
  "positions". `shares` are of the positions that are known.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shiftlens.analysis.json_values import Json, class_name, finite, piece_json, rank_json
from shiftlens.analysis.stages import Given, Stage, StagesRow, StagesSummary
from shiftlens.analysis.stages_of_file import FileStages

SCHEMA = "shiftlens-stages/1"
SCHEMA_PATH = Path(__file__).with_name("stages_schema.json")


def schema() -> dict[str, Any]:
    """The schema of the object of one file, draft 2020-12."""
    found: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return found


def to_json(found: FileStages, file: str, *, not_scored: Sequence[int] = ()) -> Json:
    """The object of one file. `not_scored` are the responses of which no part is of a kind that is scored."""
    first = found.analyses[0]
    options, classify = first.score_options, first.classify_options
    return {
        "schema": SCHEMA,
        "file": file,
        "format": first.transcript.format,
        "models": {"base": first.pair.base, "stages": [analysis.pair.aligned for analysis in found.analyses]},
        "settings": {
            "base_context": options.base_context,
            "aligned_context": options.aligned_context,
            "classify_by": classify.classify_by,
            "thresholds": list(classify.thresholds),
            "top_k": options.top_k,
            "score_parts": list(options.parts),
            "compat": options.compat or None,
            "min_change": found.min_change,
        },
        "responses": [
            {
                "index": response.analysis.response.index,
                "notes": list(response.notes),
                "tokens": [_token(row) for row in response.rows],
                "summary": summary_json(response.summary),
            }
            for response in found.responses
        ],
        "summary": summary_json(found.summary),
        "not_compared": [
            {"index": each.index, "stages": list(each.stages), "message": each.message} for each in found.not_compared
        ],
        "not_scored": list(not_scored),
        "problems": [{"line": line, "message": message} for line, message in first.transcript.problems],
    }


def _token(row: StagesRow) -> Json:
    return {
        "index": row.index,
        **piece_json(row.piece, is_end=row.is_end),
        "start": row.start,
        "end": row.end,
        "base": _given(row.base),
        "stages": [_stage(stage) for stage in row.stages],
        "first": row.first,
        "known": row.is_known,
    }


def _stage(stage: Stage) -> Json:
    return {**_given(stage.given), "class": class_name(stage.shift), "moved": stage.moved}


def _given(given: Given) -> Json:
    choice: Json | None = None
    if given.choice is not None:
        choice = {
            **piece_json(given.choice.piece),
            "prob": finite(given.choice.prob),
            **({"end_of_response": True} if given.ends else {}),
        }
    return {
        **rank_json(given.rank),
        "prob": finite(given.prob),
        "choice": choice,
    }


def summary_json(summary: StagesSummary) -> Json:
    """How many positions each stage was the first to move."""
    return {
        "positions": summary.positions,
        "moved_by": list(summary.moved_by),
        "shares": list(summary.shares),
        "unmoved": summary.unmoved,
        "unknown": summary.unknown,
    }
