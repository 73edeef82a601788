"""The date that chat templates are given."""

from __future__ import annotations

import datetime
import json
import re

TEMPLATE_DATE = datetime.datetime(2024, 7, 26)
"""What a template is told that the time is. With the real date the numbers would change overnight. Llama 3's templates
fall back to this day."""

_CALL = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")


def with_fixed_date(template: str) -> str:
    """A template's text with the fixed date in place of each call for today's.

    Transformers takes no function of the caller's into a template, so that the text is where it can be changed.
    """
    return _CALL.sub(lambda call: json.dumps(TEMPLATE_DATE.strftime(call[2])), template)


def reads_the_clock(template: str) -> bool:
    """Whether a template still asks for the time."""
    return "strftime_now(" in template
