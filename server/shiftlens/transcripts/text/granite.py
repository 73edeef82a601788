"""Granite template text: IBM's Granite 3 and 4."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role
from shiftlens.transcripts.roles import TEMPLATE_ROLES
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Granite",
    sign="<|start_of_role|>",
    header=r"<\|start_of_role\|>(?P<role>[^\s<|]*)(?:[ ][^<\n]*)?<\|end_of_role\|>",
    end=r"<\|end_of_text\|>",
    roles={**TEMPLATE_ROLES, "tool_response": Role.TOOL},
)

FORMAT = TextFormat(
    name="granite",
    summary="Granite template text: <|start_of_role|>role<|end_of_role|> ... <|end_of_text|>",
    examples=(
        Example(
            "granite.txt",
            "<|start_of_role|>user<|end_of_role|>Why is the sky blue?<|end_of_text|>\n"
            "<|start_of_role|>assistant<|end_of_role|>"
            "Great question! Air scatters blue light more than red.<|end_of_text|>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
