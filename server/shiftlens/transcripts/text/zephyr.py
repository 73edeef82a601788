"""Template text with `<|user|>` and `<|assistant|>` at the start of lines: Zephyr, Tulu, OLMo, StableLM."""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import BOS, HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="Zephyr",
    sign="<|user|>",
    header=(
        r"(?:(?<![^\n\ufeff])|(?<=</s>)|(?<=<s>)|(?<=<\|endoftext\|>))"
        r"<\|(?P<role>system|user|assistant|tool|observation|function)\|>[ \t]*(?:\r?\n|\Z)"
    ),
    end=r"</s>|<\|endoftext\|>|<\|end_of_text\|>",
    bos=rf"{BOS}|<\|endoftext\|>",
    newline_before=True,
)

FORMAT = TextFormat(
    name="zephyr",
    summary="Zephyr, Tulu and OLMo template text: <|user|> and <|assistant|> on lines of their own",
    examples=(
        Example(
            "zephyr.txt",
            "<|user|>\nWhy is the sky blue?</s>\n<|assistant|>\n"
            "Great question! Air scatters blue light more than red.</s>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
