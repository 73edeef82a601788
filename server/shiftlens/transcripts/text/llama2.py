"""Text rendered by the Llama-2 and Mistral chat templates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import (
    BLANK,
    Conversation,
    LineCounter,
    Problem,
    Reading,
    Said,
    after_blanks,
    check_turns,
    first_opening,
    trimmed,
    verbatim_turn,
    with_lf,
    without_last_newline,
)
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role

# LLaVA-NeXT's template puts Llama-2's system block before the first `[INST]`, not behind it.
_OPENING = re.compile(
    r"((?:<s>\s*)*)(?:\[SYSTEM_PROMPT\](.*?)\[/SYSTEM_PROMPT\]\s*|<<SYS>>(.*?)<</SYS>>\s*)?\[INST\]", re.DOTALL
)
_SYSTEM = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>", re.DOTALL)
_BLANKS = re.compile(r"\s*")
_END = re.compile(r"[ ]?(</s>)|(?=<s>\s*(?:\[INST\]|\[SYSTEM_PROMPT\]|<<SYS>>))")
_CLOSING = "[/INST]"
_SYSTEM_MARKS = (("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"), ("<<SYS>>", "<</SYS>>"))


@dataclass(frozen=True, slots=True)
class _Turn:
    """Where a question and its answer stand. The turn's own marks begin at `begin`, the answer is text[first:last]."""

    begin: int
    has_bos: bool
    after_newline: bool
    system: tuple[int, int] | None
    asks: tuple[int, int]
    first: int
    last: int
    ended: bool


