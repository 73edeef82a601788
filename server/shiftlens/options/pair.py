"""The choices a user makes about models and contexts, as plain values (no torch here)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shiftlens.options.word_lists import WordLists

BUNDLED_BASE = "bundled:base"
BUNDLED_ALIGNED = "bundled:aligned"

BASE_CONTEXTS = ("aligntds", "chat", "raw", "few-shot")
"""The named base contexts; anything else is a Jinja template of the user's (`template:` and its text)."""

SCORE_PARTS = ("answer", "reasoning", "tool_call")
"""The kinds of parts of a response that can be scored, by the names that options and JSON give them."""

DEFAULT_IDLE_MINUTES = 30
"""How long a shared engine keeps its models without work, while there are clients."""

DEFAULT_MIN_CHANGE = 0.1
"""How much the probability of a token has to differ from that under the base model for a stage to move it."""

FROM_MODELS, FROM_FILE = "models", "saved"
SCORES = (FROM_MODELS, FROM_FILE)
"""Where scores come from: models that are run, or the logprobs that the file itself holds."""

CLASSIFY_BY = ("response", "aligned-top1")
COMPAT_MODES = ("aligntds",)
DEVICES = ("auto", "cuda", "mps", "cpu")
AUTO_LIBRARY = "auto"
MATRIX_LIBRARIES = (AUTO_LIBRARY, "torch", "onednn")
"""What takes the products of float32 on a CPU: torch's own (MKL on x86), oneDNN, or the quicker one of this machine."""

DTYPES = ("auto", "float32", "bfloat16", "float16")
NOISE_DTYPES = DTYPES[1:]
"""The dtypes that the noise floor may be measured in."""

INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSpec:
    """A base and an aligned model, each a Hugging Face name, a folder, a `bundled:` name, or one on a server
    (see `options.server_names`).

    `allow_download` lets the engine fetch a model that is not in the local cache; `allow_pickle` lets it load a
    checkpoint that has no safetensors. Both are off unless the user turns them on in user scope. A pickle can run code,
    so that `allow_pickle` stays off where a file to be analysed chose a model (see `pickle_allowed`).
    `base_dtype` is the base model's where it is another one than `dtype` (see `pipeline.noise_floor`); "" is the same.
    `base_weights` is INT8 where its weights are rounded to that (see `scoring.models.rounding`).
    """

    base: str
    aligned: str
    device: str = "auto"
    dtype: str = "auto"
    base_dtype: str = ""
    base_weights: str = ""
    matrix_library: str = AUTO_LIBRARY
    allow_download: bool = False
    allow_pickle: bool = False


NO_PAIR = PairSpec(base="", aligned="")
"""What stands for the pair where no models are run, since scores are those that a file holds."""


def pickle_allowed(wanted: bool, names: tuple[str, str], of_user: tuple[str | None, str | None]) -> bool:
    """Whether the models `names` may be pickles: only if the user wants that, and has named both of them."""
    return wanted and set(names) <= {*of_user, BUNDLED_BASE, BUNDLED_ALIGNED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """What changes the numbers of a scoring pass. `compat` is "" or one of COMPAT_MODES.

    `aligned_context` is "chat" (the aligned model's own template) or any base context but "chat", for aligned
    models that have no template. `parts` are the kinds of parts that are scored, of SCORE_PARTS; those that are not
    stand in the context of what comes after them.
    """

    base_context: str = "aligntds"
    aligned_context: str = "chat"
    top_k: int = 10
    compat: str = ""
    parts: tuple[str, ...] = ("answer", "reasoning")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyOptions:
    """What changes the classes, not the scores.

    A base rank up to `thresholds[0]` is unshifted, up to `thresholds[1]` marginal, above it shifted
    (Lin et al. 2023, arXiv 2312.01552, section 2). `word_lists` tell the kind of a token; None is the package's own.
    """

    classify_by: str = "response"
    thresholds: tuple[int, int] = (1, 3)
    word_lists: WordLists | None = None


def parts_named(names: Iterable[str]) -> tuple[str, ...]:
    """The kinds of parts that are named, each once, in the order of SCORE_PARTS.

    Raises ValueError, with what should have been named, where there are none or one of them is unknown.
    """
    found = tuple(names)
    choices = ", ".join(f'"{kind}"' for kind in SCORE_PARTS)
    unknown = next((name for name in found if name not in SCORE_PARTS), None)
    if unknown is not None:
        raise ValueError(f"one or more of {choices}; {unknown!r} is none of them")
    if not found:
        raise ValueError(f"one or more of {choices}")
    return tuple(kind for kind in SCORE_PARTS if kind in found)
