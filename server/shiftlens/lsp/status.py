"""What a document is waiting for, in the words that the editor shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

STATUS_METHOD = "shiftlens/status"


class State(str, Enum):
    """Where a document stands between text and colours."""

    NO_TRANSCRIPT = "noTranscript"
    NO_PAIR = "noPair"
    WAITING = "waiting"
    LOADING = "loading"
    SCORING = "scoring"
    READY = "ready"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Status:
    """A state and what to say about it. `fraction` runs from 0 to 1 where progress is known."""

    state: State
    message: str = ""
    fraction: float | None = None

    def as_json(self, uri: str, version: int) -> dict[str, object]:
        return {
            "uri": uri,
            "state": self.state.value,
            "message": self.message,
            "fraction": self.fraction,
            "version": version,
        }
