"""Idefics3 and SmolVLM template text: `User: ...<end_of_utterance>`."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import BOS, HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Idefics",
    sign="<end_of_utterance>",
    header=(
        r"(?:(?<=<end_of_utterance>)|(?<=<end_of_utterance>\n)|(?<=<end_of_utterance>\r\n)"
        r"|(?<=<\|im_start\|>)|(?<=<\|begin_of_text\|>))"
        r"(?P<role>System|User|Assistant|Tool):(?:[ ]|(?=<image>)|\Z)"
    ),
    end=r"<end_of_utterance>",
    bos=rf"{BOS}|<\|im_start\|>",
    begins=rf"(?:{BOS}|<\|im_start\|>)(?s:(?:(?!<end_of_utterance>).)*)<end_of_utterance>",
)

FORMAT = TextFormat(
    name="idefics",
    summary="Idefics3 and SmolVLM template text: User: ...<end_of_utterance>",
    examples=(
        Example(
            "idefics.txt",
            "<|im_start|>User: Why is the sky blue?<end_of_utterance>\n"
            "Assistant: Great question! Air scatters blue light more than red.<end_of_utterance>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
