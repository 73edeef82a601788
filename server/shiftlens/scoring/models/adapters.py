"""PEFT adapters on a full model: one set of its weights in memory, and a switch between those with and without.

An adapter is put into the model's own layers (LoRA and its kin). Parameters that it trained in full (embeddings, a
head, a norm, biases) are kept beside the model's and take their place while the adapter is on, so that the model itself
is never changed; that it still gives the very same logits is checked when an adapter has been put in.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import PreTrainedModel

from shiftlens.errors import ModelError
from shiftlens.model_files.adapter_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, AdapterFolder
from shiftlens.scoring.models.adapter_patterns import with_names

_KINDS = ("LORA", "IA3", "LOHA", "LOKR")
# What would change the adapted model, import a module that the adapter names, or hang on more than the ids so far.
_REFUSED = (
    "alora_invocation_tokens",
    "arrow_config",
    "layer_replication",
    "megatron_config",
    "monteclora_config",
    "trainable_token_indices",
)
_INITS_THAT_CHANGE_THE_MODEL = ("pissa", "olora", "corda", "loftq", "lora_ga")
# How training began and what it saved beside its layers: the weights in the file are all that matters here.
_LEFT_OUT = ("auto_mapping", "bias", "inference_mode", "init_lora_weights", "modules_to_save", "revision")
_PREFIX = "base_model.model."
_PROBE_IDS = 8
_MERGE = "Merge it into its model (`merge_and_unload` of peft), save that, and name the folder."


@dataclass(frozen=True, slots=True)
class _Replaced:
    """A parameter of a module of the model, and the one that an adapter puts in its place."""

    module: torch.nn.Module
    name: str
    own: torch.nn.Parameter
    adapters: torch.nn.Parameter


@dataclass(slots=True)
class _Part:
    """What adapters touch in the head, or outside of it, and which of them is on there."""

    layers: list[Any] = field(default_factory=list)
    replaced: dict[str, list[_Replaced]] = field(default_factory=dict)
    on: str | None = None

    def switch(self, adapter: str | None) -> None:
        if self.on == adapter:
            return
        for layer in self.layers:
            layer.set_adapter([] if adapter is None else [adapter], inference_mode=True)
        for each in self.replaced.get(self.on or "", ()):
            setattr(each.module, each.name, each.own)
        for each in self.replaced.get(adapter or "", ()):
            setattr(each.module, each.name, each.adapters)
        self.on = adapter


class AdaptedModel:
    """A full model with adapters in it, of which one at a time, or none, is on."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._parameters = sum(p.numel() for p in model.parameters())
        self._adapters: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._replaced: dict[str, list[_Replaced]] = {}
        self._body, self._head = _Part(), _Part()

    def parameters_of(self, adapter: str | None) -> int:
        """Parameters of the model, and an adapter's own with them."""
        return self._parameters + (0 if adapter is None else self._adapters[adapter])

    def bytes_beside(self, adapter: str | None) -> int:
        """Bytes of the tensors of an adapter that are kept beside the model's while it is off."""
        return sum(each.adapters.nbytes for each in self._replaced.get(adapter or "", ()))

    @property
    def touches_head(self) -> bool:
        """Whether any adapter in the model changes its head."""
        return bool(self._head.layers or self._head.replaced)

    def switch(self, adapter: str | None, *, body: bool = True, head: bool = True) -> None:
        """Have this adapter on, or none, before the model (or only its body, or its head) is run.

        Nothing is copied; what is on already costs nothing.
        """
        if body:
            self._body.switch(adapter)
        if head:
            self._head.switch(adapter)

    def add(self, adapter: AdapterFolder, shown: str) -> str:
        """Put the adapter of a folder into the model, and give its name there; `shown` is what an error calls it.

        Raises ModelError for one that does not fit this model or can't be switched off exactly. The model is then
        not to be used any more.
        """
        peft = _peft(shown)
        config = _config(peft, adapter, [name for name, _ in self.model.named_modules()], shown)
        tensors = _read(adapter.folder, shown)
        name = f"adapter{next(self._numbers)}"
        self.switch(None)
        before = _probe(self.model)
        replacing, own = _split(tensors, self.model)
        try:
            peft.inject_adapter_in_model(config, self.model, name)
            result = peft.set_peft_model_state_dict(self.model, own, name)
        except (ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(
                f"The adapter {shown} can't be put on its model: {said}",
                f"Check that `base_model_name_or_path` in its `{ADAPTER_CONFIG}` names the model it was trained on.",
            ) from error
        strange = [key for key in result.missing_keys if name in key.split(".")] + list(result.unexpected_keys)
        if strange:
            raise ModelError(
                f"The weights of the adapter {shown} are not those that its `{ADAPTER_CONFIG}` speaks of"
                f" (such as {strange[0]}).",
                "Check that its files are whole, and that it was trained on this model.",
            )
        self._adapters[name] = sum(tensor.numel() for tensor in tensors.values())
        self._replaced[name] = _replaced(replacing, self.model)
        self._find_parts()
        # A model whose logits are no numbers is not changed by that; scoring tells of it.
        if not torch.allclose(before, _probe(self.model), rtol=0, atol=0, equal_nan=True):
            raise ModelError(f"The adapter {shown} changes the model that it is put on.", _MERGE)
        return name

    def remove(self, name: str) -> None:
        """Take an adapter out, and give back its memory."""
        self.switch(None)
        for layer in (*self._body.layers, *self._head.layers):
            layer.delete_adapter(name)
        self.model.peft_config.pop(name, None)
        del self._adapters[name], self._replaced[name]
        self._find_parts()

    def _find_parts(self) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        self.model.requires_grad_(False)
        self.model.train(False)
        head = self.model.get_output_embeddings()  # type: ignore[no-untyped-call]
        in_head = {id(module) for module in head.modules()} if isinstance(head, torch.nn.Module) else set()
        self._body, self._head = _Part(), _Part()
        for module in self.model.modules():
            if isinstance(module, BaseTunerLayer):
                module.set_adapter([], inference_mode=True)
                (self._head if id(module) in in_head else self._body).layers.append(module)
        for name, all_replaced in self._replaced.items():
            for each in all_replaced:
                part = self._head if id(each.module) in in_head else self._body
                part.replaced.setdefault(name, []).append(each)


class WithAdapter(torch.nn.Module):
    """A model, its body or its head, that is run with one adapter on, or none."""

    def __init__(
        self, adapted: AdaptedModel, adapter: str | None, module: torch.nn.Module, *, body: bool, head: bool
    ) -> None:
        super().__init__()
        self.module = module
        self._switch = functools.partial(adapted.switch, adapter, body=body, head=head)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        self._switch()
        return self.module(*args, **kwargs)


def _peft(shown: str) -> Any:
    try:
        import peft
    except ImportError as error:
        raise ModelError(
            f"{shown} is an adapter, and the package peft, which reads adapters, is not installed.",
            f"Install it for {sys.executable}: `pip install peft`.",
        ) from error
    return peft


def _config(peft: Any, adapter: AdapterFolder, modules: Sequence[str], shown: str) -> Any:
    """Its configuration, with what it trained in full and how it was initialised left out. Raises ModelError.

    `modules` are the names of what it may be put into; its expressions are replaced by those that they match.
    """
    settings = {key: value for key, value in adapter.settings.items() if key not in _LEFT_OUT}
    kind = settings.get("peft_type")
    if kind not in _KINDS:
        raise ModelError(
            f"{shown} is an adapter of a kind that ShiftLens can't switch on and off ({kind}).",
            f"Use one of the kinds {', '.join(_KINDS)}, or merge it into its model and name that.",
        )
    started = str(adapter.settings.get("init_lora_weights")).lower()
    unlike = [key for key in _REFUSED if settings.get(key)]
    if started.startswith(_INITS_THAT_CHANGE_THE_MODEL):
        unlike.append(f"init_lora_weights {started}")
    try:
        config_class = type(peft.get_peft_config({"peft_type": kind}))
        known = {each.name for each in dataclasses.fields(config_class)}
        unlike += [key for key, value in settings.items() if key not in known and value]
        if not unlike:
            chosen = with_names(settings, modules, shown)
            return config_class(**{key: value for key, value in chosen.items() if key in known})
    except (TypeError, ValueError) as error:
        raise ModelError(f"The `{ADAPTER_CONFIG}` of {shown} can't be read: {error}.", _MERGE) from error
    raise ModelError(f"The adapter {shown} asks for what ShiftLens can't do: {', '.join(unlike)}.", _MERGE)


def _read(folder: Path, shown: str) -> dict[str, torch.Tensor]:
    file = folder / ADAPTER_WEIGHTS
    if not file.is_file():
        raise ModelError(
            f"The adapter {shown} has no `{ADAPTER_WEIGHTS}`.",
            "ShiftLens reads adapters from safetensors only; save it anew with `save_pretrained`.",
        )
    try:
        tensors = load_file(file)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"The weights of the adapter {shown} can't be read: {error}.", "Fetch it anew.") from error
    # Where the vocabulary was resized, peft also saves what a module was before it was trained.
    return {key.removeprefix(_PREFIX): t for key, t in tensors.items() if ".original_module." not in key}


