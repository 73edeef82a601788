"""What making inputs needs of a model: its tokenizer and its bounds, whether or not its weights are here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shiftlens.backends.protocol import RemoteBackend
from shiftlens.scoring.inputs.tokens import TextEncoder


class TokenizedModel(Protocol):
    """A model whose inputs can be made. `vocabulary` is the width of its logits."""

    @property
    def name(self) -> str: ...
    @property
    def encoder(self) -> TextEncoder: ...
    @property
    def vocabulary(self) -> int: ...
    @property
    def max_positions(self) -> int | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def end_ids(self) -> tuple[int, ...]:
        """Ids that end a text for this model, the most usual first."""
        ...


@dataclass(frozen=True, slots=True)
class TokenizedBackend:
    """A backend elsewhere, with its tokenizer here."""

    backend: RemoteBackend
    encoder: TextEncoder
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.backend.identity.name

    @property
    def vocabulary(self) -> int:
        """As the backend says it, or as many ids as the tokenizer has."""
        return self.backend.identity.vocabulary or len(self.encoder.tokenizer)

    @property
    def max_positions(self) -> int | None:
        return self.backend.identity.max_positions

    def end_ids(self) -> tuple[int, ...]:
        own = self.encoder.tokenizer.eos_token_id
        named = (*self.backend.end_ids, *([own] if isinstance(own, int) else []))
        return tuple(dict.fromkeys(named))
