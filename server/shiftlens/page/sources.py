"""From a file to what a page of it shows."""

from __future__ import annotations

from pathlib import PurePath

from shiftlens.errors import TranscriptError
from shiftlens.page.build import Source
from shiftlens.transcripts.file_bytes import STDIN, read_bytes
from shiftlens.transcripts.files import decode, is_archive, refuse_pickle
from shiftlens.transcripts.read import OwnTemplate, read


def sources_of_text(
    text: str, name: str, format_name: str | None = None, own_template: OwnTemplate | None = None
) -> tuple[Source, ...]:
    """What a page of a text shows. Raises TranscriptError where it is no transcript."""
    transcript = read(text, filename=name, format=format_name, own_template=own_template)
    if transcript is None:
        own = None if own_template is None else own_template({})
        raise TranscriptError(
            "This is not a transcript in any format that shiftlens knows."
            + (f" {own.reason}" if own is not None and own.reason else ""),
            "If it is one, name its format with --transcript-format (in an editor, the setting `shiftlens.format`).",
        )
    return (Source(PurePath(name).name, text, transcript),)


def sources_of(
    raw: bytes, name: str, max_bytes: int, format_name: str | None = None, own_template: OwnTemplate | None = None
) -> tuple[Source, ...]:
    """What a page of a file's bytes shows: of an archive, its members.

    Raises TranscriptError where they are no transcript.
    """
    refuse_pickle(raw, name)
    if is_archive(raw):
        # What unpacks archives is imported with the first one.
        from shiftlens.transcripts.archives import read_archive

        found = read_archive(raw, PurePath(name).name)
        return tuple(Source(each.member_name, each.text, each.transcript, in_file=False) for each in found)
    return sources_of_text(decode(raw, max_bytes), name, format_name, own_template)


def sources_in(
    name: str, stdin: bytes, max_bytes: int, format_name: str | None = None, own_template: OwnTemplate | None = None
) -> tuple[Source, ...]:
    """What a page of a file shows, or of standard input for `-`. Raises TranscriptError as `sources_of` does."""
    raw = read_bytes(name, stdin, max_bytes)
    return sources_of(raw, "" if name == STDIN else name, max_bytes, format_name, own_template)
