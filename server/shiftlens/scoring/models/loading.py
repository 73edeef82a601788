"""Loading models and tokenizers by name or path, with safetensors only and no remote code.

Whatever goes wrong comes out as a ModelError that names the model and says what to do.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.configuration_utils import PreTrainedConfig
from transformers.utils.hub import cached_file

from shiftlens.bundled.paths import resolve_model_name
from shiftlens.errors import ModelError
from shiftlens.model_files.adapter_files import ADAPTER_CONFIG, AdapterFolder
from shiftlens.model_files.gguf_file import gguf_path
from shiftlens.options.pair import INT8, PairSpec
from shiftlens.scoring.inputs.tokens import TextEncoder
from shiftlens.scoring.models.adapters import AdaptedModel
from shiftlens.scoring.models.checkpoint_files import CONFIG, WEIGHTS_INDEX, check_files
from shiftlens.scoring.models.checkpoint_fit import check_fit
from shiftlens.scoring.models.devices import choose_device, choose_dtype
from shiftlens.scoring.models.gguf_model import check_gguf, gguf_config, gguf_notes, gguf_tokenizer, gguf_weights
from shiftlens.scoring.models.load_errors import OR_ALLOW_PICKLES, guarded, out_of_memory
from shiftlens.scoring.models.loading_progress import weights_read
from shiftlens.scoring.models.rounding import round_weights

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, in eval mode, with its tokenizer. `folder` is where its files lie.

    With `adapted`, its weights are shared with others: it is that model with `adapter` on, or with none. `adapter_of`
    names the full model that an adapter is put on, "" for a full model. `weights` is what these were rounded to, ""
    where they are as the files have them. `notes` are for who reads its numbers.
    """

    name: str
    folder: Path | None
    model: PreTrainedModel
    encoder: TextEncoder
    device: torch.device
    dtype: torch.dtype
    max_positions: int | None
    adapted: AdaptedModel | None = None
    adapter: str | None = None
    adapter_of: str = ""
    weights: str = ""
    notes: tuple[str, ...] = ()

    @property
    def numbers(self) -> str:
        """What it computes in: its dtype, and what its weights were rounded to."""
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{dtype}, weights {self.weights}" if self.weights else dtype

    @property
    def parameters(self) -> int:
        if self.adapted is not None:
            return self.adapted.parameters_of(self.adapter)
        return sum(p.numel() for p in self.model.parameters())

    @property
    def vocabulary(self) -> int:
        """Width of the logits."""
        if self.adapted is not None:
            self.adapted.switch(self.adapter)
        head: torch.nn.Module = self.model.get_output_embeddings()  # type: ignore[no-untyped-call]
        weight = head.weight
        return int(weight.shape[0]) if isinstance(weight, torch.Tensor) else int(self.model.config.vocab_size)

    def end_ids(self) -> tuple[int, ...]:
        """Ids that end a text for this model, the generation config's first."""
        generation = getattr(self.model, "generation_config", None)
        eos = getattr(generation, "eos_token_id", None)
        ids = [i for i in (eos if isinstance(eos, list) else [eos]) if isinstance(i, int)]
        own = self.encoder.tokenizer.eos_token_id
        if isinstance(own, int) and own not in ids:
            ids.append(own)
        return tuple(ids)


def load_model(name: str, spec: PairSpec, on_progress: Callable[[float], None] = lambda _: None) -> LoadedModel:
    """Load one model of the pair to the device and dtype of `spec`. Raises ModelError.

    `on_progress` gets the fraction of the weights that are read; what it raises ends the loading.
    """
    file = gguf_path(name)
    if file is not None:
        return _load_gguf(name, file, spec, on_progress)
    source = resolve_model_name(name)
    _check_folder(name, source, spec)
    on_progress(0.0)
    offline = not spec.allow_download
    check_files(name, _files_of(name, source, spec), allow_pickle=spec.allow_pickle, may_fetch=spec.allow_download)
    config = guarded(
        name,
        lambda: AutoConfig.from_pretrained(source, local_files_only=offline, trust_remote_code=False),
        offline=offline,
        file=CONFIG,
    )
    if config.is_encoder_decoder:
        raise ModelError(f"{name} is an encoder-decoder model.", "Choose causal language models.")
    _take_no_orders(config)
    tokenizer = load_tokenizer(name, spec)
    device = choose_device(spec.device)
    dtype = choose_dtype(spec.dtype, device, config)
    read: Any = AutoModelForCausalLM.from_pretrained
    model: PreTrainedModel
    with weights_read(on_progress):
        model, found = guarded(
            name,
            lambda: read(
                source,
                config=config,
                dtype=dtype,
                attn_implementation=None,
                experts_implementation=None,
                local_files_only=offline,
                trust_remote_code=False,
                use_safetensors=None if spec.allow_pickle else True,
                # Told by name below; transformers only says that there are some.
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            ),
            offline=offline,
        )
    notes = check_fit(name, model, found)
    _to_device(name, model, device)
    model.train(False)
    return LoadedModel(
        name=name,
        folder=Path(source) if Path(source).is_dir() else None,
        model=model,
        encoder=TextEncoder(tokenizer),
        device=device,
        dtype=dtype,
        max_positions=max_positions(config),
        notes=notes,
    )


