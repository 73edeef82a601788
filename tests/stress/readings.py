"""What holds of every reading of any text: it is a transcript whose characters all stand in the file, or a refusal."""

from __future__ import annotations

import html
import json
import random

from shiftlens.errors import TranscriptError
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts import Transcript, read
from stress.mutate import Seed


class Wrong(AssertionError):
    """Something that was promised does not hold."""


def check_reading(seed: Seed, rng: random.Random) -> bool:
    """Read a file and look at all of it; whether it was a transcript. Raises Wrong, and what a reader should not."""
    try:
        found = read(seed.text, filename=seed.filename)
    except TranscriptError as error:
        check_refusal(seed.text, error)
        return False
    if found is None:
        return False
    check_transcript(seed.text, found)
    if rng.random() < 0.05:
        _check_that_naming_the_format_reads_the_same(seed, found)
    return True


def check_refusal(text: str, error: TranscriptError) -> None:
    """A refusal says what is wrong, and on a line that there is."""
    if not error.problem:
        raise Wrong("a refusal without words")
    if error.line is not None and not 1 <= error.line <= lines_of(text):
        raise Wrong(f"a refusal names line {error.line} of {lines_of(text)}")


def check_transcript(text: str, found: Transcript) -> None:
    """Every part leads back to where it stands; every response is a turn of its conversation; every line is one."""
    last = lines_of(text)
    for line, message in found.problems:
        if not message or not 1 <= line <= last:
            raise Wrong(f"a problem names line {line} of {last}: {message}")
    for turns in found.conversations:
        for turn in turns:
            for part in turn.parts:
                check_source(text, part.text, part.source)
    for number, response in enumerate(found.responses):
        turns = found.conversations[response.conversation]
        if response.index != number or turns[response.turn_index] is not response.turn:
            raise Wrong(f"response {number} is not the turn that it names")
        if tuple(response.context) != turns[: response.turn_index]:
            raise Wrong(f"response {number} has other turns before it than its conversation")
        joined, source = response.passage(range(len(response.turn.parts)))
        check_source(text, joined, source, ascends=False)


def check_source(text: str, decoded: str, source: SourceMap, *, ascends: bool = True) -> None:
    """A decoded text partitions into segments, each of which stands in the file as it says."""
    at = 0
    past = source.source_start
    if not 0 <= past <= len(text):
        raise Wrong(f"a part begins at {past} of {len(text)}")
    for segment in source.segments:
        start, end = segment.source_start, segment.source_start + segment.source_length
        if segment.decoded_start != at or segment.decoded_length < 1:
            raise Wrong(f"a segment begins at {segment.decoded_start}, not at {at}")
        if not 0 <= start <= end <= len(text) or (ascends and start < past):
            raise Wrong(f"a segment stands at {start}..{end} of {len(text)}, after {past}")
        at += segment.decoded_length
        said, written = decoded[segment.decoded_start : at], text[start:end]
        if said != written and (segment.decoded_length != 1 or not _spells(written, said)):
            raise Wrong(f"{said!r} is spelled {written!r}")
        if segment.decoded_length not in (1, segment.source_length):
            raise Wrong(f"{segment.decoded_length} characters stand in {segment.source_length}")
        past = end
    if at != len(decoded):
        raise Wrong(f"{len(decoded)} characters have places for {at}")


def _spells(written: str, character: str) -> bool:
    """Whether an escape of some format, maybe inside another one, is how a character is spelled."""
    if character in "\n " and not written:
        return True  # A reader sets it between two texts.
    if character == "\n" and not any(map(str.isalnum, written)):
        return True  # A newline with its indentation, or what stands between two texts of a list.
    if character == " " and written.strip(" \t\r\n") == "":
        return True  # A folded line of YAML, or blanks on a page.
    if html.unescape(written) in (character, *(("\n",) if character == "\n" else ())):
        return True
    if written == "''":
        return character == "'"
    spelled = written
    for _ in range(6):
        try:
            spelled = json.loads(f'"{spelled}"')
        except ValueError:
            return written.startswith("\\") and _yaml(written) == character
        if spelled == character or (spelled == "\r\n" and character == "\n"):
            return True
        if character == "\ufffd" and 0xD800 <= ord(spelled[:1] or "a") < 0xE000:
            return True  # A lone surrogate, which no tokenizer takes.
    return False


def _yaml(written: str) -> str:
    import yaml

    try:
        return str(yaml.safe_load(f'"{written}"'))
    except yaml.YAMLError:
        return ""


def _check_that_naming_the_format_reads_the_same(seed: Seed, found: Transcript) -> None:
    """Where the format that was detected is named, the same turns are read."""
    again = read(seed.text, filename=seed.filename, format=found.format)
    if again is None or again.conversations != found.conversations:
        raise Wrong(f"named as {found.format}, the file reads otherwise")


def lines_of(text: str) -> int:
    """Lines as editors count them."""
    return text.count("\n") + text.count("\r") - text.count("\r\n") + 1
