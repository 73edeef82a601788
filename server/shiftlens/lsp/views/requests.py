"""Answers to the extension's own requests, as plain JSON objects.

Plain objects, because pygls renames the keys of typed ones, and only values that JSON has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from shiftlens.analysis.facts import Fact, facts
from shiftlens.analysis.model import Candidate, ResponseAnalysis, ShiftClass, Summary, Token, TokenSide
from shiftlens.analysis.ranks import rank_number, rank_words
from shiftlens.analysis.stages_at import StageAt, stages_at
from shiftlens.analysis.words import base_context_of, part_words, trained_words, turn_words
from shiftlens.lsp.documents.locate import Place
from shiftlens.lsp.documents.open import OpenDocument, span_range
from shiftlens.lsp.documents.store import DocumentAnalysis, ResponseResult
from shiftlens.options.pair import FROM_MODELS
from shiftlens.pipeline.unscored import why_not_part
from shiftlens.scores.columns import Above, known_id
from shiftlens.scores.records import OneModelScores, ScoredResponse
from shiftlens.text.lines import LineIndex, Unit
from shiftlens.text.trail import Edits
from shiftlens.text.visible import ELLIPSIS, visible_piece
from shiftlens.transcripts.model import Response, Role

Json = dict[str, object]

_LONGEST_PROMPT = 80


def analysis_answer(document: OpenDocument, analysis: DocumentAnalysis | None, unit: Unit) -> Json:
    """`shiftlens/analysis`: the state of a document and, where it has any, its responses with counts by class."""
    answer = document.status.as_json(document.uri, document.version)
    transcript = document.parsed.transcript if document.parsed is not None else None
    answer |= {
        "format": transcript.format if transcript is not None else None,
        "detectedBy": transcript.detected_by if transcript is not None else None,
        "models": None,
        "settings": None,
        "problems": 0 if transcript is None else len(transcript.problems),
        "analysedVersion": None,
        "responses": [],
    }
    if analysis is None:
        return answer
    edits, of_file = document.edits_since(analysis), analysis.scores != FROM_MODELS
    return answer | {
        "models": dict(zip(("base", "aligned"), analysis.model_names, strict=True)),
        "settings": {
            "baseContext": None if of_file else base_context_of(analysis.score_options),
            # The reference has a way of its own.
            "classifyBy": None if of_file or analysis.score_options.compat else analysis.classify_options.classify_by,
            "scores": analysis.scores,
            "scoreParts": list(analysis.score_options.parts),
            "thresholds": list(analysis.classify_options.thresholds),
        },
        "analysedVersion": analysis.version,
        "responses": [
            _response(document, analysis, index, result, edits, unit) for index, result in enumerate(analysis.results)
        ],
    }


def token_answer(document: OpenDocument, place: Place, unit: Unit) -> Json:
    """`shiftlens/token`: the tokens at a position (the parts of one character, the end) with both distributions."""
    analysis = place.result.analysis
    span = place.span_now()
    sides = None
    tokens: list[Json] = []
    if analysis is not None:
        scored = analysis.scored
        if isinstance(scored, ScoredResponse):
            sides = {"base": scored.base.prefix_text, "aligned": scored.aligned.prefix_text}
        transcript, options = place.analysis.transcript, place.analysis.score_options
        character = [item for item in place.tokens if not item.is_end]
        tokens = [
            _token(item, facts(item, analysis, transcript, options, character)) | _stages(place, analysis, item)
            for item in place.tokens
        ]
    return {
        "uri": document.uri,
        "version": document.version,
        "analysedVersion": place.analysis.version,
        "responseIndex": place.index,
        "turn": turn_words(place.response, place.analysis.transcript),
        "tokenCount": None if analysis is None else analysis.token_count,
        "partial": place.result.partial,
        "refusal": _why_not(place),
        "range": None if span is None else range_json(document, span, unit),
        "models": _models(place),
        "baseContext": base_context_of(place.analysis.score_options) if place.analysis.scores == FROM_MODELS else None,
        "prefix": sides,
        "notes": [] if analysis is None else list(analysis.notes),
        "tokens": tokens,
    }


def _models(place: Place) -> Json:
    scored = None if place.result.analysis is None else place.result.analysis.scored
    if isinstance(scored, OneModelScores):
        return {"base": None, "aligned": scored.model_name or None}
    return {"base": place.analysis.pair.base or None, "aligned": place.analysis.pair.aligned or None}


def _why_not(place: Place) -> str | None:
    if place.left_out:
        return why_not_part(place.left_out)
    return None if place.result.refusal is None else str(place.result.refusal)


def summary_json(summary: Summary) -> Json:
    """Counts by class, of all positions that were scored; `byPart` has those of each kind of part where not all is
    answers, `byKind` those of each kind of token, `byLossMask` those by what the chat template marks for training."""
    by_part = [{"kind": part_words(kind), **summary_json(part)} for kind, part in summary.by_part]
    by_kind = [{"kind": kind.words, **summary_json(of)} for kind, of in summary.by_kind]
    by_loss_mask = [{"kind": mask.words, **summary_json(of)} for mask, of in summary.by_loss_mask]
    return {
        "tokens": summary.tokens,
        "unshifted": summary.unshifted,
        "marginal": summary.marginal,
        "shifted": summary.shifted,
        "flagged": summary.flagged,
        "flaggedUnshifted": summary.flagged_unshifted,
        "flaggedMarginal": summary.flagged_marginal,
        "flaggedShifted": summary.flagged_shifted,
        **({"unknown": summary.unknown} if summary.unknown else {}),
        **({"byPart": by_part} if summary.is_of_parts else {}),
        **({"byKind": by_kind} if by_kind else {}),
        **({"byLossMask": by_loss_mask} if by_loss_mask else {}),
    }


def _response(
    document: OpenDocument,
    analysis: DocumentAnalysis,
    index: int,
    result: ResponseResult,
    edits: Edits,
    unit: Unit,
) -> Json:
    source = analysis.transcript.responses[index].turn
    span = edits.span_to_new(source.source_start, source.source_end)
    found: ResponseAnalysis | None = result.analysis
    return {
        "index": index,
        "state": _result_state(result),
        "message": "" if result.refusal is None else str(result.refusal),
        "prompt": _prompt(analysis.transcript.responses[index]),
        "turn": turn_words(analysis.transcript.responses[index], analysis.transcript),
        "label": analysis.transcript.responses[index].label,
        "training": trained_words(analysis.transcript.responses[index]),
        "range": None if span is None else range_json(document, span, unit),
        "summary": None if found is None else summary_json(found.summary),
        "notes": [] if found is None else list(found.notes),
    }


def _prompt(response: Response) -> str:
    """The first words of what was asked, on one line."""
    asked = next((turn.text for turn in reversed(response.context) if turn.role is Role.USER), "")
    words = " ".join(asked[:_LONGEST_PROMPT].split())
    return f"{words}{ELLIPSIS}" if len(asked) > _LONGEST_PROMPT else words


def _result_state(result: ResponseResult) -> str:
    if result.refusal is not None:
        return "notScored" if result.refusal.by_choice else "refused"
    if result.analysis is None:
        return "pending"
    return "partial" if result.partial else "scored"


def _token(item: Token, told: Sequence[Fact]) -> Json:
    sentences = {fact.kind: fact.sentence for fact in told}
    return {
        "index": item.index,
        "id": known_id(item.id),
        "text": visible_piece(item.piece),
        "class": None if item.shift is ShiftClass.UNKNOWN else item.shift.label,
        "classText": None if item.shift is ShiftClass.UNKNOWN else item.label,
        "isEnd": item.is_end,
        "part": part_words(item.part),
        "kind": item.kind.label,
        "special": item.special,
        "boundary": item.boundary,
        "offGreedy": item.off_greedy,
        "shortened": list(item.shortened),
        "base": None if item.base is None else _base_side(item, item.base),
        "aligned": _side(item.aligned),
        "baseRankOfAlignedTop": rank_number(item.base_rank_of_aligned_top),
        # For clients that know no `facts`.
        "realigned": sentences.get("realigned"),
        "reference": sentences.get("reference"),
        "kl": _finite(item.kl),
        "jaccard": _finite(item.jaccard),
        "facts": [
            {"kind": fact.kind, "label": fact.label, "text": fact.text, "sentence": fact.sentence} for fact in told
        ],
    }


def _base_side(item: Token, side: TokenSide) -> Json:
    """In a pair of two vocabularies, the same token has another id on this side; the client wants to know it again."""
    same = side.id is not None and not item.is_end
    return {**_side(side), **({"id": item.id} if same else {})}


def _side(side: TokenSide) -> Json:
    return {
        "id": None if side.id is None else known_id(side.id),
        "rank": rank_number(side.rank),
        **({"rankAbove": side.rank.rank} if isinstance(side.rank, Above) else {}),
        "rankText": rank_words(side.rank),
        "logprob": _finite(side.logprob),
        "prob": _finite(math.exp(side.logprob)),
        "entropy": _finite(side.entropy),
        "missingMass": _finite(side.missing_mass),
        "top": [_candidate(candidate, side) for candidate in side.top],
    }


def _candidate(candidate: Candidate, side: TokenSide) -> Json:
    return {
        "id": known_id(candidate.id),
        "text": visible_piece(candidate.piece),
        "prob": _finite(candidate.prob),
        "isResponse": candidate.id == side.id,
    }


def _stages(place: Place, analysis: ResponseAnalysis, item: Token) -> Json:
    """A token under the stages that the user named; nothing where there are none."""
    if not place.result.stages:
        return {}
    under = stages_at(analysis.pair_scores, place.result.stages, item.index)
    return {
        "stages": {
            "rows": [_stage(stage) for stage in under.stages],
            "first": under.first,
            "known": under.is_known,
            "sentence": under.sentence(),
        }
    }


def _stage(stage: StageAt) -> Json:
    given = stage.given
    return {
        "model": stage.model,
        "rank": None if given is None else rank_number(given.rank),
        "rankText": None if given is None else rank_words(given.rank),
        "prob": None if given is None else _finite(given.prob),
        "moved": stage.moved,
        "problem": stage.why_not or None,
        "notes": list(stage.notes),
    }


def _finite(value: float) -> float | None:
    """JSON has no infinities and no NaN."""
    return value if math.isfinite(value) else None


def range_json(document: OpenDocument, span: tuple[int, int], unit: Unit) -> Json:
    """A span of the present text as the protocol has ranges."""
    return range_in(document.lines, span, unit)


def range_in(lines: LineIndex, span: tuple[int, int], unit: Unit) -> Json:
    """A span of the text with these lines as the protocol has ranges."""
    found = span_range(lines, *span, unit)
    return {
        "start": {"line": found.start.line, "character": found.start.character},
        "end": {"line": found.end.line, "character": found.end.character},
    }
