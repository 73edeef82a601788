"""The marks of a model's own chat template, compiled into patterns of what may follow the text of each turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shiftlens.transcripts.conversation import BLANK
from shiftlens.transcripts.model import Role
from shiftlens.transcripts.template_marks import (
    NUMBER,
    OPENING_CHARACTERS,
    RUN,
    TemplateMarks,
    is_control,
    is_mark,
    without_bos,
)

_BLANKS = r"[ \t\r\n]"


@dataclass(frozen=True, slots=True)
class Next:
    """What an alternative of a pattern leads to: a turn of `role`, the `first` of a conversation or a later one.

    Without a role the turn before has ended, and no turn follows that is known.
    """

    role: Role | None
    first: bool = False


@dataclass(frozen=True, slots=True)
class Alternatives:
    """A pattern with a group for each alternative, and what each leads to."""

    pattern: re.Pattern[str]
    leads_to: tuple[Next, ...]

    def search(self, text: str, at: int) -> tuple[re.Match[str], Next] | None:
        return self._led(self.pattern.search(text, at))

    def match(self, text: str, at: int) -> tuple[re.Match[str], Next] | None:
        return self._led(self.pattern.match(text, at))

    def _led(self, found: re.Match[str] | None) -> tuple[re.Match[str], Next] | None:
        return None if found is None or found.lastindex is None else (found, self.leads_to[found.lastindex - 1])


@dataclass(frozen=True, slots=True)
class Patterns:
    """The marks compiled.

    - begins: what a text begins with.
    - opens: the openings of turns, to go on from after text that belongs to none.
    - after: by role, what may follow the text of its turn.
    - ends: what ends an answer, longest first.
    - fragments: by role, what all that can follow its turn begins with, where text never does.
    - bos: the beginning-of-text marker.
    - trimmed: the roles whose turns end with blanks alone.
    """

    bos: str
    begins: Alternatives
    opens: Alternatives | None
    after: dict[Role, Alternatives]
    ends: tuple[str, ...]
    fragments: dict[Role, str]
    trimmed: frozenset[Role]


@lru_cache(maxsize=16)
def compiled(marks: TemplateMarks) -> Patterns:
    """The patterns of a template's marks. Cached, since the same template reads every version of a file."""
    roles = [role for role in Role if any(each.after == role.value for each in marks.separators)]
    ended = {each.text.strip() for each in marks.separators if not each.after}
    cores = sorted(filter(is_mark, ended), key=len, reverse=True)
    starts = tuple((Role(each.after), without_bos(each.text, marks.bos)) for each in marks.between(""))
    opens = [(role, text) for role in roles if is_mark(text := _opening(marks, role, cores))]
    begins = [*_first_turns(marks.bos, starts), *(("", _flexible(text), Next(r, first=True)) for r, text in opens)]
    with_bos = _first_turns(marks.bos, starts, need_bos=True)
    reopens = [*with_bos, *(("", _flexible(text), Next(role)) for role, text in opens)]
    ends = [each.text.strip() for each in marks.between(Role.ASSISTANT.value, "")]
    closing = _closing(marks, Role.ASSISTANT, cores)
    return Patterns(
        bos=marks.bos,
        begins=_alternatives(_longest_first(begins)),
        opens=_alternatives(_longest_first(reopens)) if reopens else None,
        after={role: _after(marks, role, cores, starts) for role in roles},
        ends=tuple(sorted({end for end in (*ends, closing) if is_control(end)}, key=len, reverse=True)),
        fragments={role: fragment for role in roles if (fragment := _fragment(marks, role, cores))},
        trimmed=frozenset(Role(each.before) for each in marks.separators if not each.after and each.text.isspace()),
    )


_Alternative = tuple[str, str, Next]
"""The pattern of what ends the turn before, that of the marks of the next, and what they lead to."""


def _alternatives(found: Sequence[_Alternative]) -> Alternatives:
    pattern = "|".join(f"{before}({marks})" for before, marks, _ in found)
    return Alternatives(re.compile(pattern), tuple(leads_to for _, _, leads_to in found))


def _longest_first(found: Iterable[_Alternative]) -> list[_Alternative]:
    return sorted(found, key=lambda each: len(each[0] + each[1]), reverse=True)


def _first_turns(
    bos: str, starts: Sequence[tuple[Role, str]], *, need_bos: bool = False, before: str = ""
) -> list[_Alternative]:
    """The marks before first turns, behind the pattern `before`. Repetitions are bounded: a search tries each place."""
    found: list[_Alternative] = []
    for role, text in starts:
        least = 1 if need_bos or not is_mark(text) else 0
        if bos:
            times = f"(?:{_literal(bos)}{_BLANKS}{{0,9}}?){{{least},9}}"
            found.append((before, f"{times}{_flexible(text)}", Next(role, first=True)))
        elif not least:
            found.append((before, _flexible(text), Next(role, first=True)))
    return found


