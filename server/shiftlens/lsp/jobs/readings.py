"""How a document is to be read, with the pair that scores it: its aligned model may have written the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shiftlens.chat_templates.own import model_template
from shiftlens.lsp.documents.open import Reading, filename_of
from shiftlens.lsp.jobs.session import Session
from shiftlens.options.pair_choice import choose_pair
from shiftlens.options.settings import Settings
from shiftlens.transcripts.template_marks import ModelTemplate


@dataclass(frozen=True, slots=True)
class _OfPair:
    """Finds the chat template of the aligned model that would score a document (see `choose_pair`)."""

    base: str
    aligned: str
    session_pair: tuple[str, str] | None
    trusted: bool

    def __call__(self, front_matter: Mapping[str, object]) -> ModelTemplate | None:
        """None where no pair is chosen, or the pair is not to be loaded. May block: not for the event loop."""
        settings = Settings(base=self.base, aligned=self.aligned)
        choice = choose_pair(settings, front_matter, self.session_pair, trusted=self.trusted)
        return None if choice.pair is None or choice.only_stored else model_template(choice.pair.aligned)


def reading_of(session: Session, uri: str, settings: Settings) -> Reading:
    """How the document of this URI is to be read."""
    own_template = _OfPair(settings.base, settings.aligned, session.pair, session.trusted)
    return Reading(filename_of(uri), settings.format, settings.max_file_bytes, own_template)
