"""The marks between which models write their reasoning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ThoughtMarks:
    """What opens and closes a thought. `inside` is the white space that stands just inside both marks, `after` what
    stands between the closing mark and the answer; both for templates that do not spell a thought themselves."""

    opener: str
    closer: str
    inside: str = ""
    after: str = ""

    @property
    def opening(self) -> str:
        return self.opener + self.inside

    @property
    def closing(self) -> str:
        return self.inside + self.closer + self.after


DEFAULT_MARKS = ThoughtMarks("<think>", "</think>", "\n", "\n\n")
_ALL_MARKS = (
    DEFAULT_MARKS,
    ThoughtMarks("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ThoughtMarks("<|channel>thought", "<channel|>", "\n"),
    ThoughtMarks("[THINK]", "[/THINK]"),
    ThoughtMarks("<|START_THINKING|>", "<|END_THINKING|>"),
    ThoughtMarks("<seed:think>", "</seed:think>", "\n", "\n\n"),
    ThoughtMarks("◁think▷", "◁/think▷"),
    ThoughtMarks("<thinking>", "</thinking>", "\n", "\n\n"),
    ThoughtMarks("<reasoning>", "</reasoning>", "\n", "\n\n"),
)


def opened_at(text: str) -> tuple[int, ThoughtMarks] | None:
    """Where the mark begins with which a text ends, if it ends by opening a thought."""
    ended = text.rstrip()
    for marks in _ALL_MARKS:
        if ended.endswith(marks.opener):
            return len(ended) - len(marks.opener), marks
    return None


def without_opened(text: str) -> str:
    """A text less the mark that opens a thought at its end."""
    opened = opened_at(text)
    return text if opened is None else text[: opened[0]]


def begun_with(text: str) -> ThoughtMarks | None:
    """The marks of which a text begins with the opening one."""
    begin = text.lstrip()
    return next((marks for marks in _ALL_MARKS if begin.startswith(marks.opener)), None)


def begun_inside(text: str) -> ThoughtMarks | None:
    """The marks of which a text has the closing one before any opening one."""
    for marks in _ALL_MARKS:
        at = text.find(marks.closer)
        if at >= 0 and marks.opener not in text[:at]:
            return marks
    return None


def named_in(template: str) -> ThoughtMarks | None:
    """The marks of which a template's own text names the opening one."""
    return next((m for m in _ALL_MARKS if m.opener in template), None)
