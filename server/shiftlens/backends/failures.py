"""What is said of a model on a server that can't be used, or gives no numbers of one text."""

from __future__ import annotations

from shiftlens.backends.dialect import UnknownModel
from shiftlens.backends.exchange import Refusal, Unanswered
from shiftlens.backends.positions import BadAnswer
from shiftlens.backends.protocol import SideRefused
from shiftlens.errors import ModelError
from shiftlens.options.server_names import ServerName

Failure = BadAnswer | Unanswered | Refusal | UnknownModel

_OF_ONE_TEXT = frozenset({400, 413, 422})
"""Statuses that say that a request is not to the server's liking; others would come for any request."""


def is_of_one_text(refusal: Refusal) -> bool:
    """Whether the server may well take other texts."""
    return refusal.status in _OF_ONE_TEXT


def as_error(name: str, server: ServerName, failure: Failure) -> ModelError:
    """Why the model can't be used, and what to do."""
    if isinstance(failure, UnknownModel):
        served = ", ".join(failure.served[:20]) or "none"
        return ModelError(f"The server {server.url} has no model {server.model}.", f"It serves: {served}.")
    if isinstance(failure, Refusal):
        return ModelError(
            f"{name} refuses a request (status {failure.status}): {failure.told}.",
            "docs/servers.md says what is asked, and of which servers.",
        )
    if isinstance(failure, Unanswered):
        return ModelError(f"The server of {name} {failure.why}.", "Check that it runs and is ready, and score again.")
    return ModelError(
        f"{name} is not used: the server {failure}.",
        "docs/servers.md says which servers give what is needed, and with which options.",
    )


def as_refused(name: str, failure: BadAnswer | Unanswered | Refusal) -> SideRefused:
    """Why there are no numbers of one text from a server that gives those of others."""
    if isinstance(failure, Refusal):
        return SideRefused(
            f"{name} refuses this response (status {failure.status}): {failure.told}.",
            "Where the text is too long, serve the model with a longer context; see docs/servers.md.",
        )
    if isinstance(failure, Unanswered):
        return SideRefused(
            f"The server of {name} {failure.why} when it is asked for this response, while it answers for others.",
            "Look into the server's log, and score again.",
        )
    return SideRefused(
        f"{name} has no numbers for this response: the server {failure}.",
        "Score it again; docs/servers.md says which servers give what is needed.",
    )
