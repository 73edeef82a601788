"""Why a document is looked at, and which responses of it are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from shiftlens.options.settings import RunPolicy


class Trigger(Enum):
    """Why a document is looked at."""

    OPEN = "open"
    SAVE = "save"
    EDIT = "edit"
    COMMAND = "command"

    def scores_under(self, policy: RunPolicy) -> bool:
        """Whether the models are to be asked for it under the user's run policy."""
        return policy in _POLICIES[self]


_POLICIES = {
    Trigger.OPEN: {RunPolicy.ON_OPEN, RunPolicy.ON_SAVE, RunPolicy.ON_TYPE},
    Trigger.SAVE: {RunPolicy.ON_SAVE, RunPolicy.ON_TYPE},
    Trigger.EDIT: {RunPolicy.ON_TYPE},
    Trigger.COMMAND: set(RunPolicy),
}


@dataclass(frozen=True, slots=True)
class Task:
    """What a document is looked at for: its responses `only` (None: all), and `then` for another reason."""

    trigger: Trigger
    only: frozenset[int] | None = None
    then: Trigger | None = None

    def in_order(self) -> tuple[Task, ...]:
        """This task, and the one that it is to be followed by."""
        return (self,) if self.then is None else (self, Task(self.then))

    def with_responses(self, only: frozenset[int]) -> Task:
        """These responses first, by command, and then what this task is for."""
        if self.only is None:
            return Task(Trigger.COMMAND, only, then=self.trigger)
        return Task(Trigger.COMMAND, self.only | only, self.then)
