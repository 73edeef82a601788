"""The date that chat templates are given, by which scores are kept."""

from __future__ import annotations

import datetime

TEMPLATE_DATE = datetime.datetime(2024, 7, 26)
"""What a template is told that the time is. With the real date the numbers would change overnight. Llama 3's templates
fall back to this day."""
