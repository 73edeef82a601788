"""Query-answer text as base models are prompted in URIAL and AlignTDS: `# Query:` and `# Answer:` over fences."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import (
    Conversation,
    Reading,
    Said,
    after_blanks,
    check_turns,
    trimmed,
    verbatim_turn,
)
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role

_FENCE = "```"
_HEADER = re.compile(
    r"(?:^|(?<=\A\ufeff))#[ ](Query|Answer|User|Assistant):[ \t]*\r?\n[ \t]*```(?P<own>[ \t]*\r?\n)?", re.MULTILINE
)
_PREAMBLE = re.compile(r"#[ ]Instruction[ \t]*:?[ \t]*\r?\n")
_FENCE_LINE = re.compile(r"^```", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Block:
    role: Role
    start: int
    text_start: int
    own_line: bool


def read_aligntds_text(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as alternating `# Query:` and `# Answer:` blocks; None where it does not begin so.

    Two spellings of the fence are read: alone on its line (URIAL) and on the line of the text (AlignTDS). Every
    answer is a response, unless the text begins with URIAL's `# Instruction` preamble: then that is a system turn,
    the pairs before the last one are few-shot examples, and only the last answer is a response. The end marker is
    the closing fence; an answer without one is unfinished.
    """
    begin = after_blanks(text, start)
    preamble = _PREAMBLE.match(text, begin)
    if not forced and not preamble and not _HEADER.match(text, begin):
        return None
    blocks = _blocks(text, begin)
    if not any(block.role is Role.ASSISTANT for block in blocks):
        if not forced:
            return None
        raise TranscriptError(
            "There is no `# Query:` with an `# Answer:` after it, each followed by a line that begins with ```.",
            "Choose another format.",
        )
    check_turns(len(blocks))
    last_answer = max(i for i, block in enumerate(blocks) if block.role is Role.ASSISTANT)
    said: list[Said] = []
    if preamble:
        span = trimmed(text, begin, blocks[0].start)
        said.append(Said(verbatim_turn(Role.SYSTEM, text, *span)))
    for i, block in enumerate(blocks):
        end = blocks[i + 1].start if i + 1 < len(blocks) else len(text)
        last, closed = _block_end(text, block, end)
        turn = verbatim_turn(block.role, text, block.text_start, last)
        marker = _FENCE if closed and block.role is Role.ASSISTANT else None
        said.append(Said(turn, marker, scored=not preamble or i == last_answer))
    answers = sum(block.role is Role.ASSISTANT for block in blocks)
    evidence = f"{answers} `# Answer:` block{'s' if answers != 1 else ''} with a fence"
    return Reading(evidence + (" after URIAL's preamble" if preamble else ""), (Conversation(tuple(said)),))


def _blocks(text: str, start: int) -> list[_Block]:
    """The blocks that alternate, query first; a header out of turn is text."""
    blocks: list[_Block] = []
    for match in _HEADER.finditer(text, start):
        role = Role.USER if match[1] in ("Query", "User") else Role.ASSISTANT
        expected = Role.ASSISTANT if blocks and blocks[-1].role is Role.USER else Role.USER
        if role is expected:
            blocks.append(_Block(role, match.start(), match.end(), match["own"] is not None))
    return blocks


def _block_end(text: str, block: _Block, end: int) -> tuple[int, bool]:
    """Where the block's text ends, and whether a closing fence ends it.

    Fences inside an answer come in pairs, so the last one closes the block only where the count is odd and nothing
    but blanks follows it.
    """
    last = max(block.text_start, trimmed(text, block.text_start, end)[1])
    closed = text.endswith(_FENCE, block.text_start, last)
    if closed and block.own_line:
        fence = last - len(_FENCE)
        closed = (fence == block.text_start or text[fence - 1] == "\n") and _fence_lines(text, block, last) % 2 == 1
    elif closed:
        closed = text.count(_FENCE, block.text_start, last) % 2 == 1
    if not closed:
        return last, False
    last -= len(_FENCE)
    if block.own_line and last > block.text_start and text[last - 1] == "\n":
        last -= 1
        if last > block.text_start and text[last - 1] == "\r":
            last -= 1
    return last, True


def _fence_lines(text: str, block: _Block, end: int) -> int:
    return sum(1 for _ in _FENCE_LINE.finditer(text, block.text_start, end))


FORMAT = TextFormat(
    name="aligntds-text",
    summary="AlignTDS and URIAL text: # Query: and # Answer: over ``` fences",
    examples=(
        Example(
            "urial.txt",
            "# Query:\n```\nWhy is the sky blue?\n```\n\n# Answer:\n```\n"
            "Great question! Air scatters blue light more than red.\n```\n",
        ),
    ),
    read=read_aligntds_text,
)
