"""The room's entry: find out which format a file is in, and read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shiftlens.errors import TranscriptError
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.template_marks import ModelTemplate

OwnTemplate = Callable[[Mapping[str, object]], "ModelTemplate | None"]
"""From the `shiftlens` mapping of a file's front matter to the chat template of its aligned model; None for none."""


def read(
    text: str,
    *,
    filename: str | None = None,
    format: str | None = None,  # noqa: A002
    own_template: OwnTemplate | None = None,
) -> Transcript | None:
    """Read the text of a file as a transcript; None where it is not one.

    `filename` helps with detection only (its suffix). `format` is the name of a format (see `registry`) and goes
    before `format` in the front matter, which goes before detection. A text that no format fits is read by the chat
    template of its aligned model, for which `own_template` is asked then. All offsets count code points of `text`,
    front matter included.
    Raises TranscriptError where the format is named, by argument or front matter, and the text is not in it; where
    the name is unknown; and where JSON of a known shape is broken. Of a file with more than
    `conversation.MAX_RESPONSES` responses the first are read, and a problem says so.
    """
    if not text.strip():
        return None
    # Imported with the first text: all the readers are a sixth of the server's own start.
    from shiftlens.transcripts.conversation import first_conversations, responses
    from shiftlens.transcripts.detection import read_detected, read_forced
    from shiftlens.transcripts.front_matter import read_front_matter
    from shiftlens.transcripts.marks import with_marked_parts
    from shiftlens.transcripts.registry import names

    start = 1 if text.startswith("\ufeff") else 0
    front = read_front_matter(text, start)
    named = front.values.get("format")
    chosen = format or (named if named not in (None, "auto") else None)
    if chosen == "auto":
        chosen = None

    def template() -> ModelTemplate | None:
        return None if own_template is None else own_template(front.values)

    if chosen is not None:
        read_as, reading = read_forced(text, front.end, str(chosen), filename, front.speakers, template)
        by = "the format setting" if format else "the front matter"
        evidence = f"{by}; {reading.detected_by}"
    else:
        detected = read_detected(text, front.end, filename, front.speakers, template)
        if detected is None:
            if front.ours:
                own = template()
                raise TranscriptError(
                    "The front matter has a `shiftlens` mapping, but no transcript format was recognised below it."
                    + (f" {own.reason}" if own is not None and own.reason else ""),
                    f"Add `format:` to it, one of {names()}.",
                )
            return None
        read_as, reading = detected
        evidence = reading.detected_by
    kept, more = first_conversations(text, reading.conversations)
    conversations = tuple(map(with_marked_parts, kept))
    turns = tuple(tuple(said.turn for said in conversation.said) for conversation in conversations)
    problems = (*front.problems, *reading.problems, *more)
    return Transcript(
        read_as,
        evidence,
        responses(conversations),
        front.values,
        problems,
        conversations=turns,
        tools=tuple(conversation.tools for conversation in conversations),
        notes=tuple(conversation.notes for conversation in conversations),
    )
