"""An analysis as JSON, schema "shiftlens/1". `schema.json` beside this file says the same for machines.

    {"schema", "file", "format", "detected_by",
     "models": {"base": {"name", "path", "architecture", "parameters", "vocabulary", "max_positions", "device", "dtype",
        "fingerprint", "matrix_library"}, "aligned": {the same}},
     "settings": {"base_context", "aligned_context", "classify_by", "thresholds", "word_lists", "top_k", "score_parts",
        "compat", "device", "dtype", "matrix_library"},
     "responses": [{"index", "conversation", "turn", "prompt", "text", "start", "end",
        "prefix": {"base": {"text", "ids"}, "aligned": {"text", "ids"}},
        "tokens": [{"index", "id", "text", "start", "end", "class", "kind", "boundary", "special",
                    "off_greedy",
                    "base":    {"rank", "logprob", "prob", "entropy", "missing_mass", "top": [{"id", "text", "prob"}]},
                    "aligned": {the same},
                    "base_rank_of_aligned_top", "kl", "jaccard@10"}],
        "summary": {"tokens", "unshifted", "marginal", "shifted", "flagged",
            "shares": {"tokens", "unshifted", "marginal", "shifted"}, "shares_without_flagged": {the same},
            "by_kind": {kind: the same}, "by_loss_mask": {"counted" | "left_out" | "unknown": the same}},
        "notes": [...]}],
     "problems": [{"line", "message"}], "refused": [{"index", "message"}], "not_scored": [index, ...], "summary": {...}}

A file that could not be analysed gives {"schema", "file", "error": {"kind", "line", "message"}} instead.

- `start`, `end` are offsets into the file's decoded text, in code points, a byte order mark not counted.
- `conversation` and `turn` count from 0, the conversation in the file and the turn in it. A response that is one of
  several answers to its prompt has "label", the file's word for it ("chosen"). One of which the file says whether it is
  trained on, as a loss mask does, has "trained": "yes", "no" or "partly".
- A response that is more than an answer has "parts": [{"kind": "reasoning" | "answer" | "tool_call", "start", "end"}],
  all parts of its turn in the order in which the model wrote them, which may not be the file's; one that was not scored
  has "scored": false. A token that is not of the answer has "part", its kind; one with bytes of two parts is of the
  first. Tokens are in the order of the parts, so that their offsets ascend within a part only. Summaries count all
  positions that were scored; where some are not of answers, they have "by_part": {kind: the same counts and shares}.
  Shares are of the positions that have a class, and null where none has.
- The "kind" of a token is "content", "format", "connective", "hedge", "opener", "closer", "syntax" or "reasoning", by
  the rules of docs/kinds.md; "by_kind" has counts and shares of each kind that there is. `word_lists` is "user" where
  a file of the user's tells the kinds, else "package".
- Where the aligned model's chat template marks what the assistant writes (`{% generation %}`), a token has "loss_mask":
  true where a trainer with a loss on the assistant's tokens alone counts it, false where it leaves it out, null where
  the template does not write the token. "by_loss_mask" has counts and shares of each.
- `not_scored` are the responses of which no part is of a kind in `score_parts`.
- The texts of a response's tokens join to its `text`, that of the parts that were scored. A character split over
  several tokens is the text of the one with its first byte; the others are empty. A token that is not whole characters
  has its own "bytes", as hex; so has a candidate, whose `text` then holds U+FFFD.
- The last token of a response is its end: `"end_of_response": true`, `text` empty, `start` = `end`. There, a side
  that scored another id than `id` names its own `id`. A response whose last part is not scored has no such token.
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
- Of some servers it is known what each model gives the other one's candidates: a side then has "other_top", those of
  the other side's `top` that are not in its own, with its own `prob` of each, the most likely first.
- A rank that is not known exactly is null; where it is known to be above k, the side has "rank_above": k. A position
  whose base rank does not tell its class has the class null; a summary counts such positions as "unknown", and shares
  are of the others.
- `flagged` counts the positions with `boundary` (or "realigned", see above); shares are given with and without them.
- With compat="aligntds" each token has "aligntds": the reference's numbers, and `token`, the string it would show.
  The settings that it does not go by are null then: its contexts, what it classifies by and the 30 candidates that it
  keeps are its own.
- `notes` tell first what the file's reader has to say of the response, then how it was scored.
- `matrix_library` of a model is what took its matrix products: "torch" (its own, MKL on x86) or "onednn". That of the
  settings may be "auto".
- A model has its "name" alone where nothing is known of what was loaded. `max_positions` is null where it has no limit.
- Of a model on a server only what the server tells is known: `parameters` and `vocabulary` are null, `architecture`,
  `dtype`, `fingerprint` and `matrix_library` are empty.
- With the option `scores` = "saved", scores are those that the file itself holds, and the settings have "scores":
  "saved"; those that such scores were not made with are null. A response of which the file holds the logprobs of one
  model alone has "model", its name or null, and "classes_by": "own-rank": "aligned" is that model, whatever its kind,
  and classes follow its own rank ("shifted" is a token that surprised it, not one that alignment moved). There, `base`,
  `boundary`, `special`, `base_rank_of_aligned_top`, `kl` and `jaccard@10` are null, and so are both prefixes. An `id`
  is null where the file names tokens by their texts alone. In `models`, what is not known is null.
- A model that is an adapter has "adapter_of", the name of the whole model that it is put on.
- There is no NaN and no infinity: such a number is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from shiftlens.analysis.classify import Shares, shares, shares_without_flagged
from shiftlens.analysis.contract_tokens import token_json
from shiftlens.analysis.json_values import Json, shares_json
from shiftlens.analysis.model import Analysis, ResponseAnalysis, Summary
from shiftlens.analysis.parts import part_name
from shiftlens.analysis.tokens import tokens
from shiftlens.options.pair import FROM_MODELS
from shiftlens.scores.records import AnyScores, ScoredResponse, SideScores
from shiftlens.transcripts.model import PartKind, Response, Role, Trained

SCHEMA = "shiftlens/1"


class Described(Protocol):
    """What a loaded model says of itself (`scores.description.ModelDescription`)."""

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
    not_scored: Sequence[int] = (),
    lazily: bool = False,
) -> Json:
    """The object of one file.

    `models` has the keys "base" and "aligned"; `refused` and `not_scored` name responses without scores. With
    `lazily`, responses and their tokens are iterators, each of which can be taken once (see `text.json_pieces`).
    """
    described = models or {}
    options = analysis.score_options
    responses = (_response(response, options.compat, lazily=lazily) for response in analysis.responses)
    return {
        "schema": SCHEMA,
        "file": file,
        "format": analysis.transcript.format,
        "detected_by": analysis.transcript.detected_by,
        "models": {
            side: None if name is None else _model(name, described.get(side))
            for side, name in zip(("base", "aligned"), analysis.model_names, strict=True)
        },
        "settings": _settings(analysis),
        "responses": responses if lazily else list(responses),
        "problems": [{"line": line, "message": message} for line, message in analysis.transcript.problems],
        "refused": [{"index": index, "message": message} for index, message in refused],
        "not_scored": list(not_scored),
        "summary": summary_json(analysis.summary),
    }


# What the reference has of its own, so that naming the user's choice would be wrong.
_NOT_OF_ALIGNTDS = ("base_context", "aligned_context", "classify_by", "top_k")
# What no scores in a file were made with, as far as anybody knows.
_NOT_OF_SAVED = (*_NOT_OF_ALIGNTDS, "device", "dtype", "matrix_library")


def _settings(analysis: Analysis) -> Json:
    options, classify = analysis.score_options, analysis.classify_options
    found: Json = {
        "base_context": options.base_context,
        "aligned_context": options.aligned_context,
        "classify_by": classify.classify_by,
        "thresholds": list(classify.thresholds),
        "word_lists": "package" if classify.word_lists is None else "user",
        "top_k": options.top_k,
        "score_parts": list(options.parts),
        "compat": options.compat,
        "device": analysis.pair.device,
        "dtype": analysis.pair.dtype,
        "matrix_library": analysis.pair.matrix_library,
    }
    if analysis.scores != FROM_MODELS:
        return found | dict.fromkeys(_NOT_OF_SAVED) | {"scores": analysis.scores}
    return found | dict.fromkeys(_NOT_OF_ALIGNTDS) if options.compat == "aligntds" else found


def summary_json(summary: Summary) -> Json:
    """Counts by class, and shares with and without the flagged positions.

    By part where not all is answers, by kind, and by loss mask where there is one.
    """
    by_part = {kind: summary_json(part) for kind, part in summary.by_part} if summary.is_of_parts else {}
    by_kind = {kind.label: summary_json(part) for kind, part in summary.by_kind}
    by_loss_mask = {mask.label: summary_json(of) for mask, of in summary.by_loss_mask}
    return {
        "tokens": summary.tokens,
        "unshifted": summary.unshifted,
        "marginal": summary.marginal,
        "shifted": summary.shifted,
        "flagged": summary.flagged,
        **({"unknown": summary.unknown} if summary.unknown else {}),
        **({"realigned": summary.realigned} if summary.realigned else {}),
        "shares": _shares(shares(summary)),
        "shares_without_flagged": _shares(shares_without_flagged(summary)),
        **({"by_part": by_part} if by_part else {}),
        **({"by_kind": by_kind} if by_kind else {}),
        **({"by_loss_mask": by_loss_mask} if by_loss_mask else {}),
    }


def prompt_of(response: Response) -> str:
    """The last thing the user said before the response."""
    asked = [turn.text for turn in response.context if turn.role is Role.USER]
    return asked[-1] if asked else ""


def _shares(of: Shares) -> Json:
    return {"tokens": of.tokens, **shares_json(of)}


def _model(name: str, described: Described | None) -> Json:
    if described is None:
        return {"name": name}
    return {
        "name": name,
        "path": described.path,
        "architecture": described.architecture,
        "parameters": described.parameters or None,
        "vocabulary": described.vocabulary or None,
        "max_positions": described.max_positions,
        "device": described.device,
        "dtype": described.dtype,
        "fingerprint": described.fingerprint,
        "matrix_library": described.matrix_library,
        **({"adapter_of": described.adapter_of} if described.adapter_of else {}),
    }


def _response(analysis: ResponseAnalysis, compat: str, *, lazily: bool) -> Json:
    response, scored = analysis.response, analysis.scored
    every = (token_json(token, analysis, compat) for token in tokens(analysis))
    return {
        "index": response.index,
        "conversation": response.conversation,
        "turn": response.turn_index,
        **({"label": response.label} if response.label else {}),
        **({"trained": response.turn.trained.value} if response.turn.trained is not Trained.UNKNOWN else {}),
        "prompt": prompt_of(response),
        "text": analysis.text,
        "start": response.turn.source_start,
        "end": response.turn.source_end,
        **_parts(analysis),
        **_of_one_model(scored),
        "prefix": {
            "base": _prefix(scored.base) if isinstance(scored, ScoredResponse) else None,
            "aligned": _prefix(scored.aligned) if isinstance(scored, ScoredResponse) else None,
        },
        "tokens": every if lazily else list(every),
        "summary": summary_json(analysis.summary),
        "notes": list(analysis.notes),
    }


def _of_one_model(scored: AnyScores) -> Json:
    if isinstance(scored, ScoredResponse):
        return {}
    return {"model": scored.model_name or None, "classes_by": "own-rank"}


def _parts(analysis: ResponseAnalysis) -> Json:
    """Nothing where the turn is an answer alone, which may stand in the file in several pieces."""
    every = [(index, part) for index, part in enumerate(analysis.response.turn.parts) if part.text]
    if all(part.kind is PartKind.TEXT for _, part in every):
        return {}
    return {
        "parts": [
            {
                "kind": part_name(part.kind),
                "start": part.source.source_start,
                "end": part.source.source_end,
                **({} if index in analysis.scored.parts else {"scored": False}),
            }
            for index, part in every
        ]
    }


def _prefix(side: SideScores) -> Json:
    return {"text": side.prefix_text, "ids": list(side.prefix_ids)}
