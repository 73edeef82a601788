"""The JSON of `shiftlens cross-sample`, "shiftlens-cross-sample/1".

    {"schema", "file", "models": {"base", "aligned"},
     "settings": {"base_context", "aligned_context", "classify_by", "thresholds", "samples", "seed", "temperature",
                  "top_p", "max_tokens"},
     "positions": [{"response", "index", "start", "end", "text", "class", "notes",
        "base": {"rank", "prob", "choice": {"text", "prob"}}, "aligned": {"prob", "choice": {"text", "prob"}},
        "said", "effect",
        "arms": [{"arm", "model", "behind", "token",
            "edit_distance": {"mean", "min", "max", "count"}, "common_bigrams": {the same}, "same_tokens": {the same},
            "continuations": [{"seed", "text", "end", "same_tokens", "same_characters", "parts", "edit_distance",
                               "common_bigrams", "window"}]}]}],
     "not_sampled": [{"response", "index", "message"}],
     "together": [{"response", "notes", "said", "effect",
        "arms": [{"arm", "model", "choices", "edit_distance", "common_bigrams", "same_tokens": {as above},
            "continuations": [{as above, "from_rank", "swapped": [index, ...],
                               "swaps": [{"index", "replaced", "base_rank"}]}]}]}]}

A file that could not be analysed gives {"schema", "file", "error": {"kind", "line", "message"}} instead.

- "text", `start`, `end`, "bytes", "end_of_response", "class" and "rank_above" are as in "shiftlens/1"
  (`analysis/contract.py`). "said" is what the response says from the position on, as far as it was compared.
- "arm" is one of `ARMS` in `analysis/cross_sampling.py`, where the numbers are defined; a continuation without a seed
  is greedy. Spreads are of the drawn continuations, of the greedy one where none was drawn. "effect" is the mean
  edit distance of the arm "swapped" less that of "kept".
- "together" is there where tokens are swapped in one go ("most" of the settings, at the most); "choices" is the model
  whose choices stand at the indices of "swapped" in the continuation, which begins where the response does; an end that
  was swapped in has the index behind the last token. "swaps" has the same with what the model that writes would have
  said ("replaced") and the base rank for which it was swapped; "from_rank" is the least rank that one was swapped for,
  null in an arm without swaps.
- "text" of a continuation begins behind the swapped token. Its "end" is "end", "close", "length" or "room".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shiftlens.analysis.cross_sampling import ArmResult, Choice, CrossSampled, Sample, SwappedTogether, SwapPosition
from shiftlens.analysis.json_values import Json, class_name, finite, piece_json, rank_json
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.parting import Spread, distance
from shiftlens.analysis.words import base_context_of
from shiftlens.scores.continuations import Sampling

SCHEMA = "shiftlens-cross-sample/1"
SCHEMA_PATH = Path(__file__).with_name("cross_sampling_schema.json")


def schema() -> dict[str, Any]:
    """The schema of the object of one file, draft 2020-12."""
    found: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return found


def to_json(
    analysis: Analysis,
    file: str,
    found: Sequence[CrossSampled],
    *,
    samples: int,
    seed: int,
    sampling: Sampling,
    not_sampled: Sequence[tuple[SwapPosition, str]] = (),
    together: Sequence[SwappedTogether] | None = None,
    most: int | None = None,
) -> Json:
    """The object of one file. With `together`, up to `most` tokens were swapped in one go."""
    options, classify = analysis.score_options, analysis.classify_options
    return {
        "schema": SCHEMA,
        "file": file,
        "models": {"base": analysis.pair.base, "aligned": analysis.pair.aligned},
        "settings": {
            "base_context": base_context_of(options),
            "aligned_context": "chat" if options.compat else options.aligned_context,
            "classify_by": classify.classify_by,
            "thresholds": list(classify.thresholds),
            "samples": samples,
            "seed": seed,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            **({} if together is None else {"most": most}),
        },
        "positions": [position_json(each) for each in found],
        "not_sampled": [
            {"response": position.response, "index": position.row, "message": message}
            for position, message in not_sampled
        ],
        **({} if together is None else {"together": [together_json(each) for each in together]}),
    }


def position_json(found: CrossSampled) -> Json:
    """The object of one position."""
    position = found.position
    return {
        "response": position.response,
        "index": position.row,
        "start": position.start,
        "end": position.end,
        **_token(position.said),
        "class": class_name(position.shift),
        "notes": list(found.notes),
        "base": {
            **rank_json(position.base_rank),
            "prob": finite(position.base_prob),
            "choice": _choice(position.base),
        },
        "aligned": {"prob": finite(position.aligned_prob), "choice": _choice(position.aligned)},
        "said": b"".join(found.said).decode("utf-8", "replace"),
        "effect": finite(found.effect),
        "arms": [_arm(arm, position) for arm in found.arms],
    }


def together_json(found: SwappedTogether) -> Json:
    """The object of a response of which tokens were swapped in one go."""
    return {
        "response": found.response,
        "notes": list(found.notes),
        "said": b"".join(found.said).decode("utf-8", "replace"),
        "effect": finite(found.effect),
        "arms": [
            {
                "arm": each.arm.name,
                "model": each.arm.model,
                "choices": each.arm.behind,
                **_numbers(each),
                "continuations": [{**_sample(of), **_swaps(of)} for of in each.samples],
            }
            for each in found.arms
        ],
    }


def _swaps(sample: Sample) -> Json:
    return {
        "from_rank": sample.from_rank or None,
        "swapped": list(sample.swapped),
        "swaps": [
            {"index": each.index, "replaced": each.replaced.decode("utf-8", "replace"), "base_rank": each.base_rank}
            for each in sample.swaps
        ],
    }


def _arm(found: ArmResult, position: SwapPosition) -> Json:
    arm = found.arm
    return {
        "arm": arm.name,
        "model": arm.model,
        "behind": arm.behind,
        "token": _token(position.choice(arm.behind)),
        **_numbers(found),
        "continuations": [_sample(sample) for sample in found.samples],
    }


def _numbers(found: ArmResult) -> Json:
    return {
        "edit_distance": _spread(found.spread(distance)),
        "common_bigrams": _spread(found.spread(lambda parting: parting.common_bigrams)),
        "same_tokens": _spread(found.spread(lambda parting: parting.same_tokens)),
    }


def _sample(sample: Sample) -> Json:
    parting = sample.parting
    return {
        "seed": sample.seed,
        "text": b"".join(sample.pieces).decode("utf-8", "replace"),
        "end": sample.end or None,
        "same_tokens": parting.same_tokens,
        "same_characters": parting.same_characters,
        "parts": parting.parts,
        "edit_distance": parting.edit_distance,
        "common_bigrams": finite(parting.common_bigrams),
        "window": parting.window,
    }


def _spread(spread: Spread) -> Json:
    return {
        "mean": finite(spread.mean),
        "min": finite(spread.least),
        "max": finite(spread.most),
        "count": spread.count,
    }


def _choice(choice: Choice) -> Json:
    return {**_token(choice), "prob": finite(choice.prob)}


def _token(choice: Choice) -> Json:
    return piece_json(choice.piece, is_end=choice.ends)
