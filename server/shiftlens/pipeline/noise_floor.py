"""The noise floor of a file: its analysis, and that of the aligned model beside itself in other numbers."""

from __future__ import annotations

import dataclasses

from shiftlens.analysis.noise_floor import FileNoise, as_what, noise_of_file
from shiftlens.engine.client import EngineClient
from shiftlens.errors import ModelError
from shiftlens.model_files.gguf_file import gguf_path
from shiftlens.options.choice import Choice
from shiftlens.options.pair import INT8, NOISE_DTYPES, PairSpec, ScoreOptions
from shiftlens.options.server_names import is_server_name
from shiftlens.pipeline.analyse import Analysed, analyse
from shiftlens.pipeline.progress import OnProgress, among
from shiftlens.scores.outcomes import OutcomeCache
from shiftlens.scores.store import ResultStore
from shiftlens.transcripts.model import Transcript


async def noise_floor(
    engine: EngineClient,
    transcript: Transcript,
    choice: Choice,
    against: str = "",
    *,
    store: ResultStore | None = None,
    cache: OutcomeCache | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[Analysed, FileNoise]:
    """The analysis of a transcript, and which of its positions differ by no more than `against` makes.

    That is another dtype, INT8 for weights rounded to that, or the name of a GGUF file of the aligned model. If it is
    not named, it is bfloat16, or float32 where the pair does not run in float32. Raises as `analyse`, and ModelError
    where the aligned model is on a server, whose numbers are not ours to choose, and for another `against`.
    """
    unknown = why_not_against(against)
    if unknown:
        raise ModelError(unknown, "Name one of these.")
    if is_server_name(choice.pair.aligned):
        raise ModelError(
            f"{choice.pair.aligned} is on a server, which runs it in one dtype and quantisation only.",
            "Measure the noise of a model that is loaded here.",
        )
    of_pair = among(on_progress, 0, 2, "the pair")
    real = await analyse(engine, transcript, choice, store=store, cache=cache, on_progress=of_pair)
    responses = real.analysis.responses
    # "auto" is another dtype on another device; the scores tell which it was.
    own = next((found.scored.aligned.model.dtype for found in responses), "")
    other = against or ("bfloat16" if own == "float32" else "float32")
    itself = dataclasses.replace(
        choice, pair=beside_itself(choice.pair, other), score_options=_same_context(choice.score_options)
    )
    of_noise = among(on_progress, 1, 2, f"the aligned model {as_what(other)}")
    noise = await analyse(engine, transcript, itself, store=store, cache=cache, on_progress=of_noise)
    refused = dict((*noise.refused, *real.refused))
    return real, noise_of_file(responses, noise.analysis.responses, (own, other), tuple(refused.items()))


def why_not_against(against: str) -> str:
    """Why the noise can't be measured against something, in a sentence; "" where it can."""
    if not against or against in (*NOISE_DTYPES, INT8) or gguf_path(against) is not None:
        return ""
    named = ", ".join((*NOISE_DTYPES, INT8))
    return f"{against!r} is none of {named}, and no GGUF file (*.gguf) of the aligned model."


def beside_itself(pair: PairSpec, other: str) -> PairSpec:
    """The aligned model as both sides, as the base in another dtype, with rounded weights, or out of a GGUF file."""
    if other == INT8:
        return dataclasses.replace(pair, base=pair.aligned, base_weights=INT8)
    if other in NOISE_DTYPES:
        return dataclasses.replace(pair, base=pair.aligned, base_dtype=other)
    return dataclasses.replace(pair, base=other)


def _same_context(options: ScoreOptions) -> ScoreOptions:
    """Options with which the base side is given what the aligned side is."""
    if options.compat:
        return dataclasses.replace(options, base_context="chat", aligned_context="chat", compat="")
    return dataclasses.replace(options, base_context=options.aligned_context)
