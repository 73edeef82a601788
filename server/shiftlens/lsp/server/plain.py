"""Long answers, made into plain values away from the event loop, which then only has to write them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pygls.protocol import default_converter

if TYPE_CHECKING:
    from cattrs import Converter


@dataclass(frozen=True, slots=True)
class Plain:
    """What JSON has, to be written as it is."""

    value: object


def plain_converter() -> Converter:
    """pygls' converter, which leaves a `Plain` as it is."""
    converter: Converter = default_converter()  # type: ignore[no-untyped-call]
    converter.register_unstructure_hook(Plain, lambda plain: plain.value)
    return converter


async def in_thread(converter: Converter, make: Callable[[], object]) -> Plain:
    """Make an answer, and plain values of it, in a thread: of thousands of lenses, these take as long again."""
    return await asyncio.to_thread(lambda: Plain(converter.unstructure(make())))
