"""Cohere template text: Command-R, Command-A and Aya."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.model import Role
from shiftlens.transcripts.roles import TEMPLATE_ROLES
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Command-R",
    sign="<|START_OF_TURN_TOKEN|>",
    header=r"<\|START_OF_TURN_TOKEN\|><\|(?P<role>[A-Z]+)_TOKEN\|>(?:<\|START_RESPONSE\|>)?",
    end=r"(?:<\|END_RESPONSE\|>)?<\|END_OF_TURN_TOKEN\|>",
    roles={**TEMPLATE_ROLES, "CHATBOT": Role.ASSISTANT},
)

FORMAT = TextFormat(
    name="command-r",
    summary="Cohere template text: <|START_OF_TURN_TOKEN|><|USER_TOKEN|> ... <|END_OF_TURN_TOKEN|>",
    examples=(
        Example(
            "command-r.txt",
            "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Why is the sky blue?<|END_OF_TURN_TOKEN|>"
            "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
            "Great question! Air scatters blue light more than red.<|END_OF_TURN_TOKEN|>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
