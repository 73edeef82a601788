"""The room's entry: find out which format a file is in, and read it."""

from __future__ import annotations

import re
from collections.abc import Callable

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.aligntds_text import read_aligntds_text
from shiftlens.transcripts.chat_templates import read_chatml, read_gemma, read_llama3
from shiftlens.transcripts.conversation import Reading, responses
from shiftlens.transcripts.front_matter import read_front_matter
from shiftlens.transcripts.json_files import read_json
from shiftlens.transcripts.json_shapes import SHAPES
from shiftlens.transcripts.labels import read_labels
from shiftlens.transcripts.llama2 import read_llama2
from shiftlens.transcripts.markdown import read_markdown
from shiftlens.transcripts.model import Transcript

FORMATS: tuple[tuple[str, str], ...] = (
    ("chatml", "ChatML template text: <|im_start|>role ... <|im_end|>"),
    ("llama3", "Llama-3 template text: <|start_header_id|>role<|end_header_id|> ... <|eot_id|>"),
    ("gemma", "Gemma template text: <start_of_turn>role ... <end_of_turn>"),
    ("llama2", "Llama-2 and Mistral template text: [INST] query [/INST] response</s>"),
    ("aligntds-text", "AlignTDS and URIAL text: # Query: and # Answer: over ``` fences"),
    ("labels", "User: and Assistant: (also Human/AI, Q/A, Prompt/Response) at the start of lines"),
    ("markdown", "Markdown with role headings: ## User and ## Assistant"),
    ("openai", 'OpenAI chat JSON or JSONL: {"messages": [{"role", "content"}]}'),
    ("aligntds-json", 'AlignTDS JSON or JSONL: {"pure_input", "input", "output"}'),
    ("sharegpt", 'ShareGPT JSON or JSONL: {"conversations": [{"from", "value"}]}'),
    ("alpaca", 'Alpaca JSON or JSONL: {"instruction", "input", "output"}'),
    ("just-eval", 'just-eval and AlpacaEval JSON or JSONL: {"instruction", "output", "generator"}'),
)
"""Name and one-line description of every format."""

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


def read(text: str, *, filename: str | None = None, format: str | None = None) -> Transcript | None:  # noqa: A002
    """Read the text of a file as a transcript; None where it is not one.

    `filename` helps with detection only (its suffix). `format` is a name in FORMATS and goes before `format` in the
    front matter, which goes before detection. All offsets count code points of `text`, front matter included.
    Raises TranscriptError where the format is named, by argument or front matter, and the text is not in it; where
    the name is unknown; and where JSON of a known shape is broken.
    """
    if not text.strip():
        return None
    start = 1 if text.startswith("\ufeff") else 0
    front = read_front_matter(text, start)
    named = front.values.get("format")
    chosen = format or (named if named not in (None, "auto") else None)
    if chosen == "auto":
        chosen = None
    if chosen is not None:
        read_as, reading = _forced(text, front.end, str(chosen), filename)
        by = "the format setting" if format else "the front matter"
        evidence = f"{by}; {reading.detected_by}"
    else:
        detected = _detected(text, front.end, filename)
        if detected is None:
            if front.ours:
                raise TranscriptError(
                    "The front matter has a `shiftlens` mapping, but no transcript format was recognised below it.",
                    f"Add `format:` to it, one of {_names()}.",
                )
            return None
        read_as, reading = detected
        evidence = reading.detected_by
    return Transcript(read_as, evidence, responses(reading.conversations), front.values, reading.problems)


def _forced(text: str, start: int, name: str, filename: str | None) -> tuple[str, Reading]:
    if name in _JSON_FORMATS:
        found = read_json(text, start, name, filename)
    elif name in _TEXT_FORMATS:
        reading = _TEXT_FORMATS[name](text, start, True)
        found = (name, reading) if reading else None
    else:
        raise TranscriptError(f"There is no transcript format {name!r}.", f"Choose one of {_names()}.")
    if found is None:
        raise TranscriptError(f"The file can't be read as {name!r}.", "Choose another format.")
    return found


def _detected(text: str, start: int, filename: str | None) -> tuple[str, Reading] | None:
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


def _names() -> str:
    return ", ".join(name for name, _ in FORMATS)
