"""One causal model as scoring needs it: hidden states of a stretch of ids, and logits of any rows of them.

Holding [n, D] hidden states and running the head over a few rows at a time keeps an [n, V] tensor from ever being
made. That the body and the head together are the model is checked once, on a few ids, when the model is opened; where
they are not (Gemma 2 caps its logits, Cohere scales them), the model's own forward gives the logits of each stretch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

_PROBE_IDS = 8
_PROBE_TOLERANCE = 1e-3
_WHOLE_FORWARD_STRETCH = 64


@dataclass(frozen=True, slots=True)
class CausalModel:
    """A model split into body and head. `head` is None where the model's own forward must give the logits.

    `stretch` is the most ids to feed at once, None for no limit; `keeps_cache` is False for models that can't go on
    from where they stopped (state-space models, here), which are fed all ids at once.
    """

    model: PreTrainedModel
    body: torch.nn.Module
    head: torch.nn.Module | None
    keeps_cache: bool
    stretch: int | None

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def states(self, ids: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
        """Feed ids int64 [c] after those in `cache`; states [c, D] (logits [c, V] without a head) and a new cache."""
        module = self.body if self.head is not None else self.model
        output = module(input_ids=ids.unsqueeze(0), past_key_values=cache, use_cache=self.keeps_cache)
        states = output.last_hidden_state if self.head is not None else output.logits
        return states[0], getattr(output, "past_key_values", None)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Logits float32 [r, V] of rows of what `states` gave."""
        raw: torch.Tensor = self.head(states) if self.head is not None else states
        return raw.float()


@torch.inference_mode()
def open_model(model: PreTrainedModel) -> CausalModel:
    """Split a model, checking on a few ids that body and head give its logits."""
    ids = torch.arange(_PROBE_IDS, device=next(model.parameters()).device) % int(
        model.config.get_text_config().vocab_size
    )
    whole = model(input_ids=ids.unsqueeze(0), use_cache=True)
    keeps_cache = getattr(whole, "past_key_values", None) is not None
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
            logits = head(hidden).float()
            scale = whole.logits.float().abs().max().clamp(min=1.0)
            if bool(((logits - whole.logits.float()).abs().max() / scale) < _PROBE_TOLERANCE):
                return CausalModel(model, body, head, keeps_cache, None)
    stretch = _WHOLE_FORWARD_STRETCH if keeps_cache else None
    return CausalModel(model, model, None, keeps_cache, stretch)
