"""Thoughts and tool calls as Open WebUI writes them into an answer: `<details type="reasoning">` blocks.

The text of a thought stands there as a block quote (`> ` before each line), with HTML's special characters escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from shiftlens.text.source_map import Segment, SourceMap, joined, slice_of
from shiftlens.transcripts.json.record import Log
from shiftlens.transcripts.json.turns import Text
from shiftlens.transcripts.model import Part, PartKind

_DETAILS = re.compile(
    r'<details type="(?P<type>\w+)"[^>]*>\n(?:<summary>[^\n]*</summary>\n)?(?P<body>.*?)\n?</details>\n*', re.DOTALL
)
_QUOTE = re.compile(r"^>[ ]?", re.MULTILINE)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|#x27|#39);")


def answer_parts(content: Text | None, log: Log, offset: int) -> Iterator[Part]:
    """The parts of an answer. Blocks that are no thought are left out, and the user told, of `offset`."""
    if content is None:
        return
    text, source = content
    at = 0
    for block in _DETAILS.finditer(text):
        if text[at : block.start()].strip():
            yield Part(PartKind.TEXT, *slice_of(text, source, at, block.start()))
        if block["type"] == "reasoning":
            thought = _unquoted(*slice_of(text, source, block.start("body"), block.end("body")))
            if thought[0]:
                yield Part(PartKind.REASONING, *thought)
        else:
            log.say(f"Blocks of the type {block['type']!r} in an answer were left out.", offset)
        at = block.end()
    if at < len(text):
        yield Part(PartKind.TEXT, *slice_of(text, source, at, len(text)))


def _unquoted(text: str, source: SourceMap) -> Text:
    """A block quote without its marks and escapes."""
    found: list[Text] = []
    at = 0
    for mark in re.compile(f"(?m:{_QUOTE.pattern})|{_ENTITY.pattern}").finditer(text):
        if mark.start() > at:
            found.append(slice_of(text, source, at, mark.start()))
        if not mark[0].startswith(">"):
            start, end = source.span(mark.start(), mark.end())
            found.append((unescape(mark[0]), SourceMap(start, (Segment(0, 1, start, end - start),))))
        at = mark.end()
    if at < len(text):
        found.append(slice_of(text, source, at, len(text)))
    return joined(found) if found else ("", source)
