"""Writing the scores of an analysis beside its transcript."""

from __future__ import annotations

from pathlib import Path

from shiftlens.errors import ScoringError, ShiftLensError
from shiftlens.pipeline.analyse import Analysed
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import Requests
from shiftlens.scores.sidecar.check import rows_at_most, why_unfit
from shiftlens.scores.sidecar.file import ToSave, sidecar_bytes, sidecar_path
from shiftlens.text.whole_file import write_whole


def sidecar_of(name: str, text: str, found: Analysed) -> tuple[bytes, tuple[str, ...]]:
    """The sidecar of an analysis, whose transcript is read from `text` in the file `name`; and sentences on responses
    that are not in it. Raises ScoringError where none could be."""
    analysis = found.analysis
    requests = Requests(analysis.transcript.responses, analysis.transcript.format)
    to_save: list[ToSave] = []
    left_out: list[str] = []
    for each in analysis.responses:
        index = each.response.index
        request, scored = requests[index], each.scored
        if not isinstance(scored, ScoredResponse):
            left_out.append(f"Response {index + 1} is not saved: it has scores of one model only, from its own file.")
            continue
        why = why_unfit(scored, request)
        if not why and scored.rows + scored.base.rows > rows_at_most(request):
            why = "have more tokens than can be"
        if why:
            left_out.append(f"Response {index + 1} is not saved: its scores {why}.")
            continue
        digest = requests.digest(index)
        to_save.append(ToSave(index, digest, scored, found.scored_at.get(index)))
    if not to_save:
        raise ScoringError("No response has scores that could be saved.", " ".join(left_out))
    data = sidecar_bytes(
        name,
        text,
        analysis.transcript.format,
        analysis.pair,
        analysis.score_options,
        to_save,
        (found.models["base"], found.models["aligned"]),
    )
    return data, tuple(left_out)


def save_beside(transcript: Path, text: str, found: Analysed) -> tuple[Path, tuple[str, ...]]:
    """Write the sidecar of an analysis beside its transcript, which has this text.

    Returns where it is, and sentences on responses that are not in it. Raises ShiftLensError.
    """
    path = sidecar_path(transcript)
    data, left_out = sidecar_of(transcript.name, text, found)
    try:
        write_whole(path, data)
    except OSError as error:
        raise ShiftLensError(f"{path} can't be written: {error.strerror}.") from None
    return path, left_out
