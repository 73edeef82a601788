"""Gemma-4 template text.

What a tool gave back stands inside the model's turn, which goes on after it.
"""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Gemma-4",
    sign="<|turn>",
    header=(
        r"(?:<\|turn>(?P<role>[^\s<|]*)[ \t]*(?:\r?\n|\Z)"
        r"|<\|(?P<mark>tool)_response>(?=(?:response:(?P<speaker>[^\s{]*))?))"
    ),
    end=r"<turn\|>|<tool_response\|>|<eos>",
    resumes=True,
)

FORMAT = TextFormat(
    name="gemma4",
    summary="Gemma-4 template text: <|turn>role ... <turn|>",
    examples=(
        Example(
            "gemma4.txt",
            "<bos><|turn>user\nWhy is the sky blue?<turn|>\n<|turn>model\n<|channel>thought\nAir scatters.\n<channel|>"
            "Great question! Air scatters blue light more than red.<turn|>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
