"""Chat templates that ask for the time, which are told one date."""

from __future__ import annotations

import json
import re

from shiftlens.scores.template_date import TEMPLATE_DATE

_CALL = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")


def with_fixed_date(template: str) -> str:
    """A template's text with the fixed date in place of each call for today's.

    Transformers takes no function of the caller's into a template, so that the text is where it can be changed.
    """
    return _CALL.sub(lambda call: json.dumps(TEMPLATE_DATE.strftime(call[2])), template)


def reads_the_clock(template: str) -> bool:
    """Whether a template still asks for the time."""
    return "strftime_now(" in template