def _after(marks: TemplateMarks, role: Role, cores: Sequence[str], starts: Sequence[tuple[Role, str]]) -> Alternatives:
    """What may follow the text of a turn: another turn, another conversation, the end, or something unknown."""
    following = [each for each in marks.between(role.value) if each.after]
    numbered = [each.text for each in following if NUMBER in each.text and role is Role.ASSISTANT]
    # Rounds are numbered: the one with the number of the first begins a conversation.
    again = [(first, text) for first, text in starts if any(_is_numbered_as(each, text) for each in numbered)]
    found = [(f"{_BLANKS}{{0,99}}", _flexible(text), Next(first, first=True)) for first, text in again]
    ends = sorted({each.text.rstrip() for each in marks.between(role.value, "")}, key=len, reverse=True)
    found += [("", f"{_flexible(end)}{_BLANKS}*\\Z", Next(None)) for end in ends if end]
    found += _longest_first(("", _flexible(each.text), Next(Role(each.after))) for each in following)
    for end in ends or [""]:
        before = f"{_flexible(end)}{_BLANKS}{{0,99}}"
        found += _longest_first(_first_turns(marks.bos, starts, need_bos=True, before=before))
        for first, text in starts:
            if not is_mark(text):
                continue
            goes_on = any(each.text.strip().endswith(text.strip()) for each in following if each.after == first.value)
            # Without a mark that ends turns, only what begins a line begins a conversation.
            line = "" if end else r"(?<![^\n])"
            found.append((f"{before}{line}", _flexible(text), Next(first, first=not goes_on)))
    asks = [each.text.rstrip() for each in marks.prompts if each.before == role.value]
    found += [("", f"{_flexible(each)}{_BLANKS}*\\Z", Next(Role.ASSISTANT)) for each in asks if each]
    closing = _closing(marks, role, cores)
    if closing:
        found.append(("", _literal(closing), Next(None)))
    return _alternatives(found)


def _is_numbered_as(mark: str, text: str) -> bool:
    return re.fullmatch(_literal(mark.strip()), text.strip()) is not None


def _closing(marks: TemplateMarks, role: Role, cores: Sequence[str]) -> str:
    """The control token with which every turn of the role ends; "" where there is none."""
    following = [each.text.strip() for each in marks.between(role.value)]
    return next((core for core in cores if is_control(core) and all(t.startswith(core) for t in following)), "")


def _fragment(marks: TemplateMarks, role: Role, cores: Sequence[str]) -> str:
    if _closing(marks, role, cores):
        return ""
    common = _common([each.text.strip() for each in marks.between(role.value) if each.after]).strip()
    return common if is_control(common) else ""


def _opening(marks: TemplateMarks, role: Role, cores: Sequence[str]) -> str:
    """What stands before every turn of a role, without the ends of the turns before it."""
    found: list[str] = []
    for each in marks.separators:
        if each.after != role.value:
            continue
        text = without_bos(each.text, marks.bos) if not each.before else each.text
        closing = _closing(marks, Role(each.before), cores) if each.before else ""
        if closing:
            text = text.partition(closing)[2]
        found.append(text.lstrip()[::-1])
    return _common(found)[::-1]


def _common(texts: Sequence[str]) -> str:
    """What all of the texts begin with."""
    if not texts:
        return ""
    first, last = min(texts), max(texts)
    return first[: next((at for at, each in enumerate(first) if each != last[at]), len(first))]


def _flexible(text: str) -> str:
    """The pattern of a mark. Blanks around it may be absent where it is a mark all the same: editors trim lines."""
    core = text.strip(BLANK)
    if not core:
        return _literal(text)
    lead, trail = text[: text.index(core)], text[text.index(core) + len(core) :]
    before = f"(?:{_literal(lead)})?" if lead and core[0] in OPENING_CHARACTERS else _literal(lead)
    after = (
        f"(?:{_literal(trail)})?"
        if trail and not (core[-1].isalnum() or core[-1] in (RUN, NUMBER))
        else _literal(trail)
    )
    return f"{before}{_literal(core)}{after}"


def _literal(text: str) -> str:
    escaped = re.escape(text).replace("\\\n", r"\r?\n")
    return escaped.replace(RUN, r"[^\r\n]{0,64}?").replace(NUMBER, r"[0-9]{1,9}")
