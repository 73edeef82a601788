"""Gemma template text."""

from __future__ import annotations

import re
from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    "Gemma",
    "<start_of_turn>",
    "<bos>",
    re.compile(r"<start_of_turn>([^\s<|]*)[^\S\r\n]*(?:\r?\n|\Z)"),
    re.compile(r"<end_of_turn>|<eos>|(?=<start_of_turn>)"),
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