def _split(
    tensors: dict[str, torch.Tensor], model: PreTrainedModel
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The tensors that replace a parameter of the model, by its plain name, and the others."""
    parameters = _by_plain_name(model)
    replacing = {_plain(key): tensor for key, tensor in tensors.items() if _plain(key) in parameters}
    return replacing, {key: tensor for key, tensor in tensors.items() if _plain(key) not in parameters}


def _replaced(replacing: dict[str, torch.Tensor], model: PreTrainedModel) -> list[_Replaced]:
    """Those of the tensors that differ from the parameter they replace (peft saves embeddings it only read, too)."""
    parameters = _by_plain_name(model)
    found: list[_Replaced] = []
    for key, tensor in replacing.items():
        module, name, own = parameters[key]
        theirs = tensor.to(own.device, own.dtype)
        if not torch.equal(own, theirs):
            found.append(_Replaced(module, name, own, torch.nn.Parameter(theirs, requires_grad=False)))
    return found


def _by_plain_name(model: PreTrainedModel) -> dict[str, tuple[torch.nn.Module, str, torch.nn.Parameter]]:
    """Every parameter by its name without adapters, and where it is; one that is tied has several names."""
    return {
        _plain(f"{path}.{name}" if path else name): (module, name, parameter)
        for path, module in model.named_modules(remove_duplicate=False)
        for name, parameter in module.named_parameters(recurse=False)
    }


def _plain(key: str) -> str:
    return key.replace(".base_layer.", ".").replace(".modules_to_save.", ".")


@torch.inference_mode()
def _probe(model: PreTrainedModel) -> torch.Tensor:
    width = int(model.config.get_text_config().vocab_size)
    ids = torch.arange(_PROBE_IDS, device=model.device) * (width // _PROBE_IDS)
    logits: torch.Tensor = model(input_ids=ids.unsqueeze(0), use_cache=False).logits
    return logits
