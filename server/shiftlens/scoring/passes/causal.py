"""One causal model as scoring needs it: hidden states of a chunk of ids, and logits of any rows of them.

Holding [n, D] hidden states and running the head over a few rows at a time keeps an [n, V] tensor from ever being
made. That the body and the head together are the model is checked once, on a few ids, when the model is opened; where
they are not, the model's own forward gives the logits of each chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.configuration_utils import PreTrainedConfig

from shiftlens.scoring.models.loading import max_positions
from shiftlens.scoring.numbers.products import is_plain, linear, quicken

_PROBE_IDS = 8
_PROBE_TOLERANCE = 1e-3
_FORWARD_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Finish:
    """What a model does to its head's logits: `scale` times them (Cohere, Granite), held below `cap` (Gemma)."""

    scale: float = 1.0
    cap: float | None = None

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The model's logits; the head's are written over."""
        if self.scale != 1.0:
            logits = logits.mul_(self.scale)
        return logits if self.cap is None else logits.div_(self.cap).tanh_().mul_(self.cap)


@dataclass(frozen=True, slots=True)
class CausalModel:
    """A model split into body and head. `head` is None where the model's own forward must give the logits.

    `vocabulary` is the width of the logits; `chunk` is the most ids to feed at once, None for no limit; `max_positions`
    is the most ids that it takes, None where it has no such limit. `keeps_cache` is False for models that can't go on
    from where they stopped (state-space models, here), which are fed all ids at once.
    """

    model: PreTrainedModel
    body: torch.nn.Module
    head: torch.nn.Module | None
    vocabulary: int
    keeps_cache: bool
    chunk: int | None
    max_positions: int | None = None
    finish: Finish = Finish()

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def hidden_states(self, ids: torch.Tensor, cache: Any, *, keep: bool = True) -> tuple[torch.Tensor, Any]:
        """Feed ids int64 [b, c] after those in `cache`; hidden states [b, c, D] (logits [b, c, V] without a head), new
        cache.

        Without `keep`, no cache is made: for ids that nothing will follow.
        """
        module = self.body if self.head is not None else self.model
        output = module(input_ids=ids, past_key_values=cache, use_cache=self.keeps_cache and keep)
        hidden: torch.Tensor = output.last_hidden_state if self.head is not None else output.logits
        return hidden, getattr(output, "past_key_values", None)

    def tiles(self, hidden: torch.Tensor, cut: Sequence[slice]) -> Iterator[torch.Tensor]:
        """Logits float32 [r, w] of rows of what `hidden_states` gave, for each slice of the ids."""
        if self.head is not None and is_plain(self.head):
            for ids in cut:
                yield self._some(self.head, hidden, ids)
        else:
            logits = hidden if self.head is None else self.finish(self.head(hidden))
            for ids in cut:
                yield logits[:, ids].float()

    def logits_of(self, hidden: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """The logit of one id [r] in each row, float32 [r]; of all other ids too only where the head can't do less."""
        if self.head is not None and is_plain(self.head):
            return self._some(self.head, hidden, ids).diagonal()
        (logits,) = self.tiles(hidden, [slice(0, self.vocabulary)])
        return logits.gather(1, ids.unsqueeze(1)).squeeze(1)

    def _some(self, head: torch.nn.Module, hidden: torch.Tensor, ids: slice | torch.Tensor) -> torch.Tensor:
        """Logits float32 [r, w] of these ids, by a head that is a matrix."""
        weight, bias = head.get_parameter("weight"), getattr(head, "bias", None)
        return self.finish(linear(hidden, weight[ids], None if bias is None else bias[ids])).float()


@torch.inference_mode()
def open_model(model: PreTrainedModel) -> CausalModel:
    """Split a model, checking on a few ids that body and head give its logits.

    On a CPU its layers are made quicker (`scoring.numbers.products`).
    """
    quicken(model)
    ids = torch.arange(_PROBE_IDS, device=next(model.parameters()).device) % int(
        model.config.get_text_config().vocab_size
    )
    full = model(input_ids=ids.unsqueeze(0), use_cache=True)
    keeps_cache = getattr(full, "past_key_values", None) is not None
    positions = max_positions(model.config)
    body: object = model.get_decoder() if hasattr(model, "get_decoder") else model.base_model  # type: ignore[no-untyped-call]
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if isinstance(body, torch.nn.Module) and isinstance(head, torch.nn.Module) and body is not model:
        hidden = getattr(body(input_ids=ids.unsqueeze(0), use_cache=False), "last_hidden_state", None)
        weight = head.weight
        if (
            isinstance(hidden, torch.Tensor)
            and isinstance(weight, torch.Tensor)
            and hidden.shape[-1] == weight.shape[-1]
        ):
            finish = _finish(model.config)
            logits = finish(head(hidden)).float()
            scale = full.logits.float().abs().max().clamp(min=1.0)
            if bool(((logits - full.logits.float()).abs().max() / scale) < _PROBE_TOLERANCE):
                return CausalModel(model, body, head, int(full.logits.shape[-1]), keeps_cache, None, positions, finish)
    chunk = _FORWARD_CHUNK if keeps_cache else None
    return CausalModel(model, model, None, int(full.logits.shape[-1]), keeps_cache, chunk, positions)


def _finish(config: PreTrainedConfig) -> Finish:
    """What a model's configuration says that it does to its head's logits."""
    text = config.get_text_config()
    by, over = getattr(text, "logit_scale", None), getattr(text, "logits_scaling", None)
    scale = (by if isinstance(by, float) else 1.0) / (over if isinstance(over, (int, float)) and over else 1.0)
    cap = getattr(text, "final_logit_softcapping", None)
    return Finish(scale, cap if isinstance(cap, (int, float)) and cap else None)