def _load_gguf(name: str, file: Path, spec: PairSpec, on_progress: Callable[[float], None]) -> LoadedModel:
    check_gguf(name, file)
    on_progress(0.0)
    config = gguf_config(name, file)
    tokenizer = load_tokenizer(name, spec)
    device = choose_device(spec.device)
    dtype = choose_dtype(spec.dtype, device, config)
    with weights_read(on_progress):
        model, found = gguf_weights(name, file, config, dtype)
    notes = check_fit(name, model, found) + gguf_notes(name, file)
    _to_device(name, model, device)
    model.train(False)
    return LoadedModel(
        name=name,
        folder=None,
        model=model,
        encoder=TextEncoder(tokenizer),
        device=device,
        dtype=dtype,
        max_positions=max_positions(config),
        notes=notes,
    )


def with_rounded_weights(loaded: LoadedModel, weights: str) -> LoadedModel:
    """The same model, whose weights are changed in place. Raises ModelError for what weights can't be rounded to."""
    if weights != INT8:
        raise ModelError(f"Weights can't be rounded to {weights}.", f"Choose {INT8}.")
    notes = round_weights(loaded.name, loaded.model)
    return dataclasses.replace(loaded, weights=weights, notes=(*loaded.notes, *notes))


def load_adapter(
    name: str, adapter: AdapterFolder, full_model: LoadedModel, adapted: AdaptedModel, spec: PairSpec
) -> LoadedModel:
    """Put an adapter into the full model that it was trained on. Tokenizer and template are its own where it has them.

    Raises ModelError; the full model is then not to be used any more.
    """
    folder = adapter.folder
    own_tokenizer = any((folder / file).is_file() for file in ("tokenizer.json", "tokenizer.model"))
    tokenizer = load_tokenizer(str(folder) if own_tokenizer else full_model.name, spec)
    template = folder / "chat_template.jinja"
    if template.is_file():
        tokenizer.chat_template = template.read_text(encoding="utf-8")
    own_name = guarded(name, lambda: adapted.add(adapter, name))
    return dataclasses.replace(
        full_model,
        name=name,
        folder=folder,
        encoder=TextEncoder(tokenizer),
        adapted=adapted,
        adapter=own_name,
        adapter_of=full_model.name,
    )


def load_tokenizer(name: str, spec: PairSpec) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a model. Raises ModelError, also for one that has no fast version."""
    file = gguf_path(name)
    source = resolve_model_name(name)
    offline = not spec.allow_download
    if file is not None:
        tokenizer = gguf_tokenizer(name, file)
    else:
        tokenizer = guarded(
            name,
            lambda: AutoTokenizer.from_pretrained(source, local_files_only=offline, trust_remote_code=False),
            offline=offline,
            file="tokenizer.json",
        )
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(
            f"The tokenizer of {name} has no fast version ({type(tokenizer).__name__}).",
            "Save a `tokenizer.json` for it with `convert_slow_tokenizer`, or choose another model.",
        )
    return tokenizer


def _check_folder(name: str, source: str, spec: PairSpec) -> None:
    folder = Path(source).expanduser()
    looks_like_path = source.startswith((".", "~", "/")) or "\\" in source or source.count("/") > 1
    if not folder.is_dir():
        if folder.exists() or looks_like_path:
            raise ModelError(
                f"There is no model folder at {name}.", "Give the folder that holds the model's `config.json`."
            )
        return
    if not (folder / "config.json").exists():
        raise ModelError(f"The folder {name} has no `config.json`.", "Give the folder of a Transformers model.")
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(p.name for pattern in _PICKLES for p in folder.glob(pattern))
    if pickles and not spec.allow_pickle:
        raise ModelError(
            f"{name} holds its weights only as a pickle ({pickles[0]}), which can run code when it is opened.",
            f"Convert it to safetensors (load it once in a sandbox, then `save_pretrained`){OR_ALLOW_PICKLES}",
        )
    if not pickles:
        raise ModelError(f"The folder {name} has no weights (`*.safetensors`).", "Check that the download is whole.")


def _to_device(name: str, model: torch.nn.Module, device: torch.device) -> None:
    try:
        model.to(device)
    except torch.OutOfMemoryError as error:
        raise out_of_memory(name) from error


def _files_of(name: str, source: str, spec: PairSpec) -> Path:
    """The folder that a model is read from: its own, or a snapshot of the hub with what says which files it has."""
    offline = not spec.allow_download
    config = guarded(name, lambda: cached_file(source, CONFIG, local_files_only=offline), offline=offline, file=CONFIG)
    folder = Path(str(config)).parent
    if not offline:
        for file in (WEIGHTS_INDEX, ADAPTER_CONFIG):
            guarded(name, functools.partial(cached_file, source, file, _raise_exceptions_for_missing_entries=False))
    if (folder / ADAPTER_CONFIG).is_file():
        # transformers would put it on, whatever its weights are.
        raise ModelError(f"{name} holds an adapter beside a whole model.", "Name a folder that holds only one of them.")
    return folder


def _take_no_orders(config: PreTrainedConfig) -> None:
    """Have a model computed in transformers' own way, whatever its files say.

    They could name kernels of the hub, which are code, for its attention, its experts, or several layers in one.
    """
    for part in (config, *(getattr(config, key, None) for key in config.sub_configs)):
        if isinstance(part, PreTrainedConfig):
            part._attn_implementation = None
            part._experts_implementation = None
            part.__dict__.pop("fusion_config", None)


def max_positions(config: PreTrainedConfig) -> int | None:
    """The most ids that a model was made for; None where it has no such limit (state-space models)."""
    text = config.get_text_config()
    for key in ("max_position_embeddings", "n_positions", "max_seq_len"):
        value = getattr(text, key, None)
        if isinstance(value, int) and value > 0:
            return value
    return None
