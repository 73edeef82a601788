"""Evaluation logs that are archives: the samples of an Inspect `.eval` file, each as a transcript with its own text.

A `.eval` file is a ZIP whose members may be compressed with Zstandard (in several frames), deflated or stored. A
sample is one member, or a folder of members that hold its messages and attachments in chunks.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.files import MAX_ARCHIVE_BYTES
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read
from shiftlens.transcripts.zip_members import MemberReader, TooLargeError, UnreadableError

MAX_MEMBERS = 100_000
MAX_SAMPLE_BYTES = 50_000_000
MAX_TOTAL_BYTES = 400_000_000

FORMAT_NAME = "inspect"

_SAMPLE = re.compile(r"samples/(?P<sample>.+_epoch_\d+)(?:\.json|/(?P<part>.+)\.json)", re.DOTALL)
_ATTACHED = re.compile(r"attachment://([0-9a-f]{1,64})(?![0-9a-f])")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# They tell again what the messages say, and how it went. Of the events, the tools that the model was offered are kept.
_TOLD_AGAIN = ("events_data", "timelines", "store", "error_retries")


@dataclass(frozen=True, slots=True)
class Member:
    """A sample of an archive: its name there, its text (JSON), and what of it could not be read.

    The text of a sample that could not be read at all is empty.
    """

    name: str
    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ArchivedTranscript:
    """A sample as a transcript, whose offsets count code points of `text`.

    The text of a sample that could not be read is empty; a problem of its transcript says why.
    """

    member_name: str
    text: str
    transcript: Transcript


def read_archive(raw: bytes, filename: str) -> tuple[ArchivedTranscript, ...]:
    """Each sample of an archive as a transcript, in the archive's order.

    Raises TranscriptError for bytes that are no archive of samples, and for an archive that is too large.
    """
    return tuple(read_member(member) for member in open_archive(raw, filename))


def read_member(member: Member) -> ArchivedTranscript:
    """One sample as a transcript; that of a sample that can't be read has no responses and a problem."""
    if not member.text:
        return ArchivedTranscript(member.name, "", _unread(1, member.problem))
    try:
        transcript = read(member.text, filename=member.name, format=FORMAT_NAME)
    except TranscriptError as error:
        transcript = _unread(error.line or 1, error.problem)
    found = transcript or _unread(1, "The sample is empty.")
    if member.problem:
        found = replace(found, problems=((1, member.problem), *found.problems))
    return ArchivedTranscript(member.name, member.text, found)


def _unread(line: int, problem: str) -> Transcript:
    return Transcript(FORMAT_NAME, "a sample of an Inspect archive", (), problems=((line, problem),))


def open_archive(raw: bytes, name: str) -> tuple[Member, ...]:
    """The samples of an archive, in the archive's order, each as indented JSON in the shape of one sample of a log.

    What only tells again what the messages say is left out of the text. A sample that can't be read, or whose members
    have more than `MAX_SAMPLE_BYTES` bytes, is a member with a problem; once `MAX_TOTAL_BYTES` are read, all later
    ones are. Raises TranscriptError for bytes that are no archive of samples, and for an archive that is too large.
    """
    return tuple(members(raw, name))


