"""ChatML template text: Qwen, SmolLM, OpenHermes, LFM2, Nemotron and many others."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="ChatML",
    sign="<|im_start|>",
    header=r"<\|im_start\|>[ ]?(?P<role>[^\s<|]*)(?:[ ]name=(?P<speaker>[^\s<|]+))?[ \t]*(?:<\|im_sep\|>|\r?\n|\Z)",
    end=r"<\|im_end\|>|<\|endoftext\|>",
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
