"""The plainest model that is elsewhere: every token has one probability, whatever came before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shiftlens.backends.protocol import Capabilities, SideInput, SideNumbers, TokensAsked, TokensEvent, Waiting
from shiftlens.options.pair import PairSpec
from shiftlens.scores.columns import float32_column, int32_column
from shiftlens.scores.description import ModelDescription

NAME = "unigram:"


def logprobs(vocabulary: int) -> list[float]:
    """Zipf's law over the ids: the next id is always less likely."""
    total = sum(1 / (i + 1) for i in range(vocabulary))
    return [-math.log((i + 1) * total) for i in range(vocabulary)]


@dataclass
class Unigram:
    """Knows ranks of its candidates only, and tells entropy where `entropy` is set."""

    name: str
    tokenizer: str
    vocabulary: int
    entropy: bool = False
    most_top_k: int = 5
    end_ids: tuple[int, ...] = ()
    broken_id: int = -1
    asked: list[SideInput] = field(default_factory=list)

    @property
    def identity(self) -> ModelDescription:
        return ModelDescription(
            name=self.name,
            path="",
            architecture="unigram",
            parameters=self.vocabulary,
            vocabulary=self.vocabulary,
            max_positions=None,
            device="elsewhere",
            dtype="",
            fingerprint="",
        )

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(exact_ranks=False, entropy=self.entropy, most_top_k=self.most_top_k)

    def connect(self, check: Callable[[], None]) -> Iterator[Waiting]:  # noqa: ARG002 (of the protocol)
        return iter(())

    def try_out(self, ids: Sequence[int], k: int, check: Callable[[], None]) -> Iterator[Waiting]:  # noqa: ARG002
        return iter(())

    def logprobs_of(
        self, inputs: Sequence[TokensAsked], check: Callable[[], None]
    ) -> Generator[TokensEvent, None, None]:
        """Not to be asked: it says that it can't."""
        raise AssertionError(inputs, check)

    def score(
        self, inputs: Sequence[SideInput], k: int, check: Callable[[], None]
    ) -> Generator[tuple[int, SideNumbers], None, None]:
        every = logprobs(self.vocabulary)
        entropy = -sum(math.exp(each) * each for each in every)
        # In another order than asked, as servers answer.
        for index in reversed(range(len(inputs))):
            check()
            self.asked.append(inputs[index])
            own = (*inputs[index].ids, inputs[index].end_id)
            yield (
                index,
                SideNumbers(
                    k=k,
                    logprob=float32_column(math.nan if i == self.broken_id else every[i] for i in own),
                    rank=int32_column(i + 1 if i < k else -k for i in own),
                    entropy=float32_column([entropy] * len(own)) if self.entropy else b"",
                    top_ids=int32_column([*range(k)] * len(own)),
                    top_logprobs=float32_column(every[:k] * len(own)),
                ),
            )


@dataclass
class Unigrams:
    """Opens names such as `unigram:/folder/of/a/tokenizer`."""

    vocabulary: int
    entropy: bool = False
    most_top_k: int = 5
    broken_id: int = -1
    opened: dict[str, Unigram] = field(default_factory=dict)

    def open(self, name: str, spec: PairSpec) -> Unigram | None:  # noqa: ARG002 (of the protocol)
        if not name.startswith(NAME):
            return None
        if name not in self.opened:
            folder = str(Path(name.removeprefix(NAME)))
            self.opened[name] = Unigram(
                name, folder, self.vocabulary, self.entropy, self.most_top_k, broken_id=self.broken_id
            )
        return self.opened[name]
