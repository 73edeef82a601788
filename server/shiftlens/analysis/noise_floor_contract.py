"""The JSON of `shiftlens noise-floor`, "shiftlens-noise-floor/1".

    {"schema", "file", "format", "models": {"base", "aligned"}, "dtypes": {"real", "against"},
     "settings": {"base_context", "aligned_context", "classify_by", "thresholds", "score_parts"},
     "floor": {"quantile", "logprob", "kl", "positions"},
     "responses": [{"index", "notes",
        "tokens": [{"index", "text", "start", "end", "class", "noise": {"logprob", "kl"}, "real": {"logprob", "kl"},
                    "withinFloor"}],
        "summary": {"unshifted", "marginal", "shifted": {"positions", "within", "beyond", "unknown"}}}],
     "summary": {the same},
     "not_measured": [{"index", "message"}], "not_scored": [index, ...], "problems": [{"line", "message"}]}

A file that could not be analysed gives {"schema", "file", "error": {"kind", "line", "message"}} instead.

- "against" is another dtype, "int8" (the weights are rounded to that) or the name of a GGUF file of the aligned model.
- "noise" is of the aligned model in the two scorings, "real" of the aligned and the base model: "logprob" is the
  absolute difference of the token's logprobs, "kl" that of the two distributions, in nats.
- "withinFloor" is defined in `analysis/noise_floor.py`; it is null where it is not known, as are other numbers.
- "text", `start`, `end`, "bytes", "end_of_response" and "class" are as in "shiftlens/1" (`analysis/contract.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shiftlens.analysis.json_values import Json, class_name, finite, piece_json
from shiftlens.analysis.model import CLASSES, Analysis
from shiftlens.analysis.noise_floor import QUANTILE, FileNoise, Moved, NoisePosition, ResponseNoise, inside

SCHEMA = "shiftlens-noise-floor/1"
SCHEMA_PATH = Path(__file__).with_name("noise_floor_schema.json")


def schema() -> dict[str, Any]:
    """The schema of the object of one file, draft 2020-12."""
    found: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return found


def to_json(
    found: FileNoise, analysis: Analysis, file: str, *, not_scored: Sequence[int] = (), tokens: bool = True
) -> Json:  # fmt: skip
    """The object of one file, of which `analysis` is the real pair's. Without `tokens`, those lists are empty."""
    options, classify = analysis.score_options, analysis.classify_options
    return {
        "schema": SCHEMA,
        "file": file,
        "format": analysis.transcript.format,
        "models": {"base": analysis.pair.base, "aligned": analysis.pair.aligned},
        "dtypes": dict(zip(("real", "against"), found.dtypes, strict=True)),
        "settings": {
            "base_context": options.base_context,
            "aligned_context": options.aligned_context,
            "classify_by": classify.classify_by,
            "thresholds": list(classify.thresholds),
            "score_parts": list(options.parts),
        },
        "floor": {"quantile": QUANTILE, **_moved(found.floor), "positions": found.measured},
        "responses": [response_json(each, each.positions if tokens else ()) for each in found.responses],
        "summary": _summary([each for response in found.responses for each in response.positions]),
        "not_measured": [{"index": index, "message": message} for index, message in found.not_measured],
        "not_scored": list(not_scored),
        "problems": [{"line": line, "message": message} for line, message in analysis.transcript.problems],
    }


def response_json(response: ResponseNoise, positions: Iterable[NoisePosition]) -> Json:
    """The object of one response, with some of its positions."""
    return {
        "index": response.analysis.response.index,
        "notes": list(response.notes),
        "tokens": [token_json(each) for each in positions],
        "summary": _summary(response.positions),
    }


def token_json(found: NoisePosition) -> Json:
    """The object of one position."""
    return {
        "index": found.index,
        **piece_json(found.piece, is_end=found.is_end),
        "start": found.start,
        "end": found.end,
        "class": class_name(found.shift),
        "noise": _moved(found.noise),
        "real": _moved(found.real),
        "withinFloor": found.within,
    }


def _summary(positions: Iterable[NoisePosition]) -> Json:
    every = tuple(positions)
    summary: Json = {}
    for shift in CLASSES:
        of = inside(every, shift)
        summary[shift.label] = {
            "positions": of.positions,
            "within": of.within,
            "beyond": of.beyond,
            "unknown": of.unknown,
        }
    return summary


def _moved(found: Moved) -> Json:
    return {"logprob": finite(found.logprob), "kl": finite(found.kl)}
