"""An answer in its template: what stands before it, between its parts and after it.

What the model had before an answer is not the bare generation prompt: Qwen3 writes an empty thought before an answer
without one, gpt-oss a channel. Nor is it always the rendering of the answered conversation: DeepSeek-R1 drops the
thought there. So stand-ins for the answer's parts are looked for in the answered conversation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from shiftlens.scores.requests import ContextPart, ContextTurn
from shiftlens.scoring.inputs.answered_conversation import AnsweredConversation
from shiftlens.scoring.inputs.messages import content_of, is_call, is_content, is_reasoning
from shiftlens.scoring.inputs.own_parts import stands_in, without_doubled_space
from shiftlens.scoring.inputs.parts import Passage, Written, spelled_by_marks
from shiftlens.scoring.inputs.template_rendering import ChatTemplate, calls_of
from shiftlens.scoring.inputs.thought_marks import (
    DEFAULT_MARKS,
    ThoughtMarks,
    begun_inside,
    begun_with,
    named_in,
    opened_at,
)


class AnswerRendering:
    """One answer at work. Raises ScoringError where the template refuses the turns.

    - conversation: the turns before the answer.
    - written: the answer and what stands before it.
    - end: what the template puts after an answer.
    - notes: what is to be said of the answer.
    """

    def __init__(
        self,
        template: ChatTemplate,
        turns: Sequence[ContextTurn],
        parts: Sequence[ContextPart],
        tools: str,
        *,
        calls_too: bool,
    ) -> None:
        self._parts = tuple(parts)
        self.conversation = AnsweredConversation(template, turns, parts, tools)
        self.notes: list[str] = []
        self._answered = self.conversation.with_stand_ins(self._parts)
        self._checked = self._parts
        if self._hides_text_behind_calls():
            self._checked = tuple(part for part in self._parts if not is_call(part))
            self._answered = self.conversation.with_stand_ins(self._checked)
            self.notes.append(
                "The chat template does not write the text of a turn before its tool calls; the answer was rendered"
                " without its calls."
            )
        is_plain = all(is_content(part) for part in self._parts)
        self._plain = (
            self._answered
            if is_plain
            else self.conversation.with_stand_ins([ContextPart("text", self.conversation.said)])
        )
        self.end = self._plain.partition(self.conversation.said)[2]
        self.written = self._whole(calls_too=calls_too)

    def _whole(self, *, calls_too: bool) -> Written:
        if not self._is_in_templates_order():
            self.notes.append(
                "The parts of this turn stand in an order that the chat template does not write; they were put one"
                " after another as they stand in the file."
            )
            return self._by_marks(self._parts)
        first_call = next((at for at, part in enumerate(self._parts) if is_call(part)), len(self._parts))
        rest, calls = self._parts[:first_call], self._parts[first_call:]
        if not any(part.text for part in rest):
            written = Written(self.conversation.prompt, ())
        elif any(is_reasoning(part) and part.text for part in rest):
            written = self._with_reasoning(rest)
        else:
            written = self._with_content(rest)
        if not calls:
            return written
        return self._with_calls(written, calls) if calls_too else dataclasses.replace(written, cut=True)

    def _with_content(self, parts: Sequence[ContextPart]) -> Written:
        """An answer that is text, with marks of its own where it has a thought."""
        text = content_of(parts)
        marks = begun_with(text)
        if marks is not None:
            header = self._before_mark(marks)
            if header is not None:
                self._check_said(parts)
                return Written(header, _in_order(parts))
        first = next(part for part in parts if part.text)
        inside = begun_inside(text) if first.kind == "reasoning" else None
        if inside is not None:
            prefix = self._inside_thought(inside)
            self._check_said(parts)
            return Written(prefix, _in_order(parts), _opening(prefix))
        at = self._answered.find(self.conversation.said)
        if at < 0:
            self.notes.append("The chat template leaves out this very answer; it was put after the generation prompt.")
            return Written(self.conversation.prompt, _in_order(parts))
        if opened_at(self.conversation.prompt) is not None:
            self.notes.append(
                "The generation prompt of the chat template opens a thought and the file has none: the answer was"
                " scored after what the template writes before an answer without a thought."
            )
        prefix = self.conversation.before(self._answered, at)
        self._check([self._answered[:at], text, self._answered[at + len(self.conversation.said) :]], self._checked)
        return Written(prefix, _in_order(parts))

    def _with_reasoning(self, parts: Sequence[ContextPart]) -> Written:
        """An answer with a thought that the file has apart from it."""
        thought, said = self._answered.find(self.conversation.thought), self._answered.find(self.conversation.said)
        answers = any(is_content(part) and part.text for part in parts)
        if thought < 0 or (answers and said < thought):
            return self._by_marks(parts)
        passages = list(_in_order(parts))
        lead, tail = self._answered[:thought], self._answered[thought + len(self.conversation.thought) :]
        if answers:
            glue, _, tail = tail.partition(self.conversation.said)
            indices = [at for at, p in enumerate(passages) if p.part is not None and is_content(parts[p.part])]
            passages.insert(indices[0], Passage(glue))
        prefix = self.conversation.before(self._answered, thought)
        opening = _opening(prefix) or (
            prefix.removeprefix(self.conversation.prompt) if prefix.startswith(self.conversation.prompt) else ""
        )
        rendered = self.conversation.answered(self._checked)
        if rendered is not None and not self._is(rendered, lead, passages, tail):
            shorter, cut = without_doubled_space(lead, passages)
            if self._is(rendered, shorter, cut, tail):
                less = len(lead) - len(shorter)
                return Written(prefix[: len(prefix) - less], cut, opening[: len(opening) - less])
        self._check([lead, *(passage.text for passage in passages), tail], self._checked)
        return Written(prefix, tuple(passages), opening)

    def _is(self, rendered: str, lead: str, passages: Sequence[Passage], tail: str) -> bool:
        """Whether a rendering of the turn is exactly these, one after another."""
        whole = "".join([lead, *(passage.text for passage in passages)])
        return rendered.startswith(whole) if self._has_calls() else rendered == whole + tail

    def _by_marks(self, parts: Sequence[ContextPart]) -> Written:
        """An answer with a thought for which the template has no place, between the marks that it names."""
        first = next((part for part in parts if part.text), None)
        opened = opened_at(self.conversation.prompt)
        marks = opened[1] if opened is not None else named_in(self.conversation.template.text)
        if marks is None:
            marks = DEFAULT_MARKS
            self.notes.append(
                "The chat template knows no reasoning; it was put before the answer between `<think>` and `</think>`."
            )
        elif opened is not None:
            after = self.conversation.prompt[opened[0] + len(marks.opener) :]
            marks = dataclasses.replace(marks, inside=after)
        self._check_said(parts)
        _, passages = without_doubled_space("", spelled_by_marks(parts, marks))
        if first is None or not is_reasoning(first):
            return Written(self.conversation.before(self._plain, self._plain.find(self.conversation.said)), passages)
        if opened is not None:
            return Written(self.conversation.prompt, passages, self.conversation.prompt[opened[0] :])
        return Written(self.conversation.prompt + marks.opening, passages, marks.opening)

    def _with_calls(self, written: Written, calls: Sequence[ContextPart]) -> Written:
        """The same with the arguments of the turn's calls, where the template writes them as the file does."""
        for as_text in (
            self.conversation.probe.dialect.arguments_as_text,
            not self.conversation.probe.dialect.arguments_as_text,
        ):
            rendered = self.conversation.answered(
                self._parts, dataclasses.replace(self.conversation.probe.dialect, arguments_as_text=as_text)
            )
            placed = None if rendered is None else self._placed(written, calls, rendered)
            if placed is not None:
                return placed
        self.notes.append(
            "The chat template does not write the arguments of this turn's tool calls as the file does; they were not"
            " scored."
        )
        return dataclasses.replace(written, cut=True)

    def _placed(self, written: Written, calls: Sequence[ContextPart], rendered: str) -> Written | None:
        """With the arguments found in a rendering of the turn, None where they are not there."""
        said = "".join(passage.text for passage in written.passages).rstrip()
        body = self.conversation.body
        start = rendered.rfind(said) if said else len(body) if rendered.startswith(body) else -1
        if start < 0:
            return None
        passages, at = list(written.passages), start + len(said)
        for index, part in enumerate(self._parts):
            if part not in calls or not part.text:
                continue
            found = rendered.find(part.text, at)
            if found < 0:
                return None
            passages += [Passage(rendered[at:found]), Passage(part.text, index)]
            at = found + len(part.text)
        if said:
            return dataclasses.replace(written, passages=tuple(passages))
        return Written(body + passages[0].text, tuple(passages[1:]))

    def _before_mark(self, marks: ThoughtMarks) -> str | None:
        """What stands before the mark that opens a thought; None where the template has other marks or none."""
        lead = self.conversation.to_thought()
        opened = opened_at(lead)
        if opened is None:
            return self.conversation.prompt if marks.opener in self.conversation.template.text else None
        if opened[1] == marks:
            return lead[: opened[0]]
        self._note_other_marks(opened[1], marks)
        return None

    def _inside_thought(self, marks: ThoughtMarks) -> str:
        """What stands before a thought, its opening mark included; the generation prompt where there is none."""
        lead = self.conversation.to_thought()
        opened = opened_at(lead)
        if opened is not None and opened[1] == marks:
            return lead
        if opened is not None:
            self._note_other_marks(opened[1], marks)
        elif marks.opener in self.conversation.template.text:
            return self.conversation.prompt + marks.opening
        return self.conversation.before(self._plain, self._plain.find(self.conversation.said))

    def _note_other_marks(self, own: ThoughtMarks, marks: ThoughtMarks) -> None:
        self.notes.append(
            f"The file marks a thought with `{marks.closer}`, the chat template with `{own.closer}`; the answer was"
            " scored as it stands in the file."
        )

    def _hides_text_behind_calls(self) -> bool:
        words = self.conversation.call_words(len(calls_of(ContextTurn("assistant", self._parts))))
        calls = [at for at in map(self._answered.find, words) if at >= 0]
        said = self._answered.find(self.conversation.said)
        return bool(calls and content_of(self._parts)) and not 0 <= said < min(calls)

    def _has_calls(self) -> bool:
        return any(is_call(part) for part in self._checked)

    def _is_in_templates_order(self) -> bool:
        """Whether thoughts come first, then the text, then calls, and the template keeps to that."""
        order = [0 if is_reasoning(part) else 2 if is_call(part) else 1 for part in self._parts if part.text]
        return order == sorted(order)

    def _check_said(self, parts: Sequence[ContextPart]) -> None:
        """Note it where the template changes what was said, the thought apart."""
        text = [part for part in parts if is_content(part) and part.kind != "reasoning"]
        before, _, after = self._plain.partition(self.conversation.said)
        if any(part.text for part in text):
            self._check([before, content_of(text), after], text)

    def _check(self, pieces: Sequence[str], parts: Sequence[ContextPart]) -> None:
        """Note it where the template writes these parts otherwise than as these pieces, the last being what follows."""
        rendered = self.conversation.answered(parts)
        goes_on = any(is_call(part) for part in parts)
        if rendered is None or not stands_in(rendered, pieces[:-1] if goes_on else pieces, goes_on=goes_on):
            what = "refuses" if rendered is None else "changes"
            self.notes.append(f"The chat template {what} this very answer; it was scored as it stands in the file.")


def _in_order(parts: Sequence[ContextPart]) -> tuple[Passage, ...]:
    """The parts as passages; between two thoughts an empty line, as messages have it."""
    passages: list[Passage] = []
    for at, part in enumerate(parts):
        if not part.text:
            continue
        if passages and is_reasoning(part) and is_reasoning(parts[passages[-1].part or 0]):
            passages.append(Passage("\n\n"))
        passages.append(Passage(part.text, at))
    return tuple(passages)


def _opening(prefix: str) -> str:
    """The end of a prefix that opens a thought."""
    opened = opened_at(prefix)
    return "" if opened is None else prefix[opened[0] :]
