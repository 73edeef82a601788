"""Sidecars made by hand, for tests that need no model."""

from __future__ import annotations

from pathlib import Path

from analysis.hand_made import scored
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import Requests
from shiftlens.scores.sidecar.file import ToSave, sidecar_bytes, sidecar_path
from shiftlens.transcripts.read import read

NAMES = ("lab/base", "lab/aligned")


def write_sidecar(
    path: Path, names: tuple[str, str] = NAMES, options: ScoreOptions | None = None, text: str | None = None
) -> Path:
    """The sidecar of a transcript, or of another text beside it, whose responses have two letters each."""
    of = path.read_text(encoding="utf-8") if text is None else text
    found = read(of, filename=path.name)
    assert found is not None
    requests = Requests(found.responses, found.format)
    to_save = [ToSave(at, requests.digest(at), _scores(each.text)) for at, each in enumerate(found.responses)]
    pair = PairSpec(base=names[0], aligned=names[1])
    sidecar = sidecar_path(path)
    data = sidecar_bytes(path.name, of, found.format, pair, options or ScoreOptions(), to_save)
    sidecar.write_bytes(data)
    return sidecar


def _scores(text: str) -> ScoredResponse:
    return scored([letter.encode() for letter in text], base_ranks=[9, 1, 1], aligned_ranks=[1, 1, 1])
