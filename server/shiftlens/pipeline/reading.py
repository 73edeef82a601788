"""From the name of a file, or from standard input, to a transcript."""

from __future__ import annotations

from shiftlens.errors import TranscriptError
from shiftlens.options.pair import SCORE_PARTS
from shiftlens.page.build import build_page
from shiftlens.page.sources import sources_in
from shiftlens.pipeline.unscored import why_nothing
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import OwnTemplate


def read_transcript(
    name: str, stdin: bytes, *, format_name: str | None, max_bytes: int, own_template: OwnTemplate | None = None
) -> Transcript:
    """Read a file, or what came over standard input for `-`. Raises TranscriptError where it is no transcript.

    The places of an archive's transcript are those of its page, as `shiftlens show` prints it.
    """
    return read_with_text(name, stdin, format_name=format_name, max_bytes=max_bytes, own_template=own_template)[0]


def read_with_text(
    name: str,
    stdin: bytes,
    *,
    format_name: str | None,
    max_bytes: int,
    own_template: OwnTemplate | None = None,
) -> tuple[Transcript, str]:
    """The same, and the text that its places are in."""
    sources = sources_in(name, stdin, max_bytes, format_name, own_template)
    if sources[0].in_file:
        transcript, text = sources[0].transcript, sources[0].text
    else:
        page = build_page(sources)
        transcript, text = page.whole_transcript(), page.text
    if not transcript.responses and (why := why_nothing(transcript, SCORE_PARTS)) is not None:
        raise TranscriptError(why[0], line=why[1])
    return transcript, text
