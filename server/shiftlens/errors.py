"""The errors that a user can do something about.

Every one of them says what is wrong, where, and what to do next. The views (editor, terminal, JSON) show
`str(error)` as it is.
"""

from __future__ import annotations


class ShiftLensError(Exception):
    """Something the user can mend.

    `problem` says what is wrong and `remedy` what to do about it; both are whole sentences.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}".strip()


class TranscriptError(ShiftLensError):
    """A file that means to be a transcript can't be read as one.

    `line` is 1-based, and None where the trouble is not on one line.
    """

    def __init__(self, problem: str, remedy: str = "", line: int | None = None) -> None:
        super().__init__(problem, remedy)
        self.line = line

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{super().__str__()}"


class ModelError(ShiftLensError):
    """A model can't be found, loaded, or used in this pair."""


class ScoringError(ShiftLensError):
    """The models are there, but this response can't be scored."""


class EngineError(ShiftLensError):
    """The engine process can't be started, or ended before it answered."""


class PackageError(ShiftLensError):
    """What was asked for takes a package that does not come with ShiftLens and is not installed."""
