"""Chat templates that no registered format reads, each with a habit of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from shiftlens.chat_templates.files import TemplateFiles

_PROMPT = "{% if add_generation_prompt %}"

GUILLEMETS = (
    "{% for m in messages %}«{{ m.role }}» {{ m.content }}{{ '«over»' if m.role == 'assistant' else '' }}\n"
    "{% endfor %}" + _PROMPT + "«assistant» {% endif %}"
)
"""Every role under a mark of its own; only answers end with one."""

ROUNDS = (
    "{% for m in messages %}{% if m.role == 'user' %}[Round {{ loop.index0 // 2 + 1 }}]\n\n问：{{ m.content }}\n\n"
    "{% elif m.role == 'assistant' %}答：{{ m.content }}\n\n{% else %}{{ raise_exception('no such role') }}{% endif %}"
    "{% endfor %}" + _PROMPT + "答：{% endif %}"
)
"""Numbers its rounds, and has no end of an answer (ChatGLM2)."""

FOLDED = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[Q] {% if loop.index0 == 1 %}[[S]]"
    "{{ messages[0].content }}[[/S]]\n{% endif %}{{ m.content | trim }} [/Q]{% elif m.role == 'assistant' %}"
    " {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
"""The system prompt within the first question, between marks; white space around the marks (Llama 2)."""

MERGED = (
    "{% set first = messages[0].content + '\n\n' if messages[0].role == 'system' else '' %}"
    "{% for m in messages %}{% if m.role == 'user' %}{U}{{ first if loop.index0 < 2 else '' }}{{ m.content }}{/U}"
    "{% elif m.role == 'assistant' %}{A}{{ m.content }}{/A}{% endif %}{% endfor %}" + _PROMPT + "{A}{% endif %}"
)
"""The system prompt within the first question, without marks (Gemma)."""

DATED = (
    "{{ bos_token }}%% Today is {{ strftime_now('%d %B %Y') }}. %%\n{% if messages[0].role != 'system' %}<#system#>"
    "Be helpful.<#end#>{% endif %}{% for m in messages %}<#{{ m.role }}#>{{ m.content }}<#end#>{% endfor %}"
    + _PROMPT
    + "<#assistant#>{% endif %}"
)
"""The day, and a system prompt of its own where there is none."""

THOUGHTFUL = (
    "{% for m in messages %}<~{{ m.role }}~>\n{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n"
    "{% endif %}{{ m.content }}<~stop~>\n{% endfor %}" + _PROMPT + "<~assistant~>\n<think>\n{% endif %}"
)
"""An empty thought before the last answer, and an open one in the generation prompt (Qwen3)."""

INSTRUCTIONS = (
    "Below is an instruction. Write a response.\n\n{% for m in messages %}{% if m.role == 'user' %}### Instruction:\n"
    "{{ m.content }}\n\n{% elif m.role == 'assistant' %}### Response:\n{% generation %}{{ m.content }}{{ eos_token }}"
    "{% endgeneration %}\n\n{% endif %}{% endfor %}" + _PROMPT + "### Response:\n{% endif %}"
)
"""A preamble, headings, and the tag around the words of the assistant (Alpaca)."""

PARTS = (
    "{% for m in messages %}⟦{{ m.role }}⟧{% for part in m.content %}{{ part['text'] }}{% endfor %}⟦/⟧{% endfor %}"
    + _PROMPT
    + "⟦assistant⟧{% endif %}"
)
"""Wants content as a list of parts (Idefics)."""

OPEN_ENDED = (
    "{% for m in messages %}<~{{ m.role }}~>\n{{ m.content }}{% if loop.last and m.role == 'assistant' %}<~user~>"
    "{% endif %}{% endfor %}" + _PROMPT + "<~assistant~>\n{% endif %}"
)
"""The end of an answer is the header of the next question (GLM)."""

TEMPLATES = {
    "guillemets": GUILLEMETS,
    "rounds": ROUNDS,
    "folded": FOLDED,
    "merged": MERGED,
    "dated": DATED,
    "thoughtful": THOUGHTFUL,
    "instructions": INSTRUCTIONS,
    "parts": PARTS,
    "open-ended": OPEN_ENDED,
}

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}" + "{% endfor %}" * 3
BARE = "{% for m in messages %}{{ m.content }}\n\n{% endfor %}"
SHOUTING = "{% for m in messages %}<{{ m.role }}>{{ m.content | upper }}</>{% endfor %}"
AS_JSON = "{% for m in messages %}<{{ m.role }}>{{ m.content | tojson }}</>{% endfor %}"
BROKEN = "{% for m in messages %}{{ m.content }"


def with_template(model: str | Path, folder: Path, text: str) -> str:
    """A copy of a model that has another chat template; its name."""
    shutil.copytree(model, folder)
    (folder / "chat_template.jinja").write_text(text, encoding="utf-8")
    return str(folder)


def files(text: str) -> TemplateFiles:
    return TemplateFiles(text, (("bos_token", "<s>"), ("eos_token", "</s>")))