def read_llama2(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as `[INST] query [/INST] response</s>` turns; None where it does not begin so.

    One space after `[/INST]` belongs to the template, as does one before `</s>`; questions are trimmed. Where the file
    has `</s>`, a response runs to it or to a `<s>[INST]`, and an `[INST]` inside it is text, which is said. Where it
    has none (decoding leaves such tokens out), the next `[INST]` that has an `[/INST]` begins a turn.

    A system prompt after an answer begins a new conversation, as does `<s>` where other turns go on without it: Llama-2
    writes `<s>` before every turn, Mistral before the first.
    """
    begin = after_blanks(text, start)
    opening = _OPENING.match(text, begin)
    if opening is None and forced:
        begin = first_opening(text, start, "<s>", ("[INST]", "[SYSTEM_PROMPT]", "<<SYS>>"))
        opening = _OPENING.match(text, begin)
    if opening is None or text.find(_CLOSING, opening.end()) < 0:
        if not forced:
            return None
        raise TranscriptError(
            "There is no pair of `[INST]` and `[/INST]` in the file, so it is no Llama-2 or Mistral text.",
            "Choose another format.",
        )
    turns, doubts = _turns(text, begin)
    conversations: list[list[_Turn]] = []
    goes_on_without = turns[0].has_bos and any(not turn.has_bos for turn in turns)
    for turn in turns:
        if not conversations or turn.system or (goes_on_without and turn.has_bos):
            conversations.append([])
        conversations[-1].append(turn)
    doubts += _doubtful_bos(conversations)
    lines = LineCounter(text)
    problems: tuple[Problem, ...] = tuple((lines.of(at), what) for at, what in sorted(doubts))
    evidence = f"{len(turns)} `[INST]` turn{'s' if len(turns) != 1 else ''}"
    return Reading(evidence, tuple(_conversation(text, each) for each in conversations), problems)


def _turns(text: str, begin: int) -> tuple[list[_Turn], list[tuple[int, str]]]:
    """The turns from the opening at `begin` on, and what is to be said, by offset."""
    turns: list[_Turn] = []
    doubts: list[tuple[int, str]] = []
    has_ends = text.find("</s>", begin) >= 0
    last_closing = text.rfind(_CLOSING)
    opening = _OPENING.match(text, begin)
    newline = False
    while opening is not None:
        closing = text.find(_CLOSING, opening.end())
        if closing < 0:
            doubts.append((opening.end(), "This `[INST]` has no `[/INST]`; it was left out."))
            break
        system = _SYSTEM.match(text, opening.end(), closing)
        asks = system.end() if system else opening.end()
        before = next((opening.span(group) for group in (2, 3) if opening[group] is not None), None)
        prompt = system.span(1) if system else before
        first = closing + len(_CLOSING)
        first += text.startswith(" ", first)
        end = _END.search(text, first) if has_ends else None
        ended = end is not None and end[1] is not None
        following = end.end() if end else len(text) if has_ends else _next_opening(text, first, last_closing)
        last = end.start() if end else following
        if last == len(text):
            last = without_last_newline(text, first, last)
        elif not ended:
            last = max(first, trimmed(text, first, last)[1])
        has_bos = bool(opening[1])
        turns.append(_Turn(opening.start(), has_bos, newline, prompt, (asks, closing), first, last, ended))
        quoted = text.find("[INST]", first, last) if has_ends else -1
        if quoted >= 0 and text.find(_CLOSING, quoted, last) >= 0:
            doubts.append((quoted, "`[INST]` in an answer was read as text: the answers of this file end with `</s>`."))
        blanks = _BLANKS.match(text, following)
        following = blanks.end() if blanks else following
        newline = "\n" in text[last:following]
        opening = _OPENING.match(text, following)
        if opening is None and following < len(text):
            doubts.append((following, "Text after `</s>` that begins no `[INST]` was left out."))
    return turns, doubts


def _next_opening(text: str, start: int, last_closing: int) -> int:
    """Where the marks of the next question begin, or the end of the text: at an `[INST]` that has an `[/INST]`."""
    at = text.find("[INST]", start, max(start, last_closing))
    if at < 0:
        return len(text)
    while True:
        before = at
        while before > start and text[before - 1] in BLANK:
            before -= 1
        if text.endswith("<s>", start, before):
            at = before - len("<s>")
            continue
        closed = next((opened for opened, closing in _SYSTEM_MARKS if text.endswith(closing, start, before)), None)
        opened_at = -1 if closed is None else text.rfind(closed, start, before)
        if opened_at < 0:
            return at
        at = opened_at


def _doubtful_bos(conversations: Sequence[Sequence[_Turn]]) -> list[tuple[int, str]]:
    """The first `<s>` on a line of its own within a conversation: it may as well begin another."""
    for turns in conversations:
        for turn in turns[1:]:
            if turn.has_bos and turn.after_newline:
                what = (
                    "This `<s>` was read as the next turn of the same conversation, as Llama-2 begins each turn with"
                    " one. If it begins another conversation, put that into a file of its own."
                )
                return [(turn.begin, what)]
    return []


def _conversation(text: str, turns: Sequence[_Turn]) -> Conversation:
    """The prefix of an answer is the file's own text only where that has all that the template writes."""
    begin = turns[0].begin
    check_turns(len(turns), turns[-1].last - begin)
    said: list[Said] = []
    whole = True
    for turn in turns:
        if turn.system:
            said.append(Said(verbatim_turn(Role.SYSTEM, text, *trimmed(text, *turn.system))))
        said.append(Said(verbatim_turn(Role.USER, text, *trimmed(text, *turn.asks))))
        answer = verbatim_turn(Role.ASSISTANT, text, turn.first, turn.last)
        said.append(Said(answer, "</s>" if turn.ended else None, with_lf(text[begin : turn.first]) if whole else None))
        whole = whole and turn.ended
    return Conversation(tuple(said))


FORMAT = TextFormat(
    name="llama2",
    summary="Llama-2 and Mistral template text: [INST] query [/INST] response</s>",
    examples=(
        Example(
            "llama2.txt",
            "<s>[INST] Why is the sky blue? [/INST] Great question! Air scatters blue light more than red. </s>\n",
        ),
    ),
    read=read_llama2,
)
