"""From the text of a file to turns and responses, each mapped exactly to where it stands in the file."""

from shiftlens.transcripts.model import Response, Role, Segment, SourceMap, Transcript, Turn

__all__ = ["Response", "Role", "Segment", "SourceMap", "Transcript", "Turn"]
