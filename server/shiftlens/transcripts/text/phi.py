"""Phi template text: Phi-3, Phi-3.5 and Phi-4-mini."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Phi",
    sign="<|end|>",
    header=r"<\|(?P<role>system|user|assistant)\|>(?:[ \t]*\r?\n)?",
    end=r"<\|end\|>|<\|endoftext\|>",
    begins=r"(?s:(?:<s>)?<\|(?:system|user|assistant)\|>(?:(?!<\|(?:user|assistant)\|>|</s>).)*<\|end\|>)",
)

FORMAT = TextFormat(
    name="phi",
    summary="Phi template text: <|user|> ... <|end|>",
    examples=(
        Example(
            "phi.txt",
            "<|user|>\nWhy is the sky blue?<|end|>\n<|assistant|>\n"
            "Great question! Air scatters blue light more than red.<|end|>\n<|endoftext|>",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
