"""Evaluation logs that are archives: the samples of an Inspect `.eval` file, each as a transcript with its own text.

A `.eval` file is a ZIP whose members may be compressed with Zstandard (in several frames), deflated or stored. A
sample is one member, or a folder of members that hold its messages and attachments in chunks.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, ZstdFile
else:
    from backports.zstd import ZstdError, ZstdFile

MAX_ARCHIVE_BYTES = 200_000_000
MAX_MEMBERS = 100_000
MAX_SAMPLE_BYTES = 50_000_000
MAX_TOTAL_BYTES = 400_000_000

FORMAT_NAME = "inspect"

_STORED, _DEFLATED, _ZSTANDARD = 0, 8, 93
_LOCAL_HEADER = 30
_ENCRYPTED = 0x1
_SAMPLE = re.compile(r"samples/(?P<sample>.+_epoch_\d+)(?:\.json|/(?P<part>.+)\.json)", re.DOTALL)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# They tell again what the messages say, and how it went; of the events, the tools that the model was offered are kept.
_TOLD_AGAIN = ("events_data", "timelines", "store", "error_retries")


@dataclass(frozen=True, slots=True)
class Member:
    """A sample of an archive: its name there, and its text (JSON) or why it could not be read."""

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


def is_archive(raw: bytes) -> bool:
    """Whether the bytes begin as a ZIP archive does."""
    return raw.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read_archive(raw: bytes, filename: str) -> tuple[ArchivedTranscript, ...]:
    """Each sample of an archive as a transcript, in the archive's order.

    Raises TranscriptError for bytes that are no archive of samples, and for an archive that is too large.
    """
    return tuple(read_member(member) for member in open_archive(raw, filename))


def read_member(member: Member) -> ArchivedTranscript:
    """One sample as a transcript; that of a sample that can't be read has no responses and a problem."""
    if member.problem:
        return ArchivedTranscript(member.name, "", _unread(1, member.problem))
    try:
        transcript = read(member.text, filename=member.name, format=FORMAT_NAME)
    except TranscriptError as error:
        transcript = _unread(error.line or 1, error.problem)
    return ArchivedTranscript(member.name, member.text, transcript or _unread(1, "The sample is empty."))


def _unread(line: int, problem: str) -> Transcript:
    return Transcript(FORMAT_NAME, "a sample of an Inspect archive", (), problems=((line, problem),))


def open_archive(raw: bytes, name: str) -> tuple[Member, ...]:
    """The samples of an archive, in the archive's order, each as indented JSON in the shape of one sample of a log.

    What only tells again what the messages say is left out of the text. A sample that can't be read, or whose members
    have more than `MAX_SAMPLE_BYTES` bytes, is a member with a problem; once `MAX_TOTAL_BYTES` are read, all later
    ones are. Raises TranscriptError for bytes that are no archive of samples, and for an archive that is too large.
    """
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
    return tuple(_members(raw, samples))


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
        reader = _Reader(raw, min(left, MAX_SAMPLE_BYTES), left)
        filename = f"samples/{name}.json"
        try:
            value = reader.json(parts[""]) if "" in parts else _assembled(reader, parts)
            yield Member(filename, _text(_without_what_is_told_again(value)))
        except _UnreadableError as error:
            yield Member(filename, "", f"The sample was left out: {error}.")
        left -= reader.used


class _UnreadableError(ValueError):
    """A member that can't be read, and why."""


@dataclass
class _Reader:
    """Reads members, no more than `limit` bytes of them in all; `left` is what the whole archive may still have."""

    raw: bytes
    limit: int
    left: int
    used: int = 0

    def json(self, info: zipfile.ZipInfo) -> object:
        """The value of a member. Raises _UnreadableError."""
        content = self.content(info)
        try:
            value: object = json.loads(content.decode("utf-8"), parse_int=_number)
        except UnicodeDecodeError as error:
            raise _UnreadableError(f"{info.filename} is not UTF-8 at byte offset {error.start}") from None
        except (ValueError, RecursionError) as error:
            raise _UnreadableError(f"{info.filename} is not JSON ({error})") from None
        return value

    def content(self, info: zipfile.ZipInfo) -> bytes:
        """The bytes of a member, decompressed and checked against its checksum. Raises _UnreadableError."""
        room = self.limit - self.used
        try:
            content = _decompressed(info, _compressed(self.raw, info), room + 1)
        except (ZstdError, zlib.error, EOFError) as error:
            raise _UnreadableError(f"{info.filename} can't be decompressed ({error})") from None
        self.used += len(content)
        if len(content) > room:
            which = "the archive has" if self.limit == self.left else "it has"
            limit = MAX_TOTAL_BYTES if self.limit == self.left else MAX_SAMPLE_BYTES
            raise _UnreadableError(f"{which} more than {limit:,} bytes when decompressed")
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise _UnreadableError(f"{info.filename} is damaged: its checksum is another one")
        return content


