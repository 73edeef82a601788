"""The noise floor of a file: its analysis, and that of the aligned model beside itself in another dtype."""

from __future__ import annotations

import dataclasses

from shiftlens.analysis.noise_floor import FileNoise, noise_of_file
from shiftlens.engine.client import EngineClient
from shiftlens.errors import ModelError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import PairSpec, ScoreOptions
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
    """The analysis of a transcript, and which of its positions differ by no more than the dtype `against` makes.

    Without `against`, that is bfloat16, or float32 where the pair does not run in float32. Raises as `analyse`, and
    ModelError where the aligned model is on a server, whose dtype is not ours to choose.
    """
    if is_server_name(choice.pair.aligned):
        raise ModelError(
            f"{choice.pair.aligned} is on a server, which runs it in one dtype only.",
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
    of_noise = among(on_progress, 1, 2, f"the aligned model in {other}")
    noise = await analyse(engine, transcript, itself, store=store, cache=cache, on_progress=of_noise)
    refused = dict((*noise.refused, *real.refused))
    return real, noise_of_file(responses, noise.analysis.responses, (own, other), tuple(refused.items()))


def beside_itself(pair: PairSpec, dtype: str) -> PairSpec:
    """The aligned model as both sides, as the base in another dtype."""
    return dataclasses.replace(pair, base=pair.aligned, base_dtype=dtype)


def _same_context(options: ScoreOptions) -> ScoreOptions:
    """Options with which the base side is given what the aligned side is."""
    if options.compat:
        return dataclasses.replace(options, base_context="chat", aligned_context="chat", compat="")
    return dataclasses.replace(options, base_context=options.aligned_context)
