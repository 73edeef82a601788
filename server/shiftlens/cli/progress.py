"""A progress bar on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from shiftlens.engine import protocol
from shiftlens.text.visible import one_line

_LONGEST_MESSAGE = 60


@contextmanager
def progress_on(file: TextIO, title: str) -> Iterator[Callable[[protocol.Progress], None] | None]:
    """A listener that moves a bar on `file`, which goes away at the end; None where `file` is no terminal."""
    if not file.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    # What is printed meanwhile goes above the bar, but not what goes into a file or a pipe.
    above = sys.stdout.isatty()
    with Progress(*columns, console=Console(file=file), transient=True, redirect_stdout=above) as bar:
        task = bar.add_task(one_line(title, _LONGEST_MESSAGE), total=1.0)

        def show(message: protocol.Progress) -> None:
            said = one_line(f"{title}: {message.message}", _LONGEST_MESSAGE)
            bar.update(task, completed=message.fraction, description=said)

        yield show