def _compressed(raw: bytes, info: zipfile.ZipInfo) -> bytes:
    at = info.header_offset
    header = raw[at : at + _LOCAL_HEADER]
    if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
        raise _UnreadableError(f"{info.filename} does not begin where the archive says")
    if info.flag_bits & _ENCRYPTED:
        raise _UnreadableError(f"{info.filename} is encrypted")
    start = at + _LOCAL_HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return raw[start : start + info.compress_size]


def _decompressed(info: zipfile.ZipInfo, compressed: bytes, most: int) -> bytes:
    """At most `most` bytes of a member."""
    if info.compress_type == _STORED:
        return compressed[:most]
    if info.compress_type == _DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(compressed, most)
    if info.compress_type == _ZSTANDARD:
        # Inspect writes a large member in several frames, all of which this reads.
        with ZstdFile(io.BytesIO(compressed)) as frames:
            return frames.read(most)
    raise _UnreadableError(f"{info.filename} is compressed by method {info.compress_type}, which is not known here")


def _assembled(reader: _Reader, parts: Parts) -> object:
    """A sample that is kept in chunks, in the shape of one that is not."""
    if "sample" not in parts:
        raise _UnreadableError("its `sample.json` is missing")
    sample = reader.json(parts["sample"])
    if not isinstance(sample, dict):
        raise _UnreadableError("its `sample.json` holds no object")
    pool = _sequence(reader, parts, "messages")
    refs = sample.pop("message_refs", [])
    sample["messages"] = [message for start, end in _ranges(refs, len(pool)) for message in pool[start:end]]
    sample["attachments"] = {str(i): text for i, text in enumerate(_sequence(reader, parts, "attachments"))}
    sample["events"] = _sequence(reader, parts, "events")
    return sample


def _sequence(reader: _Reader, parts: Parts, name: str) -> list[object]:
    """The items of a sequence; each chunk is named by the index of its first item."""
    starts = sorted(int(part[len(name) + 1 :]) for part in parts if re.fullmatch(rf"{name}/\d+", part))
    items: list[object] = []
    for start in starts:
        chunk = reader.json(parts[f"{name}/{start}"])
        if not isinstance(chunk, list) or start != len(items):
            raise _UnreadableError(f"a chunk of its {name} is missing before or at {start}")
        items += chunk
    return items


def _ranges(refs: object, count: int) -> Iterator[tuple[int, int]]:
    """The [start, end) ranges by which a sample names the messages of its conversation."""
    for ref in refs if isinstance(refs, list) else [refs]:
        if not (isinstance(ref, list) and len(ref) == 2 and all(isinstance(at, int) for at in ref)):
            raise _UnreadableError("its `message_refs` are no list of ranges")
        start, end = ref
        if not 0 <= start <= end <= count:
            raise _UnreadableError(f"it names message {max(start, end - 1)} of {count}")
        yield start, end


def _without_what_is_told_again(sample: object) -> object:
    if not isinstance(sample, dict):
        return sample
    kept = {key: value for key, value in sample.items() if key not in _TOLD_AGAIN}
    events = sample.get("events")
    if isinstance(events, list):
        models = [e for e in events if isinstance(e, dict) and e.get("event") == "model" and e.get("tools")]
        kept["events"] = [{"event": "model", "tools": event["tools"]} for event in models]
    return kept


def _text(value: object) -> str:
    """Indented JSON, for people; half a surrogate pair stays the escape that it was."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _number(literal: str) -> int | float:
    # Python reads no integer of more than some thousand digits.
    return int(literal) if len(literal) < 1000 else float(literal)
