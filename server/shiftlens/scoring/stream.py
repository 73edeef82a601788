"""Feeding one model its context and the response, a stretch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from shiftlens.scoring.causal import CausalModel
from shiftlens.scoring.memory import RememberedSide, common_length, cut

CONTEXT_STRETCH = 512


class RowStream:
    """States of the rows of a response under one model, in order.

    Row r predicts the r-th token of the response; the first row is the last id of the context, the last one the last
    id of the response. Rows before `first_row` are not wanted. `check` is called between stretches and may raise.
    """

    def __init__(
        self,
        model: CausalModel,
        prefix_ids: Sequence[int],
        response_ids: Sequence[int],
        check: Callable[[], None] = lambda: None,
        *,
        resume: RememberedSide | None = None,
        first_row: int = 0,
    ) -> None:
        self.model = model
        self._all_ids = (*prefix_ids, *response_ids)
        self._ids = torch.tensor(self._all_ids, dtype=torch.int64, device=model.device)
        self._prefix_length = len(prefix_ids)
        self._first = len(prefix_ids) - 1 + first_row
        self._row_zero = len(prefix_ids) - 1
        self._check = check
        self._cache: Any = None
        self._fed = 0
        if resume is not None:
            self._fed = min(common_length(resume.ids, self._all_ids), self._first)
            self._cache = resume.cache
            cut(self._cache, self._fed)

    @torch.inference_mode()
    def upto(self, row: int) -> torch.Tensor:
        """States [r, D] of the rows not yet handed out, before `row`; all rows for a model without a cache."""
        end = self._row_zero + row if self.model.keeps_cache else len(self._ids)
        found: list[torch.Tensor] = []
        while self._fed < end:
            self._check()
            limit = self.model.stretch or (CONTEXT_STRETCH if self.model.keeps_cache else end)
            upto = min(end, self._fed + limit)
            states, self._cache = self.model.states(self._ids[self._fed : upto], self._cache)
            found.append(states[max(0, self._first - self._fed) :])
            self._fed = upto
        return found[0] if len(found) == 1 else torch.cat(found)

    def remember(self) -> RememberedSide:
        """What a later pass can go on from."""
        return RememberedSide(self._all_ids[: self._fed], self._prefix_length, self._cache)
