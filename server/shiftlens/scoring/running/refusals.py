"""Responses that a model gave no numbers for: refused in words, never shown as a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shiftlens.errors import ScoringError
from shiftlens.scores.description import ModelDescription
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.numbers.tensors import PairTensors

_DTYPES = "`shiftlens.dtype`, `--dtype`"


class Described(Protocol):
    """A model that says what it is."""

    @property
    def description(self) -> ModelDescription: ...


class DescribedPair(Protocol):
    """Two models that say what they are, and their tokenizers, the base model's first."""

    @property
    def base(self) -> Described: ...
    @property
    def aligned(self) -> Described: ...
    @property
    def encoders(self) -> tuple[TextEncoder, TextEncoder]: ...


def no_numbers(pair: DescribedPair, prepared: Prepared, numbers: PairTensors, at: int) -> ScoringError:
    """Why a response can't be scored of which position `at` is broken (see `SideTensors.broken`)."""
    sides = ((pair.base, numbers.base_broken), (pair.aligned, numbers.aligned.broken))
    models = [model.description for model, broken in sides if bool(broken[at])]
    names = " and ".join(dict.fromkeys(model.name for model in models))
    return ScoringError(
        f"The logits of {names} are NaN or infinite {_where(pair, prepared, at)}, so that there is no rank or"
        " probability.",
        _remedy(models),
    )


def _where(pair: DescribedPair, prepared: Prepared, at: int) -> str:
    if at == len(prepared.ids):
        return "at the end of the response"
    piece = pair.encoders[1].pieces[prepared.ids[at]].decode("utf-8", "replace")
    return f"at token {at} of the response ({piece!r}, counted from 0)"


def _remedy(models: Sequence[ModelDescription]) -> str:
    damaged = "its weights may be damaged"
    if any(model.dtype.startswith("float16") for model in models):
        return (
            f"float16 overflows in some models: choose float32 or bfloat16 ({_DTYPES}). Else fetch it anew: {damaged}."
        )
    return f"Fetch it anew: {damaged}. Or choose another dtype ({_DTYPES})."
