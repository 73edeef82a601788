"""`shiftlens.noise_floor(...)` and `shiftlens.contexts(...)`: a transcript scored in more ways than one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shiftlens.api.inputs import ScoringOptions, Source, asked_of, with_an_engine
from shiftlens.engine.client import EngineClient
from shiftlens.options.pair import BASE_CONTEXTS
from shiftlens.options.settings import TEMPLATE_PREFIX
from shiftlens.pipeline.contexts import contexts as under_contexts
from shiftlens.pipeline.noise_floor import noise_floor as measured
from shiftlens.pipeline.noise_floor import why_not_against
from shiftlens.report.comparisons import Contexts, NoiseFloor
from shiftlens.report.results import TranscriptAnalysis

if TYPE_CHECKING:
    from typing_extensions import Unpack


def noise_floor(
    transcript: Source, *, base: str, aligned: str, against: str = "", **options: Unpack[ScoringOptions]
) -> NoiseFloor:
    """Measure which shifts are no larger than what another dtype or quantisation makes of the aligned model, as
    `shiftlens noise-floor` does (docs/noise-floor.md).

    `transcript`, `base`, `aligned` and `options` are those of `analyze`. `against` is a dtype ("float32", "bfloat16",
    "float16"), "int8" for rounded weights, or the path of a GGUF file of the aligned model; without it, it is bfloat16,
    or float32 where the models run in another.

    `to_json` of the result is the command's JSON, `to_pandas` and `to_arrow` are tables with a row for each position,
    and `noise` holds all numbers, in nats. Responses that can't be measured are in `noise.not_measured`, and are no
    error.

    Raises what `analyze` raises, and ValueError for another `against`.
    """
    if why_not := why_not_against(against):
        raise ValueError(f"`against`: {why_not}")
    asked = asked_of("noise_floor", transcript, base, aligned, options)

    async def found(engine: EngineClient) -> NoiseFloor:
        real, noise = await measured(engine, asked.transcript, asked.choice, against)
        return NoiseFloor(TranscriptAnalysis.of(real, asked.name, asked.text), noise, real.not_scored)

    return with_an_engine(found)


def contexts(
    transcript: Source,
    *,
    base: str,
    aligned: str,
    contexts: Sequence[str] | Mapping[str, str] = BASE_CONTEXTS,
    **options: Unpack[ScoringOptions],
) -> Contexts:
    """Compare a transcript under several base contexts: shares, and the tokens whose class changes, as `shiftlens
    contexts` does (docs/contexts.md).

    `transcript`, `base`, `aligned` and `options` are those of `analyze`, without `base_context` and `compat`.
    `contexts` are two or more of "aligntds", "chat", "raw" and "few-shot", or `template:` and the text of a template; a
    mapping gives them other names.

    `to_json` of the result is the command's JSON, `to_pandas` and `to_arrow` are tables with a row for each position
    under each context, and `compared` holds all numbers: probabilities from 0 to 1, KL in nats, ranks from 1.
    Responses that can't be compared are in `compared.not_compared`, and are no error.

    Raises what `analyze` raises, and ValueError where `contexts` are not two or more, or one of them is none.
    """
    by_name = dict(contexts) if isinstance(contexts, Mapping) else {name: name for name in contexts}
    if isinstance(contexts, str) or len(by_name) < 2 or len(by_name) < len(contexts):
        raise ValueError("`contexts` names two base contexts or more, each once.")
    for context in by_name.values():
        if context not in BASE_CONTEXTS and not context.startswith(TEMPLATE_PREFIX):
            raise ValueError(f"`contexts`: {context!r} is none of {', '.join(BASE_CONTEXTS)}, {TEMPLATE_PREFIX}TEXT.")
    if left_out := options.keys() & {"base_context", "compat"}:
        raise TypeError(f"contexts() takes no {min(left_out)!r}: `contexts` are what is compared.")
    asked = asked_of("contexts", transcript, base, aligned, options)

    async def found(engine: EngineClient) -> Contexts:
        first, compared = await under_contexts(engine, asked.transcript, asked.choice, list(by_name.items()))
        return Contexts(TranscriptAnalysis.of(first, asked.name, asked.text), compared, first.not_scored)

    return with_an_engine(found)