def members(raw: bytes, name: str) -> Iterator[Member]:
    """The same one by one, each read when it is asked for. Raises TranscriptError at once."""
    if len(raw) > MAX_ARCHIVE_BYTES:
        raise TranscriptError(
            f"{name} has {len(raw):,} bytes, more than the limit of {MAX_ARCHIVE_BYTES:,}.", "Split it."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = {info.filename: info for info in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError) as error:
        raise TranscriptError(
            f"{name} is no whole ZIP archive ({error}).", "Copy it again, or run `inspect log recover` on it."
        ) from None
    if len(infos) > MAX_MEMBERS:
        raise TranscriptError(f"{name} has {len(infos):,} members; the limit is {MAX_MEMBERS:,}.", "Split it.")
    samples = _samples(infos)
    if not samples:
        raise TranscriptError(
            f"{name} holds no samples (`samples/NAME_epoch_NUMBER.json`).",
            "Choose a log that Inspect wrote, with samples in it.",
        )
    return _members(raw, samples)


Parts = Mapping[str, zipfile.ZipInfo]
"""The members of one sample by what they are: "" is the sample itself, "messages/0" a chunk of its messages."""


def _samples(infos: Mapping[str, zipfile.ZipInfo]) -> dict[str, dict[str, zipfile.ZipInfo]]:
    """The members of each sample by its name."""
    found: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for filename, info in infos.items():
        match = _SAMPLE.fullmatch(filename)
        if match:
            found.setdefault(match["sample"], {})[match["part"] or ""] = info
    return found


def _members(raw: bytes, samples: Mapping[str, Parts]) -> Iterator[Member]:
    left = MAX_TOTAL_BYTES
    for name, parts in samples.items():
        if left < MAX_SAMPLE_BYTES:
            reader = MemberReader(raw, left, "the archive has", MAX_TOTAL_BYTES)
        else:
            reader = MemberReader(raw, MAX_SAMPLE_BYTES, "it has", MAX_SAMPLE_BYTES)
        filename = f"samples/{name}.json"
        try:
            value, left_out = (reader.json(parts[""]), "") if "" in parts else _assembled(reader, parts)
            yield Member(filename, _text(_without_what_is_told_again(value)), left_out)
        except UnreadableError as error:
            yield Member(filename, "", f"The sample was left out: {error}.")
        left -= reader.used


def _assembled(reader: MemberReader, parts: Parts) -> tuple[object, str]:
    """A sample that is kept in chunks, in the shape of one that is not; and what was left out of it, or ""."""
    if "sample" not in parts:
        raise UnreadableError("its `sample.json` is missing")
    sample = reader.json(parts["sample"])
    if not isinstance(sample, dict):
        raise UnreadableError("its `sample.json` holds no object")
    pool = _sequence(reader, parts, "messages")
    refs = sample.pop("message_refs", [])
    sample["messages"] = _named(pool, refs)
    sample["attachments"] = _attachments(reader, parts, sample)
    try:
        sample["events"] = _sequence(reader, parts, "events")
    except TooLargeError:
        return sample, "The sample's events are too large, so the tools that the model was offered were not read."
    return sample, ""


def _attachments(reader: MemberReader, parts: Parts, sample: object) -> dict[str, object]:
    """The attachments of a sample by their index; chunks that it does not name are not read."""
    named = {int(key) for key in _attached(sample) if key.isdigit() and len(key) < 16}
    starts = [*_starts(parts, "attachments"), max(named, default=0) + 1]
    found: dict[str, object] = {}
    for start, end in pairwise(starts):
        if any(start <= at < end for at in named):
            chunk = reader.json(parts[f"attachments/{start}"])
            if not isinstance(chunk, list):
                raise UnreadableError("a chunk of its attachments is no list")
            found |= {str(at): text for at, text in enumerate(chunk, start) if at in named}
    return found


def _attached(sample: object) -> set[str]:
    """The attachments that a sample names in what is read of it."""
    read_ = {key: sample.get(key) for key in ("input", "messages", "output")} if isinstance(sample, dict) else None
    return set(_ATTACHED.findall(json.dumps(read_)))


def _sequence(reader: MemberReader, parts: Parts, name: str) -> list[object]:
    """The items of a sequence; each chunk is named by the index of its first item."""
    items: list[object] = []
    for start in _starts(parts, name):
        chunk = reader.json(parts[f"{name}/{start}"])
        if not isinstance(chunk, list) or start != len(items):
            raise UnreadableError(f"a chunk of its {name} is missing before or at {start}")
        items += chunk
    return items


def _starts(parts: Parts, name: str) -> list[int]:
    return sorted(int(part[len(name) + 1 :]) for part in parts if re.fullmatch(rf"{name}/[0-9]{{1,15}}", part))


def _named(pool: list[object], refs: object) -> list[object]:
    """The messages of a conversation, which names them by [start, end) ranges of the sample's messages."""
    sizes = [0, *accumulate(len(json.dumps(message)) for message in pool)]
    named: list[object] = []
    size = 0
    for ref in refs if isinstance(refs, list) else [refs]:
        if not (isinstance(ref, list) and len(ref) == 2 and all(isinstance(at, int) for at in ref)):
            raise UnreadableError("its `message_refs` are no list of ranges")
        start, end = ref
        if not 0 <= start <= end <= len(pool):
            raise UnreadableError(f"it names messages {start} to {end} of {len(pool)}")
        size += sizes[end] - sizes[start]
        if size > MAX_SAMPLE_BYTES:
            raise UnreadableError(f"its messages have more than {MAX_SAMPLE_BYTES:,} characters")
        named += pool[start:end]
    return named


def _without_what_is_told_again(sample: object) -> object:
    if not isinstance(sample, dict):
        return sample
    kept = {key: value for key, value in sample.items() if key not in _TOLD_AGAIN}
    attachments = sample.get("attachments")
    if isinstance(attachments, dict):
        named = _attached(sample)
        kept["attachments"] = {key: text for key, text in attachments.items() if key in named}
    events = sample.get("events")
    if isinstance(events, list):
        models = [e for e in events if isinstance(e, dict) and e.get("event") == "model" and e.get("tools")]
        kept["events"] = [{"event": "model", "tools": event["tools"]} for event in models]
    return kept


def _text(value: object) -> str:
    """Indented JSON, for people; half a surrogate pair stays the escape that it was."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
