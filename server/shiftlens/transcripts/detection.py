"""Which format a text is in: the one that was named, else the first whose reader knows it."""

from __future__ import annotations

import re
from collections.abc import Callable

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.aligntds_text import read_aligntds_text
from shiftlens.transcripts.chat_templates import read_chatml, read_gemma, read_llama3
from shiftlens.transcripts.conversation import Reading
from shiftlens.transcripts.json_files import read_json
from shiftlens.transcripts.json_shapes import SHAPES
from shiftlens.transcripts.labels import read_labels
from shiftlens.transcripts.llama2 import read_llama2
from shiftlens.transcripts.markdown import read_markdown

_TEXT_FORMATS: dict[str, Callable[[str, int, bool], Reading | None]] = {
    "chatml": read_chatml,
    "llama3": read_llama3,
    "gemma": read_gemma,
    "llama2": read_llama2,
    "aligntds-text": read_aligntds_text,
    "labels": read_labels,
    "markdown": read_markdown,
}
_JSON_FORMATS = frozenset(shape.format for shape in SHAPES)
_PROSE_FORMATS = frozenset({"labels", "markdown"})

# `user:` on the first line of such files is a key or code.
_NO_PROSE = re.compile(
    r"\.(?:bat|c|cc|cfg|conf|cpp|cs|css|csv|go|h|hpp|html?|ini|java|jsx?|json|jsonl|kt|lock|log|lua|ndjson|php|pl"
    r"|properties|ps1|pyi?|r|rb|rs|scala|sh|sql|svg|swift|toml|tsx?|tsv|xml|ya?ml|zig)\Z",
    re.IGNORECASE,
)


def read_forced(text: str, start: int, name: str, filename: str | None, names: str) -> tuple[str, Reading]:
    """Read text[start:] in the format `name`; raises TranscriptError where that is none of `names` or can't be."""
    if name in _JSON_FORMATS:
        found = read_json(text, start, name, filename)
    elif name in _TEXT_FORMATS:
        reading = _TEXT_FORMATS[name](text, start, True)
        found = (name, reading) if reading else None
    else:
        raise TranscriptError(f"There is no transcript format {name!r}.", f"Choose one of {names}.")
    if found is None:
        raise TranscriptError(f"The file can't be read as {name!r}.", "Choose another format.")
    return found


def read_detected(text: str, start: int, filename: str | None) -> tuple[str, Reading] | None:
    """Read text[start:] in the first format that fits; the format's name with what was read."""
    found = read_json(text, start, None, filename)
    if found:
        return found
    prose = not (filename and _NO_PROSE.search(filename))
    for name, reader in _TEXT_FORMATS.items():
        if name not in _PROSE_FORMATS or prose:
            reading = reader(text, start, False)
            if reading:
                return name, reading
    return None
