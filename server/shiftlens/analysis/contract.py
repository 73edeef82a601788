"""An analysis as JSON, schema "shiftlens/1".

    {"schema", "file", "format", "detected_by", "models": {"base": {"name", ...}, "aligned": {...}},
     "settings": {"base_context", "aligned_context", "classify_by", "thresholds", "top_k", "compat", "device", "dtype",
                  "matrix_library"},
     "responses": [{"index", "prompt", "text", "start", "end",
        "prefix": {"base": {"text", "ids"}, "aligned": {"text", "ids"}},
        "tokens": [{"index", "id", "text", "start", "end", "class", "boundary", "special", "off_greedy",
                    "base":    {"rank", "logprob", "prob", "entropy", "missing_mass", "top": [{"id", "text", "prob"}]},
                    "aligned": {the same},
                    "base_rank_of_aligned_top", "kl", "jaccard@10"}],
        "summary": {"tokens", "unshifted", "marginal", "shifted", "flagged", "shares", "shares_without_flagged"},
        "notes": [...]}],
     "problems": [{"line", "message"}], "refused": [{"index", "message"}], "summary": {...}}

- `start`, `end` are offsets into the file's decoded text, in code points, a byte order mark not counted.
- The texts of a response's tokens join to its `text`. A character split over several tokens is the text of the one
  with its first byte; the others are empty. A token that is not whole characters has its own "bytes", as hex; so has
  a candidate, whose `text` then holds U+FFFD.
- The last token of a response is its end: `"end_of_response": true`, `text` empty, `start` = `end`. There, a side
  that scored another id than `id` names its own `id`.
- In a pair of two vocabularies each model reads its own tokens. `tokens` are the aligned model's; the base side has ids
  of its own and always names its `id`. A position that is not exactly one of its tokens has "realigned": {"first",
  "last", "base_tokens", "base_logprob"}, the positions that together are the bytes of so many tokens of the base
  model, and the base model's logprob of these. There, base `id`, `logprob` and `prob` are null, its `rank` is the
  worst of the group, and behind the first position of the group it has no entropy and no `top`. `kl` is null
  everywhere; so is `base_rank_of_aligned_top` where that token is not one of the base model's. Such positions count as
  flagged in summaries, which also give their number as "realigned".
- Where a model takes fewer tokens than there are before a position, the position is scored with a shortened context
  and has "context": "shortened", as has the side that did not see all of it; elsewhere there is no such field. The
  notes of the response tell the rule.
- Logprobs, entropies and `kl` (aligned || base, over the whole vocabulary) are in nats. `prob` is over the whole
  vocabulary; `missing_mass` is that of all tokens not in `top`.
- `flagged` counts the positions with `boundary` (or "realigned", see below); shares are given with and without them.
- With compat="aligntds" each token has "aligntds": the reference's numbers, and `token`, the string it would show.
- `matrix_library` of a model is what took its matrix products: "torch" (its own, MKL on x86) or "onednn". That of the
  settings may be "auto".
- A model that is an adapter has "adapter_of", the name of the whole model that it is put on.
- There is no NaN and no infinity: such a number is null.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from shiftlens.analysis.aligntds import measures_at, shown_text
from shiftlens.analysis.classify import Shares, shares, shares_without_flagged
from shiftlens.analysis.model import Analysis, Candidate, ResponseAnalysis, Summary, Token, TokenSide
from shiftlens.analysis.tokens import tokens
from shiftlens.scoring.columns import OwnTokens, SideColumns
from shiftlens.transcripts.model import Response, Role

SCHEMA = "shiftlens/1"

Json = dict[str, object]


class Described(Protocol):
    """What a loaded model says of itself (`engine.protocol.ModelDescription`)."""

    @property
    def path(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def parameters(self) -> int: ...
    @property
    def vocabulary(self) -> int: ...
    @property
    def max_positions(self) -> int | None: ...
    @property
    def device(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def adapter_of(self) -> str: ...
    @property
    def matrix_library(self) -> str: ...


def to_json(
    analysis: Analysis,
    file: str,
    *,
    models: Mapping[str, Described | None] | None = None,
    refused: Sequence[tuple[int, str]] = (),
) -> Json:
    """The object of one file. `models` has the keys "base" and "aligned"; `refused` names responses without scores."""
    described = models or {}
    options, classify = analysis.score_options, analysis.classify_options
    return {
        "schema": SCHEMA,
        "file": file,
        "format": analysis.transcript.format,
        "detected_by": analysis.transcript.detected_by,
        "models": {
            "base": _model(analysis.pair.base, described.get("base")),
            "aligned": _model(analysis.pair.aligned, described.get("aligned")),
        },
        "settings": {
            "base_context": options.base_context,
            "aligned_context": options.aligned_context,
            "classify_by": classify.classify_by,
            "thresholds": list(classify.thresholds),
            "top_k": options.top_k,
            "compat": options.compat,
            "device": analysis.pair.device,
            "dtype": analysis.pair.dtype,
            "matrix_library": analysis.pair.matrix_library,
        },
        "responses": [_response(response, options.compat) for response in analysis.responses],
        "problems": [{"line": line, "message": message} for line, message in analysis.transcript.problems],
        "refused": [{"index": index, "message": message} for index, message in refused],
        "summary": summary_json(analysis.summary),
    }


def error_json(file: str, *, kind: str, message: str, line: int | None = None) -> Json:
    """The object of a file that could not be analysed."""
    return {"schema": SCHEMA, "file": file, "error": {"kind": kind, "line": line, "message": message}}


def summary_json(summary: Summary) -> Json:
    """Counts by class, and shares with and without the flagged positions."""
    return {
        "tokens": summary.tokens,
        "unshifted": summary.unshifted,
        "marginal": summary.marginal,
        "shifted": summary.shifted,
        "flagged": summary.flagged,
        **({"realigned": summary.realigned} if summary.realigned else {}),
        "shares": _shares(shares(summary)),
        "shares_without_flagged": _shares(shares_without_flagged(summary)),
    }


def prompt_of(response: Response) -> str:
    """The last thing the user said before the response."""
    asked = [turn.text for turn in response.context if turn.role is Role.USER]
    return asked[-1] if asked else ""


def _shares(of: Shares) -> Json:
    return dataclasses.asdict(of)


def _model(name: str, described: Described | None) -> Json:
    if described is None:
        return {"name": name}
    return {
        "name": name,
        "path": described.path,
        "architecture": described.architecture,
        "parameters": described.parameters,
        "vocabulary": described.vocabulary,
        "max_positions": described.max_positions,
        "device": described.device,
        "dtype": described.dtype,
        "fingerprint": described.fingerprint,
        "matrix_library": described.matrix_library,
        **({"adapter_of": described.adapter_of} if described.adapter_of else {}),
    }


def _response(analysis: ResponseAnalysis, compat: str) -> Json:
    response, scored = analysis.response, analysis.scored
    return {
        "index": response.index,
        "prompt": prompt_of(response),
        "text": analysis.text,
        "start": response.turn.source_start,
        "end": response.turn.source_end,
        "prefix": {"base": _prefix(scored.base), "aligned": _prefix(scored.aligned)},
        "tokens": [_token(token, analysis, compat) for token in tokens(analysis)],
        "summary": summary_json(analysis.summary),
        "notes": list(scored.notes),
    }


def _prefix(side: SideColumns) -> Json:
    return {"text": side.prefix_text, "ids": list(side.prefix_ids)}


def _token(token: Token, analysis: ResponseAnalysis, compat: str) -> Json:
    sides = {"base": _side(token.base, token), "aligned": _side(token.aligned, token)}
    if analysis.scored.own_tokens is not None:
        sides["base"] = _with_own_ids(sides["base"], token.base, analysis.scored.own_tokens)
    found: Json = {
        "index": token.index,
        "id": token.id,
        "text": token.text,
        "start": token.start,
        "end": token.end,
        "class": token.shift.label,
        "boundary": token.boundary,
        "special": token.special,
        "off_greedy": token.off_greedy,
        **sides,
        "base_rank_of_aligned_top": token.base_rank_of_aligned_top or None,
        "kl": _number(token.kl),
        "jaccard@10": _number(token.jaccard),
    }
    if token.is_end:
        found["end_of_response"] = True
    if token.realigned is not None:
        found["realigned"] = {
            "first": token.realigned.first,
            "last": token.realigned.end - 1,
            "base_tokens": token.realigned.base_tokens,
            "base_logprob": _number(token.realigned.base_logprob),
        }
    if token.shortened:
        found["context"] = "shortened"
        for side in token.shortened:
            found[side] = {**sides[side], "context": "shortened"}
    if not _is_text(token.piece):
        found["bytes"] = token.piece.hex()
    if compat == "aligntds":
        numbers = {name: _number(value) for name, value in measures_at(analysis.scored, token.index).items()}
        found["aligntds"] = {**numbers, "token": shown_text(analysis.scored, token.index)}
    return found


def _side(side: TokenSide, token: Token) -> Json:
    own: Json = {"id": side.id} if side.id != token.id else {}
    return {
        **own,
        "rank": side.rank,
        "logprob": _number(side.logprob),
        "prob": _number(math.exp(side.logprob)),
        "entropy": _number(side.entropy),
        "missing_mass": _number(side.missing_mass),
        "top": [_candidate(candidate) for candidate in side.top],
    }


def _with_own_ids(side: Json, of: TokenSide, own: OwnTokens) -> Json:
    """With the base model's own ids: -1 is for none, and the others stand for bytes."""
    ids = own.base_ids
    top = [{**_candidate(candidate), "id": ids.get(candidate.id)} for candidate in of.top]
    return {**side, "id": ids.get(of.id), "top": top}


def _candidate(candidate: Candidate) -> Json:
    found: Json = {
        "id": candidate.id,
        "text": candidate.piece.decode("utf-8", "replace"),
        "prob": _number(candidate.prob),
    }
    if not _is_text(candidate.piece):
        found["bytes"] = candidate.piece.hex()
    return found


def _is_text(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
