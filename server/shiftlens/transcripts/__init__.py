"""From the text of a file to turns and responses, each mapped exactly to where it stands in the file."""

from shiftlens.transcripts.files import decode
from shiftlens.transcripts.model import Response, Role, Segment, SourceMap, Transcript, Turn
from shiftlens.transcripts.read import FORMATS, read

__all__ = [
    "FORMATS",
    "Response",
    "Role",
    "Segment",
    "SourceMap",
    "Transcript",
    "Turn",
    "decode",
    "read",
]
