"""Long answers, made into plain values away from the event loop, which then only has to write them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import attrs
from cattrs.gen import make_dict_structure_fn, override
from pygls.protocol import default_converter

from shiftlens.lsp.server.protocol import ContextsParams, ContinueParams, CrossSampleParams, NoiseFloorParams

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
    for params in (ContextsParams, ContinueParams, CrossSampleParams, NoiseFloorParams):
        overrides: dict[str, Any] = {
            name: override(rename=_camel(name), struct_hook=_progress_token if name.endswith("_token") else None)
            for name in attrs.fields_dict(params)
            if "_" in name
        }
        converter.register_structure_hook(params, make_dict_structure_fn(params, converter, **overrides))
    return converter


def _camel(name: str) -> str:
    """As the protocol writes names: topP for top_p."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _progress_token(value: object, _: object) -> object:
    if value is None or (isinstance(value, (str, int)) and not isinstance(value, bool)):
        return value
    raise ValueError("a progress token is a string or a number")


async def in_thread(converter: Converter, make: Callable[[], object]) -> Plain:
    """Make an answer, and plain values of it, in a thread: of thousands of lenses, these take as long again."""
    return await asyncio.to_thread(lambda: Plain(converter.unstructure(make())))
