"""Real editors in a terminal, with the settings that `docs/editors.md` tells people to write."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "editors.md"
TALK = "User: Why is the sky blue?\n\nAssistant: Great question! Air scatters blue light.\n"
_LONGEST = 240.0
_LINES, _COLUMNS = 40, 120


def settings_of(heading: str, language: str) -> str:
    """The block of code of this language below a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", section, flags=re.DOTALL | re.MULTILINE)
    return str(block)


def home(folder: Path) -> Mapping[str, str]:
    """The environment of an editor whose user lives in this folder, with `shiftlens` on the PATH."""
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "shiftlens"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m shiftlens "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    changes = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
    }
    own = {
        name: str(folder / name.lower())
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    }
    return {**os.environ, **changes, **own}


def said_by(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Any:
    """Run an editor in a terminal of its own until it has written `said.json` in its folder and left.

    Raises AssertionError with what was on the screen where it does not.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    screen = _all_of(terminal)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    said = folder / "said.json"
    assert said.exists(), screen[-4000:].decode("utf-8", "replace")
    return json.loads(said.read_text(encoding="utf-8"))


def _all_of(terminal: int) -> bytes:
    """All that is written to the terminal until the editor leaves it."""
    screen = b""
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 1.0)
        if ready:
            try:
                screen += os.read(terminal, 1 << 16)
            except OSError:
                # Linux says so where the other side of the terminal is closed.
                break
    return screen
