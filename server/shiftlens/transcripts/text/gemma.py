"""Gemma template text, to Gemma 3."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Gemma",
    sign="<start_of_turn>",
    header=r"<start_of_turn>(?P<role>[^\s<|]*)[ \t]*(?:\r?\n|\Z)",
    end=r"<end_of_turn>|<eos>",
)

FORMAT = TextFormat(
    name="gemma",
    summary="Gemma template text: <start_of_turn>role ... <end_of_turn>",
    examples=(
        Example(
            "gemma.txt",
            "<bos><start_of_turn>user\nWhy is the sky blue?<end_of_turn>\n<start_of_turn>model\n"
            "Great question! Air scatters blue light more than red.<end_of_turn>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
