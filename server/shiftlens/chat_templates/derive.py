"""Finds the marks that a chat template writes around turns: it is asked, with a word in place of each text.

Conversations of several structures are rendered. What stands between the words is cut out, and told by which roles it
parts. Then other texts are rendered and read back by these marks: a template of which that fails has no marks that can
be relied on.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shiftlens.chat_templates.files import TemplateFiles
from shiftlens.chat_templates.rendering import REFUSALS, Message, Render, renderer
from shiftlens.errors import TranscriptError
from shiftlens.transcripts.template_marks import (
    NUMBER,
    RUN,
    ModelTemplate,
    Separator,
    TemplateMarks,
    is_control,
    is_mark,
    without_bos,
)
from shiftlens.transcripts.text.model_template import read_by_template

_ROLES = {"S": "system", "U": "user", "A": "assistant", "T": "tool"}
_MAIN = ("UA", "UAU", "UAUA", "UAUAUA", "UAUAUAUA")
_SYSTEM = ("SUA", "SUAU", "SUAUA")
_TOOLS = ("UAT", "UATA", "UATAUA", "UATTA", "SUATA")
_ODD = ("U", "SU", "UU", "UUA", "UAA", "AUA", "UASUA")
_PREFERRED = {
    "": ("user", "system", "assistant"),
    "system": ("user", "assistant"),
    "user": ("assistant", "user", "system"),
    "assistant": ("user", "tool", "assistant", "system"),
    "tool": ("assistant", "tool", "user"),
}
"""After which role a turn of which others begins; where two begin alike, the first one counts."""

_DAYS = (
    datetime.datetime(2024, 7, 26, 13, 47, 31),
    datetime.datetime(2023, 11, 9, 8, 5, 2),
    datetime.datetime(2021, 2, 14, 22, 16, 59),
)
_LONGEST = 20_000
_LONGEST_RUN = 60
_TEXTS = (
    "Why is that so?",
    "First, this.\n\nThen \"quoted\", 'single' & <b>bold</b>:\n\n- caf\u00e9 \u2014 1 + 2\n- C:\\new",
    "yes",
    "Well... no. \U0001f600",
)
_FOLDED = (
    "This chat template gives no marks by which a system prompt can be told from the first turn; one in the file is"
    " read as part of that turn."
)


class Irregular(Exception):
    """Why a template has no marks, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A template with the way in which it takes messages."""

    render: Render
    parts_list: bool
    dated: bool

    def written(self, roles: str, texts: Sequence[str], day: int = 0, *, prompt: bool = False) -> str:
        messages = [self._message(role, text) for role, text in zip(roles, texts, strict=True)]
        return self.render(messages, _DAYS[day], prompt)

    def _message(self, role: str, text: str) -> Message:
        content = [{"type": "text", "text": text}] if self.parts_list else text
        more = {"name": "look_up", "tool_call_id": "call00001"} if role == "T" else {}
        return {"role": _ROLES[role], "content": content, **more}


def derive(files: TemplateFiles) -> TemplateMarks:
    """The marks of a template. Raises Irregular where it has none that texts can be read by."""
    if RUN in files.text or NUMBER in files.text:
        raise Irregular("it holds characters of Unicode's private use")
    try:
        render = renderer(files)
    except REFUSALS as error:
        raise Irregular(f"it can't be compiled ({error})") from error
    dated = "strftime_now" in files.text or "date_string" in files.text
    first_error = ""
    for parts_list in (False, True):
        asked = _Asked(render, parts_list, dated)
        try:
            return _marks(asked, files.bos)
        except Irregular as error:
            first_error = first_error or str(error)
    raise Irregular(first_error)


def _marks(asked: _Asked, bos: str) -> TemplateMarks:
    cut = {shape: found for shape in (*_MAIN, *_SYSTEM, *_TOOLS, *_ODD) if (found := _cut(asked, shape)) is not None}
    if "UA" not in cut and "SUA" not in cut:
        raise Irregular("it does not write a question and an answer as they are given to it")
    why = ""
    for roles in ("SUAT", "SUA", "UAT", "UA"):
        for odd in (True, False):
            shapes = [shape for shape in cut if set(shape) <= set(roles) and (odd or shape not in _ODD[2:])]
            try:
                folds = "S" not in roles and "SUA" in cut
                marks = _built(asked, bos, {shape: cut[shape] for shape in shapes}, folds=folds)
                _check(asked, marks, shapes, "UAUA" in cut)
            except Irregular as error:
                why = str(error)
                continue
            return marks
    raise Irregular(why)


def _word(at: int) -> str:
    return f"zq{'abcdefghij'[at]}qz"


def _cut(asked: _Asked, roles: str) -> list[str] | None:
    """What stands before, between and behind the texts of such a conversation; None where they are not all there."""
    words = [_word(at) for at in range(len(roles))]
    try:
        days = [_parts(asked.written(roles, words, day), words) for day in range(2 if asked.dated else 1)]
    except REFUSALS:
        return None
    if any(parts is None for parts in days):
        return None
    first, *others = [parts for parts in days if parts is not None]
    return [_alike(*texts) for texts in zip(first, others[0], strict=True)] if others else first


def _parts(written: str, words: Sequence[str]) -> list[str] | None:
    parts: list[str] = []
    at = 0
    for word in words:
        if written.count(word) != 1 or (found := written.find(word, at)) < 0:
            return None
        parts.append(written[at:found])
        at = found + len(word)
    return [*parts, written[at:]]


def _alike(one: str, other: str) -> str:
    """A text that was written on two days, with what differs on a line as a run. Raises Irregular for other ones."""
    if one == other:
        return one
    lines, others = one.split("\n"), other.split("\n")
    if len(lines) != len(others):
        raise Irregular("it writes other lines on other days")
    return "\n".join(map(_alike_line, lines, others))


def _alike_line(one: str, other: str) -> str:
    if one == other:
        return one
    least = min(len(one), len(other))
    start = next((at for at in range(least) if one[at] != other[at]), least)
    end = next((at for at in range(least - start) if one[-1 - at] != other[-1 - at]), least - start)
    # Days differ by whole words and numbers: what two have in common within one is chance.
    while start and one[start - 1].isalnum():
        start -= 1
    while end and one[len(one) - end].isalnum():
        end -= 1
    run = one[start : len(one) - end]
    if len(run) > _LONGEST_RUN:
        raise Irregular("it writes too much that is another every day")
    return f"{one[:start]}{RUN}{one[len(one) - end :]}"


def _built(asked: _Asked, bos: str, cut: dict[str, list[str]], *, folds: bool) -> TemplateMarks:
    """The marks that these cuts have, those left out that can't be told from others. Raises Irregular."""
    texts: dict[tuple[str, str], dict[str, None]] = {}
    for shape, parts in cut.items():
        roles = ["", *(_ROLES[each] for each in shape), ""]
        for (before, after), text in zip(pairwise(roles), parts, strict=True):
            texts.setdefault((before, after), {})[text] = None
    if any(len(text) > _LONGEST for found in texts.values() for text in found):
        raise Irregular(f"it writes more than {_LONGEST:,} characters around a turn")
    numbered = {key: _numbered(found) for key, found in texts.items()}
    _leave_default_system_prompt(numbered)
    _leave_bare_ends(numbered)
    separators = [
        Separator(before, after, text)
        for before, preferred in _PREFERRED.items()
        for after, text in _told_apart(
            [(after, text) for after in preferred for text in numbered.get((before, after), ())]
        )
    ]
    found = {(each.before, each.after) for each in separators}
    if ("user", "assistant") not in found:
        raise Irregular("it writes no mark between a question and its answer")
    starts = [each.text for each in separators if not each.before]
    has_bos = bool(bos) and any(text.startswith(bos) for text in starts)
    if not any(is_mark(without_bos(text, bos)) for text in starts) and not (has_bos and is_control(bos)):
        raise Irregular("it writes no mark before a question")
    if "UAU" in cut and ("assistant", "user") not in found:
        raise Irregular("it writes no mark between an answer and the next question")
    separators += [
        Separator(role, "", text) for (role, after), found in numbered.items() if role and not after for text in found
    ]
    prompts = tuple(_prompts(asked, cut, {each.text for each in separators}))
    return TemplateMarks(tuple(separators), prompts, bos if has_bos else "", (_FOLDED,) if folds else ())


