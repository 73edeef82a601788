"""From the text of a file to turns and responses, each mapped exactly to where it stands in the file."""

from shiftlens.transcripts.files import decode
from shiftlens.transcripts.model import Part, PartKind, Response, Role, ToolCall, Transcript, Turn
from shiftlens.transcripts.read import read

__all__ = [
    "Part",
    "PartKind",
    "Response",
    "Role",
    "ToolCall",
    "Transcript",
    "Turn",
    "decode",
    "read",
]
