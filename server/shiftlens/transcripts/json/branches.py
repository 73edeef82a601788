"""Conversations that are kept as trees: an answer that was made anew stands beside the old one."""

from __future__ import annotations

from collections.abc import Mapping


def branch(parents: Mapping[str, str | None], leaf: str) -> tuple[str, ...]:
    """The names from the root to `leaf`. It begins where a parent is not in `parents`, or comes a second time."""
    found: list[str] = []
    seen: set[str] = set()
    at: str | None = leaf
    while at is not None and at in parents and at not in seen:
        found.append(at)
        seen.add(at)
        at = parents[at]
    return tuple(reversed(found))


def others_left_out(count: int) -> str:
    """What the user is told of the messages of other branches."""
    if count == 1:
        return "1 message of another branch was left out."
    return f"{count:,} messages of other branches were left out."
