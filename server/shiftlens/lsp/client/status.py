"""What a document is waiting for, in the words that the editor shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

STATUS_METHOD = "shiftlens/status"


class State(str, Enum):
    """Where a document stands between text and colours."""

    NO_TRANSCRIPT = "noTranscript"
    NO_RESPONSE = "noResponse"
    NO_PAIR = "noPair"
    NOT_SCORED = "notScored"
    WAITING = "waiting"
    LOADING = "loading"
    SCORING = "scoring"
    READY = "ready"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Status:
    """A state and what to say about it. `fraction` runs from 0 to 1 where progress is known.

    `part` is the response that is being scored, from 1, and how many there are; for NOT_SCORED, how many of them have
    scores all the same.
    """

    state: State
    message: str = ""
    fraction: float | None = None
    part: tuple[int, int] | None = None

    def as_json(self, uri: str, version: int) -> dict[str, object]:
        return {
            "uri": uri,
            "state": self.state.value,
            "message": self.message,
            "fraction": self.fraction,
            "part": None if self.part is None else list(self.part),
            "version": version,
        }
