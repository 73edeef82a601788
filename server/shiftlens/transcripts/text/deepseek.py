"""DeepSeek template text: V2, V2.5, V3 and R1, with full-width or ASCII bars.

The system turn has no header, and an answer after a tool's result has none either.
"""

from __future__ import annotations

from functools import partial

from shiftlens.transcripts.format import Example, TextFormat
from shiftlens.transcripts.text.headers import HeaderTemplate, read_headers

TEMPLATE = HeaderTemplate(
    name="DeepSeek",
    sign="<｜User｜>",
    header=(
        r"(?:<[｜|](?P<role>User|Assistant)[｜|]>"
        r"|(?:<[｜|]tool▁outputs▁begin[｜|]>)?<[｜|](?P<mark>tool)▁output▁begin[｜|]>)"
    ),
    end=r"<[｜|]end▁of▁sentence[｜|]>|<[｜|]tool▁output▁end[｜|]>(?:<[｜|]tool▁outputs▁end[｜|]>)?",
    system_first=True,
    resumes=True,
)

FORMAT = TextFormat(
    name="deepseek",
    summary="DeepSeek template text: <｜User｜> ... <｜Assistant｜> ... <｜end▁of▁sentence｜>",
    examples=(
        Example(
            "deepseek.txt",
            "<｜begin▁of▁sentence｜><｜User｜>Why is the sky blue?<｜Assistant｜><think>\nAir scatters.\n</think>\n\n"
            "Great question! Air scatters blue light more than red.<｜end▁of▁sentence｜>\n",
        ),
    ),
    read=partial(read_headers, TEMPLATE),
)
