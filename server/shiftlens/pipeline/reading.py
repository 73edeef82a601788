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
    sources = sources_in(name, stdin, max_bytes, format_name, own_template)
    transcript = sources[0].transcript if sources[0].in_file else build_page(sources).whole_transcript()
    if not transcript.responses and (why := why_nothing(transcript, SCORE_PARTS)) is not None:
        raise TranscriptError(why[0], line=why[1])
    return transcript
