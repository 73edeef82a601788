"""What a model's own chat template writes around the turns of a conversation, as plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass

RUN = "\ue000"
"""Stands in a mark for a few characters of one line that are another time after time, such as a date."""

NUMBER = "\ue001"
"""Stands in a mark for a number, such as that of a round."""

MODEL_TEMPLATE = "model-template"
"""The name of the format of texts that the aligned model's own chat template wrote."""

OPENING_CHARACTERS = "<[{|【«⟨⟦＜◁"
"""With one of these begin control tokens, real ones and those that are spelled."""

_CONTROL = re.compile(rf"[{re.escape(OPENING_CHARACTERS)}]\S.*[>\]}}|】»⟩⟧＞▷]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Separator:
    """The text between two turns. `before` and `after` are roles, "" where a conversation begins or ends."""

    before: str
    after: str
    text: str


@dataclass(frozen=True, slots=True)
class TemplateMarks:
    """How one chat template writes conversations.

    - separators: what stands between turns of these roles, before the first and behind the last. There may be several
      for two roles: a template may write another one before the last answer.
    - prompts: generation prompts that are no such separators. They stand at the end of a text.
    - bos: the beginning-of-text marker with which separators before the first turn begin; a file may lack it.
    - notes: what is to be said of every response of such a file, in whole sentences.
    """

    separators: tuple[Separator, ...]
    prompts: tuple[Separator, ...] = ()
    bos: str = ""
    notes: tuple[str, ...] = ()

    def between(self, before: str, after: str | None = None) -> tuple[Separator, ...]:
        """The separators after a turn of one role, and before one of another where that is named."""
        return tuple(each for each in self.separators if each.before == before and after in (None, each.after))


@dataclass(frozen=True, slots=True)
class ModelTemplate:
    """The marks of the chat template of a model, or why there are none (`reason`, a sentence)."""

    model: str
    marks: TemplateMarks | None = None
    reason: str = ""


def is_mark(text: str) -> bool:
    """Whether a text between turns is more than blanks and a word that any sentence could hold."""
    core = text.strip()
    return len(core) >= 2 and ("\n" in text or any(not (each.isalnum() or each.isspace()) for each in core))


def is_control(text: str) -> bool:
    """Whether a text holds what looks like a control token, `<|end|>` or `[/INST]` say, that prose does not have."""
    return _CONTROL.search(text) is not None


def without_bos(text: str, bos: str) -> str:
    """A separator before the first turn without the beginning-of-text marker."""
    return text[len(bos) :] if bos and text.startswith(bos) else text
