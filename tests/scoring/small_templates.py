"""Small chat templates, each with one habit of the real ones."""

from __future__ import annotations

EMPTY_THOUGHT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n{{ (m.reasoning_content or '').strip('\n') }}\n</think>\n\n"
    "{{ m.content.lstrip('\n') }}{% else %}{{ m.content.split('</think>')[-1] }}{% endif %}"
    "{% for call in m.tool_calls or [] %}{{ '\n' }}<tool_call>\n{{ call.function.name }} "
    "{{ call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}\n"
    "</tool_call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Writes an empty thought before an answer without one, and drops those of earlier turns (Qwen3)."""

OPENED_THOUGHT = (
    "{% for m in messages %}{% if m.role == 'assistant' %}[A]{{ m.content.split('</think>')[-1] }}<|im_end|>"
    "{% else %}[U]{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}[A]<think>\n{% endif %}"
)
"""Opens a thought in its generation prompt, reads no field for it and strips it from answers (DeepSeek-R1)."""

CHANNELS = (
    "Today is {{ strftime_now('%Y-%m-%d') }}.{% for m in messages %}<|im_start|>{{ m.role }}"
    "{% if m.role == 'assistant' %}{% if m.thinking and loop.last %}/thought:{{ m.thinking }}<|endoftext|><|im_start|>"
    "assistant{% endif %}/answer:{{ m.content }}{{ '<|im_end|>' if loop.last else '<|endoftext|>' }}"
    "{% else %}:{{ m.content }}<|endoftext|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)
"""A channel before each part, a last answer that ends otherwise than earlier ones, and the date (gpt-oss)."""

NO_TOOLS = (
    "{% for m in messages %}{% if m.role in ['user', 'assistant', 'system'] %}<|im_start|>{{ m.role }}\n"
    "{{ m.content | trim }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Knows no tools, nor what they say (Phi-3)."""

LISTS = (
    "{% for m in messages %}{{ m.role }}: {% for part in m.content %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
"""Wants content as a list of parts (Idefics)."""

_OTHERS = (
    "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

MARKED = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}<|im_start|>assistant\n"
    "{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{{ '\n' }}" + _OTHERS
)
"""Marks an answer with its end for training."""

MARKED_WITHOUT_END = MARKED.replace("<|im_end|>{% endgeneration %}", "{% endgeneration %}<|im_end|>")
"""Marks an answer without its end."""

MARKED_THOUGHT = (
    "{% for m in messages %}{% if m.role == 'assistant' %}<|im_start|>assistant\n{% if m.reasoning_content %}"
    "{% generation %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endgeneration %}{% endif %}"
    "{{ m.content | trim }}{% generation %}<|im_end|>{% endgeneration %}{{ '\n' }}" + _OTHERS
)
"""Marks a thought and the end, and not the answer between, of which it trims white space."""

MARKED_ANSWER_ALONE = MARKED.replace("{{ m.content }}<", "{{ m.content.split('</think>')[-1] }}<")
"""Reads no thought, and drops one that stands in the text."""
