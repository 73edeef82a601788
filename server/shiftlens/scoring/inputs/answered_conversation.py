"""A conversation and the ways to answer it, as a template renders them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from shiftlens.errors import ScoringError
from shiftlens.scores.requests import ContextPart, ContextTurn
from shiftlens.scoring.inputs.messages import Dialect
from shiftlens.scoring.inputs.template_rendering import ChatTemplate, Marked, Probe, stand_in, stand_ins
from shiftlens.scoring.inputs.thought_marks import opened_at, without_opened


class AnsweredConversation:
    """Turns by a template, with one answer or another. Raises ScoringError where the template refuses them with `own`.

    - probe: what the template makes of the turns and the answer `own`.
    - prompt: the turns with the generation prompt; `body` is the same without it.
    - thought, said: the words that stand in for an answer's reasoning and text.
    """

    def __init__(
        self, template: ChatTemplate, turns: Sequence[ContextTurn], own: Sequence[ContextPart], tools: str
    ) -> None:
        self.template, self._turns, self._tools = template, tuple(turns), tools
        self.thought, self.said = (stand_in(len(turns), what) for what in ("thought", "said"))
        self.probe = self._asked(own)
        if self.probe.refusal is not None:
            raise template.refused((*self._turns, ContextTurn("assistant", tuple(own))), self.probe.refusal)
        self.prompt = self._render(self._turns, self.probe.dialect, generation_prompt=True)
        self.body = self.prompt.removesuffix(self.probe.generation_prompt)

    def call_words(self, calls: int) -> list[str]:
        """The words that stand in for so many calls of an answer."""
        return [stand_in(len(self._turns), f"call{number}") for number in range(calls)]

    def with_stand_ins(self, parts: Sequence[ContextPart]) -> str:
        """The conversation answered with stand-ins for these parts. Raises ScoringError."""
        words = stand_ins([*self._turns, ContextTurn("assistant", tuple(parts))])[-1]
        return self._render([*self._turns, words], self.probe.dialect)

    def answered(self, parts: Sequence[ContextPart], dialect: Dialect | None = None) -> str | None:
        """The conversation answered with these parts; None where the template refuses it."""
        try:
            return self._render([*self._turns, ContextTurn("assistant", tuple(parts))], dialect or self.probe.dialect)
        except ScoringError:
            return None

    def marked(self, parts: Sequence[ContextPart]) -> Marked | None:
        """The conversation answered with these parts, with what the template marks as the assistant's.

        None where it marks nothing.
        """
        answered = [*self._turns, ContextTurn("assistant", tuple(parts))]
        return self.template.marked(answered, self.probe.dialect, self._tools)

    def before(self, answered: str, at: int) -> str:
        """What stands before offset `at` of the answered conversation, after the context as the prompt has it.

        gpt-oss drops the thoughts of tool calls once they are answered, but had them when it answered.
        """
        lead = answered[:at]
        if lead.startswith(self.body):
            return lead
        header = without_opened(self.probe.generation_prompt).strip()
        header_at = lead.rfind(header) if header else -1
        return lead if header_at < 0 else self.body.rstrip() + lead[len(lead[:header_at].rstrip()) :]

    def to_thought(self) -> str:
        """What stands before a thought: the generation prompt where that opens one or nothing else tells."""
        if opened_at(self.prompt) is not None:
            return self.prompt
        parts = [ContextPart("reasoning", self.thought), ContextPart("text", self.said)]
        key = self._asked(parts).dialect.reasoning_key
        answered = self.answered(parts, dataclasses.replace(self.probe.dialect, reasoning_key=key)) if key else None
        at = -1 if answered is None else answered.find(self.thought)
        return self.prompt if answered is None or at < 0 else self.before(answered, at)

    def _asked(self, own: Sequence[ContextPart]) -> Probe:
        return self.template.probe(stand_ins([*self._turns, ContextTurn("assistant", tuple(own))]), self._tools)

    def _render(self, turns: Sequence[ContextTurn], dialect: Dialect, *, generation_prompt: bool = False) -> str:
        return self.template.render(turns, dialect, self._tools, generation_prompt=generation_prompt)
