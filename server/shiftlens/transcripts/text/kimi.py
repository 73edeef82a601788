"""Kimi K2 template text."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Kimi",
    sign="<|im_user|>",
    header=(
        r"<\|im_(?P<mark>user|assistant|system)\|>"
        r"(?:(?P<role>system|user|assistant|tool)|(?P<speaker>[^<|\r\n]*))<\|im_middle\|>"
    ),
    end=r"<\|im_end\|>",
)

FORMAT = TextFormat(
    name="kimi",
    summary="Kimi template text: <|im_user|>user<|im_middle|> ... <|im_end|>",
    examples=(
        Example(
            "kimi.txt",
            "<|im_user|>user<|im_middle|>Why is the sky blue?<|im_end|>"
            "<|im_assistant|>assistant<|im_middle|>Great question! Air scatters blue light more than red.<|im_end|>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
