"""Templates are programs, a user's and a model's: they are stopped after some seconds, and when their job is cancelled.

They are rendered on the engine's only thread. Another thread watches, and raises an exception in the first one, as
CPython lets it; Python code ends at its next step. What a template has one call into C do (sort a list, pad a text)
ends only after that call. Such calls are short but for numbers and texts of enormous size, so that a user's template
can't make these (`LimitedEnvironment`). A model's template is compiled by transformers without this last limit.
"""

from __future__ import annotations

import _thread
import ctypes
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shiftlens.errors import ScoringError

T = TypeVar("T")

SECONDS = 5.0
"""What the templates of one response may take together; thousands of times what those of known models take."""

MOST_CHARACTERS = 1 << 24
"""Of what a template writes, and of a text that a user's template makes by multiplication."""

_MOST_BITS = 1 << 16
_SECONDS_BETWEEN_LOOKS = 0.05
_STEPS_UNTIL_RAISED = 1000
"""Steps of a loop in which an exception that another thread has raised comes for sure: CPython looks at each."""
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:[0-9]{6}|\*)")
_NEVER_TOLD: Callable[[], None] = lambda: None  # noqa: E731


class _Stopped(BaseException):
    """Raised in a template from outside. No Exception: templates' own code catches those."""


@dataclass(slots=True)
class _Budget:
    """Seconds left, and what raises where the job is cancelled; it may be called from another thread."""

    seconds: float = SECONDS
    check: Callable[[], None] = _NEVER_TOLD


_budget: ContextVar[_Budget | None] = ContextVar("template budget", default=None)


@contextmanager
def template_budget(check: Callable[[], None], seconds: float = SECONDS) -> Iterator[None]:
    """All templates that are rendered inside share so many seconds, and stop when `check` raises."""
    token = _budget.set(_Budget(seconds, check))
    try:
        yield
    finally:
        _budget.reset(token)


def limited(whose: str, render: Callable[[], str]) -> str:
    """What `render` writes. Raises ScoringError where it takes too long or writes too much, and what `check` raises.

    `whose` begins the message: "The context template", say.
    """
    budget = _budget.get() or _Budget()
    began = time.monotonic()
    try:
        written = _watched(render, budget)
    except _Stopped:
        budget.check()
        raise ScoringError(
            f"{whose} was stopped: it takes too long.",
            f"Look for a loop in it. The templates of one response have {SECONDS:.0f} seconds.",
        ) from None
    finally:
        budget.seconds -= time.monotonic() - began
    if len(written) > MOST_CHARACTERS:
        raise ScoringError(
            f"{whose} writes {len(written):,} characters, and {MOST_CHARACTERS:,} are the most that is taken.",
            "Look for a loop or a multiplication in it.",
        )
    return written


def _watched(work: Callable[[], T], budget: _Budget) -> T:
    """What `work` returns. Raises _Stopped where it is stopped."""
    watch = _Watch(threading.get_ident(), budget)
    # `Thread.start` waits for ever for a thread that ends for want of memory before it has begun.
    _thread.start_new_thread(watch.run, ())
    try:
        return work()
    finally:
        watch.end()


class _Watch:
    """Over one piece of work on the thread `ident`."""

    def __init__(self, ident: int, budget: _Budget) -> None:
        self._ident = ident
        self._budget = budget
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._has_raised = False

    def run(self) -> None:
        deadline = time.monotonic() + self._budget.seconds
        while not self._over.wait(_SECONDS_BETWEEN_LOOKS):
            if time.monotonic() >= deadline or self._is_cancelled():
                with self._lock:
                    if not self._over.is_set():
                        self._has_raised = True
                        _raise_in(self._ident, _Stopped)
                return

    def end(self) -> None:
        """After this nothing is raised any more. Raises _Stopped where that is on its way.

        It is waited for and not taken back: CPython 3.11 would look for it for ever after, at every step.
        """
        with self._lock:
            self._over.set()
        if self._has_raised:
            for _ in range(_STEPS_UNTIL_RAISED):
                pass

    def _is_cancelled(self) -> bool:
        try:
            self._budget.check()
        except BaseException:
            return True
        return False


def _raise_in(ident: int, error: type[BaseException]) -> None:
    """Have a thread raise at its next step of Python."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(error))


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox whose templates make no numbers and texts of enormous size by `*`, `**` and `%`."""

    intercepted_binops = frozenset(("*", "**", "%"))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            _check_product(left, right)
        elif operator == "**":
            _check_power(left, right)
        elif isinstance(left, (str, bytes)):
            _check_widths(left)
        return super().call_binop(context, operator, left, right)


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
        return
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, (str, bytes, list, tuple)) and isinstance(times, int):
            length = len(sequence) * times
            if length > MOST_CHARACTERS:
                raise OverflowError(f"a product of {length:,} elements is too long")


def _check_power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and right > 0:
        _check_bits(left.bit_length() * right)


def _check_widths(form: str | bytes) -> None:
    """A width that is given as an argument could be any."""
    text = form.decode("latin-1") if isinstance(form, bytes) else form
    if _WIDE.search(text):
        raise OverflowError("a format with a width of more than five digits, or one that is an argument, is too wide")


def _check_bits(bits: int) -> None:
    if bits > _MOST_BITS:
        raise OverflowError(f"a number of {bits:,} bits is too large")
