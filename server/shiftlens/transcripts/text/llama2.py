"""Text rendered by the Llama-2 and Mistral chat templates."""

from __future__ import annotations

import re

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import (
    Conversation,
    Problem,
    Reading,
    Said,
    after_blanks,
    check_turns,
    first_opening,
    line_number,
    trimmed,
    verbatim_turn,
    with_lf,
    without_last_newline,
)
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role

_OPENING = re.compile(r"((?:<s>\s*)*(?:\[SYSTEM_PROMPT\](.*?)\[/SYSTEM_PROMPT\]\s*)?\[INST\])", re.DOTALL)
_NEXT = re.compile(r"\s*(?:<s>\s*)*\[INST\]")
_SYSTEM = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>", re.DOTALL)
_RESPONSE_END = re.compile(r"[ ]?(</s>)|(?=<s>\s*\[INST\])")
_CLOSING = "[/INST]"


def read_llama2(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as `[INST] query [/INST] response</s>` turns; None where it does not begin so.

    One space after `[/INST]` belongs to the template, as does one before `</s>`; questions are trimmed. A
    response without `</s>` runs to the next `<s>[INST]` or to the end of the file. An `[INST]` elsewhere is text.
    """
    opening = _OPENING.match(text, after_blanks(text, start))
    if opening is None and forced:
        opening = _OPENING.match(text, first_opening(text, start, "<s>", ("[INST]", "[SYSTEM_PROMPT]")))
    if opening is None or text.find(_CLOSING, opening.end()) < 0:
        if not forced:
            return None
        raise TranscriptError(
            "There is no pair of `[INST]` and `[/INST]` in the file, so it is no Llama-2 or Mistral text.",
            "Choose another format.",
        )
    begin = opening.start(1)
    check_turns(text.count(_CLOSING, begin), len(text) - begin)
    said: list[Said] = []
    problems: list[Problem] = []
    if opening[2] is not None:
        said.append(Said(verbatim_turn(Role.SYSTEM, text, *trimmed(text, *opening.span(2)))))
    asking: re.Match[str] | None = opening
    turns = 0
    while asking is not None:
        at = asking.end()
        closing = text.find(_CLOSING, at)
        if closing < 0:
            problems.append((line_number(text, at), "This `[INST]` has no `[/INST]`; it was left out."))
            break
        system = _SYSTEM.match(text, at, closing)
        if system:
            said.append(Said(verbatim_turn(Role.SYSTEM, text, *trimmed(text, *system.span(1)))))
            at = system.end()
        said.append(Said(verbatim_turn(Role.USER, text, *trimmed(text, at, closing))))
        first = closing + len(_CLOSING)
        first += text.startswith(" ", first)
        end = _RESPONSE_END.search(text, first)
        last = end.start() if end else without_last_newline(text, first, len(text))
        marker = end[1] if end else None
        if end and not marker:
            last = max(first, trimmed(text, first, last)[1])
        said.append(Said(verbatim_turn(Role.ASSISTANT, text, first, last), marker, with_lf(text[begin:first])))
        turns += 1
        after = end.end() if end else len(text)
        asking = _NEXT.match(text, after)
        if asking is None and text[after:].strip():
            line = line_number(text, trimmed(text, after, len(text))[0])
            problems.append((line, "Text after `</s>` that begins no `[INST]` was left out."))
    evidence = f"{turns} `[INST]` turn{'s' if turns != 1 else ''}"
    return Reading(evidence, (Conversation(tuple(said)),), tuple(problems))


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
