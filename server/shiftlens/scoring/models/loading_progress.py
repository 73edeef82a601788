"""How far Transformers is with the weights of a model, told from the bars that it would draw."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from transformers.utils import logging

_WEIGHTS = "Loading weights"


@contextlib.contextmanager
def weights_read(on_fraction: Callable[[float], None]) -> Iterator[None]:
    """While this lasts, `on_fraction` gets the fraction of a model's weights that are read.

    It is called on the thread that loads, once for each per cent at most; what it raises comes out of the loading.
    One model at a time. A Transformers too old to lend its bars gives no fractions.
    """
    set_hook = getattr(logging, "set_tqdm_hook", None)
    if set_hook is None:
        yield
        return

    def make_bar(factory: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bar = factory(*args, **kwargs)
        return _Watched(args[0], bar, on_fraction) if args and kwargs.get("desc") == _WEIGHTS else bar

    previous = set_hook(make_bar)
    try:
        yield
    finally:
        set_hook(previous)


class _Watched:
    """A bar over something of known length, which tells of each item that is done."""

    def __init__(self, items: Any, bar: Any, on_fraction: Callable[[float], None]) -> None:
        self._count = len(items)
        self._bar = bar
        self._on_fraction = on_fraction

    def __iter__(self) -> Iterator[Any]:
        told = 0
        for done, item in enumerate(self._bar, start=1):
            yield item
            percent = 100 * done // self._count
            if percent > told:
                told = percent
                self._on_fraction(percent / 100)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bar, name)
