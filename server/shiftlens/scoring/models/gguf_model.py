"""Models out of GGUF files, through Transformers: the weights are made numbers of the dtype, none stay quantised."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedModel
from transformers.configuration_utils import PreTrainedConfig

from shiftlens.errors import ModelError
from shiftlens.model_files.gguf_file import GgufFile, read_gguf
from shiftlens.scoring.models.load_errors import guarded

T = TypeVar("T")

_CHOOSE = "Choose the model's safetensors, or another GGUF file."
_SPLIT = "split.count"
_MODEL, _PRE_TOKENIZER, _TOKENS = "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens"
_BYTE_LEVEL = "gpt2"
_PLAIN_PRE_TOKENIZER = "gpt-2"


def check_gguf(name: str, path: Path) -> GgufFile:
    """Look at a file before a library opens it. Raises ModelError, also where the `gguf` package is missing."""
    try:
        found = read_gguf(path)
    except FileNotFoundError as error:
        raise ModelError(f"There is no file {name}.", "Check its name.") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelError(f"{name} can't be read as a GGUF file: {why}.", "Fetch it anew.") from error
    if (found.number(_SPLIT) or 1) > 1:
        raise ModelError(
            f"{name} is one of {found.number(_SPLIT)} files of a model.",
            "Join them first, with `llama-gguf-split --merge`.",
        )
    if find_spec("gguf") is None:
        raise ModelError(f"{name} is a GGUF file, which needs the package `gguf`.", "Run `pip install gguf`.")
    return found


def gguf_config(name: str, path: Path) -> PreTrainedConfig:
    """The configuration that a file stands for. Raises ModelError, also for a kind of model that can't be read."""
    config: PreTrainedConfig = _read(name, path, AutoConfig.from_pretrained)
    return config


def gguf_tokenizer(name: str, path: Path) -> Any:
    """The tokenizer that a file describes. Raises ModelError; for one with ids that the model does not have, too."""
    found = check_gguf(name, path)
    tokenizer = _read(name, path, AutoTokenizer.from_pretrained)
    tokens = found.number(_TOKENS)
    if tokens is not None and len(tokenizer) > tokens:
        raise ModelError(
            f"The tokenizer made of {name} has {len(tokenizer):,} tokens, and the file has {tokens:,}.", _CHOOSE
        )
    return tokenizer


def gguf_weights(name: str, path: Path, config: PreTrainedConfig, dtype: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The model, and what Transformers says of its loading. Raises ModelError."""

    def load(empty_folder: str, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
        read: Any = AutoModelForCausalLM.from_pretrained
        loaded: tuple[PreTrainedModel, dict[str, Any]] = read(
            empty_folder,
            config=config,
            dtype=dtype,
            attn_implementation=None,
            experts_implementation=None,
            # Weights that stay quantised would be multiplied by kernels of the hub, which are code.
            quantization_config=GgufConfig(dequantize=True),
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **options,
        )
        return loaded

    return _read(name, path, load)


def gguf_notes(name: str, path: Path) -> tuple[str, ...]:
    """What a reader of the numbers should know of a file's tokenizer. Raises ModelError."""
    found = check_gguf(name, path)
    before = found.text(_PRE_TOKENIZER)
    if found.text(_MODEL) != _BYTE_LEVEL or before in {_PLAIN_PRE_TOKENIZER, *_pre_tokenizers()}:
        return ()
    return (
        f"{name} splits text before it makes tokens of it in a way ({before or 'not named'}) that Transformers does not"
        " know; GPT-2's is taken, and some tokens may be others than the model was trained on.",
    )


def _pre_tokenizers() -> frozenset[str]:
    from transformers.integrations.gguf import gguf_tokenizer_mapping

    return frozenset(getattr(gguf_tokenizer_mapping, "GGUF_PRE_TOKENIZER_SPLITS", ()))


def _read(name: str, path: Path, load: Callable[..., T]) -> T:
    """Nothing beside the file is read: what lies in its folder may be of another model."""
    with tempfile.TemporaryDirectory(prefix="shiftlens-") as empty_folder:
        return guarded(
            name,
            lambda: load(empty_folder, gguf_file=str(path.absolute()), local_files_only=True, trust_remote_code=False),
        )
