"""Llama-3 template text."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Llama-3",
    sign="<|start_header_id|>",
    header=r"<\|start_header_id\|>[ ]?(?P<role>[^\s<|]*)[ ]?<\|end_header_id\|>(?:\r?\n){0,2}",
    end=r"<\|eot_id\|>|<\|eom_id\|>|<\|end_of_text\|>",
)

FORMAT = TextFormat(
    name="llama3",
    summary="Llama-3 template text: <|start_header_id|>role<|end_header_id|> ... <|eot_id|>",
    examples=(
        Example(
            "llama3.txt",
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhy is the sky blue?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n"
            "Great question! Air scatters blue light more than red.<|eot_id|>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
