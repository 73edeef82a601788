"""Llama-4 template text."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Llama-4",
    sign="<|header_start|>",
    header=r"<\|header_start\|>[ ]?(?P<role>[^\s<|]*)[ ]?<\|header_end\|>(?:\r?\n){0,2}",
    end=r"<\|eot\|>|<\|eom\|>|<\|end_of_text\|>",
)

FORMAT = TextFormat(
    name="llama4",
    summary="Llama-4 template text: <|header_start|>role<|header_end|> ... <|eot|>",
    examples=(
        Example(
            "llama4.txt",
            "<|begin_of_text|><|header_start|>user<|header_end|>\n\nWhy is the sky blue?<|eot|>"
            "<|header_start|>assistant<|header_end|>\n\n"
            "Great question! Air scatters blue light more than red.<|eot|>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