def _numbered(texts: Iterable[str]) -> list[str]:
    """Texts that differ in numbers alone are one text."""
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(re.sub(r"[0-9]+", NUMBER, text), []).append(text)
    return [same[0] if len(same) == 1 else numbered for numbered, same in found.items()]


def _leave_default_system_prompt(texts: dict[tuple[str, str], list[str]]) -> None:
    """Where a template writes a system prompt of its own, it is read as any other."""
    opened = [(one, two) for one in texts.get(("", "system"), ()) for two in texts.get(("system", "user"), ())]
    texts[("", "user")] = [
        text
        for text in texts.get(("", "user"), ())
        if not any(
            text.startswith(one) and text.endswith(two) and text[len(one) : len(text) - len(two)].strip()
            for one, two in opened
            if is_mark(one) and is_mark(two)
        )
    ]


def _leave_bare_ends(texts: dict[tuple[str, str], list[str]]) -> None:
    """What only ends an answer opens no turn but a question, which may have no mark of its own."""
    ends = {text.strip() for text in texts.get(("assistant", ""), ())}
    for after in ("assistant", "system", "tool"):
        found = texts.get(("assistant", after), ())
        texts["assistant", after] = [text for text in found if text.strip() not in ends]


def _told_apart(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The marks, but those that one before them equals; a mark before a first turn may be the beginning of the text."""
    kept: dict[str, tuple[str, str]] = {}
    for after, text in found:
        if is_mark(text) and kept.setdefault(text.strip(), (after, text))[0] == after:
            kept.setdefault(text, (after, text))
    return list(dict.fromkeys(kept.values()))


def _prompts(asked: _Asked, cut: dict[str, list[str]], known: set[str]) -> Iterable[Separator]:
    for shape in cut:
        if shape[-1] not in "UT":
            continue
        words = [_word(at) for at in range(len(shape))]
        try:
            parts = _parts(asked.written(shape, words, prompt=True), words)
        except REFUSALS:
            continue
        if parts is not None and parts[-1] not in known and is_mark(parts[-1]):
            known.add(parts[-1])
            yield Separator(_ROLES[shape[-1]], "assistant", parts[-1])


def _check(asked: _Asked, marks: TemplateMarks, shapes: Sequence[str], several: bool) -> None:
    """Raises Irregular where other texts, on another day, are not read back as they were written."""
    longer = ("UA" * 6, "SUAUA" if "SUAUA" in shapes else "UA") if several else ()
    template = ModelTemplate("", marks)
    for shape in (*(each for each in shapes if each[-1] == "A"), *longer):
        for shift in range(2):
            texts = [_TEXTS[(at + shift) % len(_TEXTS)] for at in range(len(shape))]
            try:
                written = asked.written(shape, texts, 2 if asked.dated else 0)
                reading = read_by_template(template, written, 0, False)
            except REFUSALS:
                if shape in shapes:
                    raise Irregular("it refuses some texts") from None
                continue
            except TranscriptError as error:
                raise Irregular(str(error)) from error
            if reading is None or reading.problems:
                raise Irregular(f"what it writes of turns ({_named(shape)}) is not found again")
            turns = [said.turn for conversation in reading.conversations for said in conversation.said]
            if turns and turns[0].role.value == "system" and shape[0] != "S":
                turns = turns[1:]
            if [(turn.role.value, turn.text.strip()) for turn in turns] != [
                (_ROLES[role], text.strip()) for role, text in zip(shape, texts, strict=True)
            ]:
                raise Irregular(f"what it writes of turns ({_named(shape)}) reads as other turns")


def _named(shape: str) -> str:
    return ", ".join(_ROLES[role] for role in shape)
