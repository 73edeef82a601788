"""Which format a text is in: the one that was named, else the first whose reader knows it."""

from __future__ import annotations

import re
from collections.abc import Callable

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.conversation import Reading
from shiftlens.transcripts.format import TextFormat
from shiftlens.transcripts.json.files import read_json
from shiftlens.transcripts.registry import json_formats, names, text_formats
from shiftlens.transcripts.roles import Speakers
from shiftlens.transcripts.template_marks import MODEL_TEMPLATE, ModelTemplate
from shiftlens.transcripts.text.model_template import read_by_template

# `user:` on the first line of such files is a key or code. (A `.log` may be a chat.)
_NO_PROSE = re.compile(
    r"\.(?:bat|c|cc|cfg|conf|cpp|cs|css|csv|go|h|hpp|html?|ini|java|jsx?|json|jsonl|kt|lock|lua|ndjson|php|pl"
    r"|properties|ps1|pyi?|r|rb|rs|scala|sh|sql|svg|swift|toml|tsx?|tsv|xml|ya?ml|zig)\Z",
    re.IGNORECASE,
)
_USUAL = Speakers()

OfModel = Callable[[], "ModelTemplate | None"]
"""Finds the chat template of the file's aligned model, which may take a moment; None where no model is named."""


def _no_model() -> ModelTemplate | None:
    return None


def read_forced(
    text: str,
    start: int,
    name: str,
    filename: str | None,
    speakers: Speakers = _USUAL,
    template: OfModel = _no_model,
) -> tuple[str, Reading]:
    """Read text[start:] in the format `name`; raises TranscriptError where there is no such one or it can't be."""
    wanted = [f for f in json_formats() if f.name == name]
    if wanted:
        found = read_json(text, start, wanted, True, filename)
        reading = found[1] if found else None
    else:
        named = next((f for f in text_formats() if f.name == name), None)
        if named is None:
            raise TranscriptError(f"There is no transcript format {name!r}.", f"Choose one of {names()}.")
        own = template() if name == MODEL_TEMPLATE else None
        reading = _read(named, text, start, True, speakers) if own is None else read_by_template(own, text, start, True)
    if reading is None:
        raise TranscriptError(f"The file can't be read as {name!r}.", "Choose another format.")
    return name, reading


def read_detected(
    text: str, start: int, filename: str | None, speakers: Speakers = _USUAL, template: OfModel = _no_model
) -> tuple[str, Reading] | None:
    """Read text[start:] in the first format that fits; the format's name with what was read.

    The template of the aligned model is asked for last, where no format fits.
    """
    found = read_json(text, start, json_formats(), False, filename)
    if found:
        return found[0].name, found[1]
    prose = not (filename and _NO_PROSE.search(filename))
    for candidate in text_formats():
        reading = _read(candidate, text, start, False, speakers) if prose or not candidate.prose else None
        if reading:
            return candidate.name, reading
    own = template()
    reading = None if own is None else read_by_template(own, text, start, False)
    return None if reading is None else (MODEL_TEMPLATE, reading)


def _read(candidate: TextFormat, text: str, start: int, forced: bool, speakers: Speakers) -> Reading | None:
    if candidate.read_named and speakers != _USUAL:
        return candidate.read_named(text, start, forced, speakers)
    return candidate.read(text, start, forced)
