"""ChatML template text: Qwen, SmolLM, OpenHermes and many others."""

from __future__ import annotations

import re
from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    "ChatML",
    "<|im_start|>",
    "<s>",
    re.compile(r"<\|im_start\|>[ ]?([^\s<|]*)[^\S\r\n]*(?:<\|im_sep\|>|\r?\n|\Z)"),
    re.compile(r"<\|im_end\|>|(?=<\|im_start\|>)|<\|endoftext\|>"),
)

FORMAT = TextFormat(
    name="chatml",
    summary="ChatML template text: <|im_start|>role ... <|im_end|>",
    examples=(
        Example(
            "chatml.txt",
            "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n"
            "Great question! Air scatters blue light more than red.<|im_end|>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
