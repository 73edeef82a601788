"""What the user is asked where a transcript can't be scored, since no models are chosen."""

from __future__ import annotations

from collections.abc import Callable

from shiftlens.lsp.jobs.session import Session

USE_BUNDLED = "Use the bundled pair"
OPEN_SETTINGS = "Open settings"
CHOOSE_MODELS = "Choose models..."


def offer_pair(session: Session, why: str, use_bundled: Callable[[], None]) -> None:
    """Ask once per session which models to use: scoring without asking would load models that nobody chose."""
    if not session.offered_pair:
        session.offered_pair = True
        session.in_background(_ask(session, why, use_bundled))


async def _ask(session: Session, why: str, use_bundled: Callable[[], None]) -> None:
    message = f"ShiftLens found a transcript, but can't score it. {why}"
    other = CHOOSE_MODELS if session.picks_models else OPEN_SETTINGS
    answer = await session.editor.ask(message, (USE_BUNDLED, other))
    if answer == USE_BUNDLED:
        use_bundled()
    elif answer == OPEN_SETTINGS:
        session.editor.open_settings()
    elif answer == CHOOSE_MODELS:
        session.editor.choose_models()
