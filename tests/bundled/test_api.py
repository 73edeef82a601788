"""`shiftlens.analyze`, as a notebook would call it."""

from __future__ import annotations

from typing import Any

import pytest

import shiftlens
from shiftlens.analysis.tokens import tokens
from shiftlens.bundled.paths import transcripts
from shiftlens.errors import TranscriptError

PAIR: dict[str, Any] = {"base": "bundled:base", "aligned": "bundled:aligned"}


@pytest.mark.slow
@pytest.mark.usefixtures("lasting_engines")
async def test_a_file_is_analysed_from_within_a_running_loop() -> None:
    path = next(path for path in transcripts() if path.name == "labels.txt")
    analysis = shiftlens.analyze(path, **PAIR)
    assert len(analysis.responses) == 3
    assert "".join(token.text for token in tokens(analysis.responses[0])) == analysis.responses[0].response.text
    assert analysis.summary.unshifted > analysis.summary.shifted > 0


def test_text_that_is_no_transcript_is_an_error_that_says_so() -> None:
    with pytest.raises(TranscriptError, match="transcript_format"):
        shiftlens.analyze("Dear diary", **PAIR)
