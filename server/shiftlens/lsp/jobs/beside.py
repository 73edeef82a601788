"""What the file beside a document has of it, and which pair is shown with that."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from shiftlens.engine.installed import why_no_models
from shiftlens.lsp.jobs.pages import file_of
from shiftlens.lsp.jobs.session import Session
from shiftlens.options.pair import PairSpec
from shiftlens.options.pair_choice import Choice
from shiftlens.options.settings import Settings
from shiftlens.pipeline.sidecars import NOTHING, Decided, decide, why_not_loadable
from shiftlens.scores.requests import Requests


def decided_with_sidecar(
    session: Session, uri: str, choice: Choice, settings: Settings, requests: Requests
) -> tuple[Choice, Decided]:
    """The choice of a document with what the sidecar beside its file gives. Blocks.

    A pair that only the sidecar names is not to be loaded, and nothing is where nothing runs models.
    """
    path = file_of(uri)
    beside = NOTHING if path is None or settings.sidecars == "never" else session.sidecars.beside(Path(path), requests)

    def why_not(pair: PairSpec) -> str:
        return choice.why_not if choice.only_stored else why_not_loadable(pair)

    decided = decide(beside, choice.pair, choice.score_options, use=settings.sidecars, why_not_loadable=why_not)
    why = decided.why_not
    if not why and (missing := why_no_models()) is not None:
        why = str(missing)
    if not why:
        return choice, decided
    found = dataclasses.replace(
        choice, pair=decided.pair, score_options=decided.options, why_not=why, only_stored=decided.pair is not None
    )
    return found, decided
