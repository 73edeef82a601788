"""An answer in its template: what stands before it, between its parts and after it.

What the model had before an answer is not the bare generation prompt: Qwen3 writes an empty thought before an answer
without one, gpt-oss a channel. Nor is it always the rendering of the answered conversation: DeepSeek-R1 drops the
thought there. So stand-ins for the answer's parts are looked for in the answered conversation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from shiftlens.errors import ScoringError
from shiftlens.models.conversation import ContextPart, ContextTurn
from shiftlens.models.messages import Dialect, content_of, is_call, is_content, is_reasoning
from shiftlens.models.own_parts import stands_in, without_doubled_space
from shiftlens.models.parts import Passage, Written, spelled_by_marks
from shiftlens.models.template_rendering import ChatTemplate, Probe, calls_of, stand_in, stand_ins
from shiftlens.models.thought_marks import (
    DEFAULT_MARKS,
    ThoughtMarks,
    begun_inside,
    begun_with,
    named_in,
    opened_at,
    without_opened,
)


class AnswerRendering:
    """One answer at work. Raises ScoringError where the template refuses the turns.

    - probe: what the template makes of the turns.
    - prompt: the context with the generation prompt.
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
        self._template, self._turns, self._parts, self._tools = template, tuple(turns), tuple(parts), tools
        self._thought, self._said = (stand_in(len(turns), what) for what in ("thought", "said"))
        own = ContextTurn("assistant", self._parts)
        self.probe = self._asked(own)
        if self.probe.refusal is not None:
            raise template.refused((*self._turns, own), self.probe.refusal)
        self._dialect = self.probe.dialect
        self.notes: list[str] = []
        self.prompt = self._render(self._turns, generation_prompt=True)
        self._answered = self._with_stand_ins(self._parts)
        self._checked = self._parts
        if self._hides_text_behind_calls():
            self._checked = tuple(part for part in self._parts if not is_call(part))
            self._answered = self._with_stand_ins(self._checked)
            self.notes.append(
                "The chat template does not write the text of a turn before its tool calls; the answer was rendered"
                " without its calls."
            )
        is_plain = all(is_content(part) for part in self._parts)
        self._plain = self._answered if is_plain else self._with_stand_ins([ContextPart("text", self._said)])
        self.end = self._plain.partition(self._said)[2]
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
            written = Written(self._spliced(self._answered, self._header_end()), ())
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
        at = self._answered.find(self._said)
        if at < 0:
            self.notes.append("The chat template leaves out this very answer; it was put after the generation prompt.")
            return Written(self.prompt, _in_order(parts))
        if opened_at(self.prompt) is not None:
            self.notes.append(
                "The generation prompt of the chat template opens a thought and the file has none: the answer was"
                " scored after what the template writes before an answer without a thought."
            )
        prefix = self._spliced(self._answered, at)
        self._check([self._answered[:at], text, self._answered[at + len(self._said) :]], self._checked)
        return Written(prefix, _in_order(parts))

    def _with_reasoning(self, parts: Sequence[ContextPart]) -> Written:
        """An answer with a thought that the file has apart from it."""
        thought, said = self._answered.find(self._thought), self._answered.find(self._said)
        answers = any(is_content(part) and part.text for part in parts)
        if thought < 0 or (answers and said < thought):
            return self._by_marks(parts)
        passages = [passage for passage in _in_order(parts) if is_reasoning(parts[passage.part or 0])]
        lead, tail = self._answered[:thought], self._answered[thought + len(self._thought) :]
        if answers:
            glue, _, tail = tail.partition(self._said)
            passages = [*passages, Passage(glue), *(p for p in _in_order(parts) if is_content(parts[p.part or 0]))]
        prefix = self._spliced(self._answered, thought)
        opening = _opening(prefix) or (prefix.removeprefix(self.prompt) if prefix.startswith(self.prompt) else "")
        rendered = self._rendered(self._checked)
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
        opened = opened_at(self.prompt)
        marks = opened[1] if opened is not None else named_in(self._template.text)
        if marks is None:
            marks = DEFAULT_MARKS
            self.notes.append(
                "The chat template knows no reasoning; it was put before the answer between `<think>` and `</think>`."
            )
        elif opened is not None:
            after = self.prompt[opened[0] + len(marks.opener) :]
            marks = dataclasses.replace(marks, inside=after)
        self._check_said(parts)
        _, passages = without_doubled_space("", spelled_by_marks(parts, marks))
        if first is None or not is_reasoning(first):
            return Written(self._spliced(self._plain, self._plain.find(self._said)), passages)
        if opened is not None:
            return Written(self.prompt, passages, self.prompt[opened[0] :])
        return Written(self.prompt + marks.opening, passages, marks.opening)

    def _with_calls(self, written: Written, calls: Sequence[ContextPart]) -> Written:
        """The same with the arguments of the turn's calls, where the template writes them as the file does."""
        for as_text in (self._dialect.arguments_as_text, not self._dialect.arguments_as_text):
            rendered = self._rendered(self._parts, dataclasses.replace(self._dialect, arguments_as_text=as_text))
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
        start = rendered.rfind(said) + len(said) if said else self._header_end()
        if start < len(said):
            return None
        passages, at = list(written.passages), start
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
        return Written(written.prefix + passages[0].text, tuple(passages[1:]))

    # Where things stand.

    def _before_mark(self, marks: ThoughtMarks) -> str | None:
        """What stands before the mark that opens a thought; None where the template has other marks or none."""
        lead = self._to_thought()
        opened = opened_at(lead)
        if opened is None:
            return self.prompt if marks.opener in self._template.text else None
        if opened[1] == marks:
            return lead[: opened[0]]
        self._note_other_marks(opened[1], marks)
        return None

    def _inside_thought(self, marks: ThoughtMarks) -> str:
        """What stands before a thought, its opening mark included; the generation prompt where there is none."""
        lead = self._to_thought()
        opened = opened_at(lead)
        if opened is not None and opened[1] == marks:
            return lead
        if opened is not None:
            self._note_other_marks(opened[1], marks)
        elif marks.opener in self._template.text:
            return self.prompt + marks.opening
        return self._spliced(self._plain, self._plain.find(self._said))

    def _note_other_marks(self, own: ThoughtMarks, marks: ThoughtMarks) -> None:
        self.notes.append(
            f"The file marks a thought with `{marks.closer}`, the chat template with `{own.closer}`; the answer was"
            " scored as it stands in the file."
        )

    def _to_thought(self) -> str:
        """What stands before a thought, as far as the template tells."""
        return self.prompt if opened_at(self.prompt) is not None else self._before_thought() or self.prompt

    def _before_thought(self) -> str | None:
        """What the template writes before the thought of an answer; None where it has no place for one."""
        parts = [ContextPart("reasoning", self._thought), ContextPart("text", self._said)]
        probe = self._asked(ContextTurn("assistant", tuple(parts)))
        if probe.refusal is not None or not probe.dialect.reasoning_key:
            return None
        written = self._rendered(parts, dataclasses.replace(self._dialect, reasoning_key=probe.dialect.reasoning_key))
        at = -1 if written is None else written.find(self._thought)
        return None if written is None or at < 0 else self._spliced(written, at)

    def _spliced(self, answered: str, at: int) -> str:
        """What stands before place `at` of the answered conversation, after the context as the prompt has it.

        gpt-oss drops the thoughts of tool calls once they are answered, but had them when it answered.
        """
        lead = answered[:at]
        generation = self.probe.generation_prompt
        body = self.prompt.removesuffix(generation)
        if lead.startswith(body):
            return lead
        header = without_opened(generation).strip()
        header_at = lead.rfind(header) if header else -1
        return lead if header_at < 0 else body.rstrip() + lead[len(lead[:header_at].rstrip()) :]

    def _header_end(self) -> int:
        """Where, in the answered conversation, the answer's own turn has begun."""
        return min(
            (at for at in (self._answered.find(word) for word in self._own_words()) if at >= 0),
            default=len(self._answered),
        )

    def _hides_text_behind_calls(self) -> bool:
        calls = [at for at in map(self._answered.find, self._own_words()[2:]) if at >= 0]
        said = self._answered.find(self._said)
        return bool(calls and content_of(self._parts)) and not 0 <= said < min(calls)

    def _has_calls(self) -> bool:
        return any(is_call(part) for part in self._checked)

    def _own_words(self) -> list[str]:
        calls = len(calls_of(ContextTurn("assistant", self._parts)))
        numbers = (stand_in(len(self._turns), f"call{number}") for number in range(calls))
        return [self._thought, self._said, *numbers]

    def _is_in_templates_order(self) -> bool:
        """Whether thoughts come first, then the text, then calls, and the template keeps to that."""
        order = [0 if is_reasoning(part) else 2 if is_call(part) else 1 for part in self._parts if part.text]
        return order == sorted(order)

    # Whether it is so.

    def _check_said(self, parts: Sequence[ContextPart]) -> None:
        """Note it where the template changes what was said, the thought apart."""
        text = [part for part in parts if is_content(part) and part.kind != "reasoning"]
        before, _, after = self._plain.partition(self._said)
        if any(part.text for part in text):
            self._check([before, content_of(text), after], text)

    def _check(self, pieces: Sequence[str], parts: Sequence[ContextPart]) -> None:
        """Note it where the template writes these parts otherwise than as these pieces, the last being what follows."""
        rendered = self._rendered(parts)
        goes_on = any(is_call(part) for part in parts)
        if rendered is None or not stands_in(rendered, pieces[:-1] if goes_on else pieces, goes_on=goes_on):
            what = "refuses" if rendered is None else "changes"
            self.notes.append(f"The chat template {what} this very answer; it was scored as it stands in the file.")

    # Asking the template.

    def _asked(self, own: ContextTurn) -> Probe:
        return self._template.probe(stand_ins([*self._turns, own]), self._tools)

    def _with_stand_ins(self, parts: Sequence[ContextPart]) -> str:
        words = stand_ins([*self._turns, ContextTurn("assistant", tuple(parts))])[-1]
        return self._render([*self._turns, words])

    def _rendered(self, parts: Sequence[ContextPart], dialect: Dialect | None = None) -> str | None:
        """The conversation answered with these parts; None where the template refuses it."""
        try:
            return self._render([*self._turns, ContextTurn("assistant", tuple(parts))], dialect=dialect)
        except ScoringError:
            return None

    def _render(
        self, turns: Sequence[ContextTurn], *, dialect: Dialect | None = None, generation_prompt: bool = False
    ) -> str:
        return self._template.render(turns, dialect or self._dialect, self._tools, generation_prompt=generation_prompt)


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
