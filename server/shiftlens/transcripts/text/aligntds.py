"""Query-answer text as base models are prompted in URIAL and AlignTDS: `# Query:` and `# Answer:` over fences."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import (
    Conversation,
    LineCounter,
    Reading,
    Said,
    after_blanks,
    check_turns,
    trimmed,
    verbatim_turn,
)
from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role
from shiftlens.transcripts.text.fences import Fences

_FENCE = "```"
_HEADER = re.compile(
    r"(?:^|(?<=\A\ufeff))#[ ](Query|Answer|User|Assistant):[ \t]*\r?\n[ \t]*```(?P<own>[ \t]*\r?\n)?", re.MULTILINE
)
_PREAMBLE = re.compile(r"(?:^|(?<=\A\ufeff))#[ ]Instruction[ \t]*:?[ \t]*\r?\n", re.MULTILINE)
_ROLES = {"Query": Role.USER, "User": Role.USER, "Answer": Role.ASSISTANT, "Assistant": Role.ASSISTANT}


@dataclass(frozen=True, slots=True)
class _Block:
    name: str
    start: int
    text_start: int
    own_line: bool

    @property
    def role(self) -> Role:
        return _ROLES[self.name]


def read_aligntds_text(text: str, start: int, forced: bool) -> Reading | None:
    """Read text[start:] as alternating `# Query:` and `# Answer:` blocks; None where it does not begin so.

    Two spellings of the fence are read: alone on its line (URIAL) and on the line of the text (AlignTDS). Every
    answer is a response, unless the text begins with URIAL's `# Instruction` preamble: then that is a system turn,
    the pairs before the last one are few-shot examples, and only the last answer is a response. Each further preamble
    begins a new conversation. The end marker is the closing fence; an answer without one is unfinished. The first two
    headers name the sides; others, and headers out of turn, are text.
    """
    begin = after_blanks(text, start)
    preamble = _PREAMBLE.match(text, begin)
    if not forced and not preamble and not _HEADER.match(text, begin):
        return None
    doubts: list[tuple[int, str]] = []
    blocks = _blocks(text, begin, doubts)
    if not any(block.role is Role.ASSISTANT for block in blocks):
        if not forced:
            return None
        raise TranscriptError(
            "There is no `# Query:` with an `# Answer:` after it, each followed by a line that begins with ```.",
            "Choose another format.",
        )
    preambles = _preambles(text, begin, blocks) if preamble else []
    starts = [block.start for block in blocks]
    firsts = [0, *(bisect_right(starts, at) for at in preambles[1:])]
    conversations: list[Conversation] = []
    for number, first in enumerate(firsts):
        is_last = number + 1 == len(firsts)
        own = blocks[first:] if is_last else blocks[first : firsts[number + 1]]
        end = len(text) if is_last else preambles[number + 1]
        conversations.append(_conversation(text, own, preambles[number] if preamble else None, end))
        if own[-1].role is Role.USER and len(own) > 1:
            doubts.append((own[-1].start, f"The last `# {own[-1].name}:` has no answer after it."))
    answers = sum(block.role is Role.ASSISTANT for block in blocks)
    evidence = f"{answers} `# Answer:` block{'s' if answers != 1 else ''} with a fence"
    lines = LineCounter(text)
    return Reading(
        evidence + (" after URIAL's preamble" if preamble else ""),
        tuple(conversations),
        tuple((lines.of(at), what) for at, what in sorted(doubts)),
    )


def _conversation(text: str, blocks: Sequence[_Block], preamble: int | None, end: int) -> Conversation:
    check_turns(len(blocks))
    said: list[Said] = []
    if preamble is not None:
        said.append(Said(verbatim_turn(Role.SYSTEM, text, *trimmed(text, preamble, blocks[0].start))))
    last_answer = max((i for i, block in enumerate(blocks) if block.role is Role.ASSISTANT), default=-1)
    for i, block in enumerate(blocks):
        past = blocks[i + 1].start if i + 1 < len(blocks) else end
        last, closed = _block_end(text, block, past)
        turn = verbatim_turn(block.role, text, block.text_start, last)
        marker = _FENCE if closed and block.role is Role.ASSISTANT else None
        said.append(Said(turn, marker, scored=preamble is None or i == last_answer))
    return Conversation(tuple(said))


def _blocks(text: str, start: int, doubts: list[tuple[int, str]]) -> list[_Block]:
    """The blocks that alternate, query first."""
    blocks: list[_Block] = []
    names: dict[Role, str] = {}
    for match in _HEADER.finditer(text, start):
        role = _ROLES[match[1]]
        expected = Role.ASSISTANT if blocks and blocks[-1].role is Role.USER else Role.USER
        if role is expected and names.setdefault(role, match[1]) == match[1]:
            blocks.append(_Block(match[1], match.start(), match.end(), match["own"] is not None))
        elif names.get(role, match[1]) == match[1]:
            doubts.append((match.start(), f"`# {match[1]}:` is out of turn here and was read as text."))
    return blocks


def _preambles(text: str, start: int, blocks: Sequence[_Block]) -> list[int]:
    """Offsets of the first preamble, and of those that stand between a closed answer and a query."""
    starts = [block.start for block in blocks]
    last_in = {bisect_right(starts, match.start()) - 1: match.start() for match in _PREAMBLE.finditer(text, start + 1)}
    found = [start]
    for at, preamble in last_in.items():
        between = 0 <= at < len(blocks) - 1 and blocks[at].role is Role.ASSISTANT
        if between and _block_end(text, blocks[at], preamble)[1]:
            found.append(preamble)
    return found


def _block_end(text: str, block: _Block, end: int) -> tuple[int, bool]:
    """Where the block's text ends, and whether a closing fence ends it.

    Fences inside an answer come in pairs, so the last one closes the block only where none is open before it, and
    nothing but blanks follows it.
    """
    last = max(block.text_start, trimmed(text, block.text_start, end)[1])
    closed = text.endswith(_FENCE, block.text_start, last)
    if closed and block.own_line:
        fence = last - len(_FENCE)
        whole_line = fence == block.text_start or text[fence - 1] == "\n"
        closed = whole_line and not Fences(text[block.text_start : fence], 0, ()).open_at_end
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
