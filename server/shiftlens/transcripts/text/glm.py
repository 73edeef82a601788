"""GLM-4 template text. Turns have no end marker: the next header ends them."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="GLM",
    sign="<|user|>",
    header=r"<\|(?P<role>system|user|assistant|observation)\|>(?:[ \t]*\r?\n)?",
    end=r"<\|endoftext\|>",
    bos=r"\[gMASK\]\s*<sop>",
    begins=(
        r"\[gMASK\]\s*<sop>|(?s:<\|(?:system|user)\|>"
        r"(?:(?!<\|assistant\|>|</s>|<\|end(?:oftext)?\|>).)*(?<!\n)<\|assistant\|>\n)"
    ),
)

FORMAT = TextFormat(
    name="glm",
    summary="GLM template text: [gMASK]<sop><|user|> ... <|assistant|> ...",
    examples=(
        Example(
            "glm.txt",
            "[gMASK]<sop><|user|>\nWhy is the sky blue?<|assistant|>\n<think></think>\n"
            "Great question! Air scatters blue light more than red.<|user|>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
