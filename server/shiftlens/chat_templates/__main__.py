"""The process that a chat template is rendered in: its files as JSON on standard input, its marks on standard output.

A template is a program of whoever made the model. Here it has a limit of time and of memory, and the process that asks
ends this one where it does not answer.
"""

from __future__ import annotations

import sys

import msgspec

from shiftlens.chat_templates.derive import Irregular, derive
from shiftlens.chat_templates.files import TemplateFiles
from shiftlens.chat_templates.own import SECONDS, Derived

_MOST_BYTES_OF_MEMORY = 1 << 30


def main() -> None:
    _limit_itself()
    files = msgspec.json.decode(sys.stdin.buffer.read(), type=TemplateFiles)
    try:
        derived = Derived(marks=derive(files))
    except Irregular as error:
        derived = Derived(reason=str(error))
    except (MemoryError, RecursionError) as error:
        derived = Derived(reason=f"it takes too much ({type(error).__name__})")
    sys.stdout.buffer.write(msgspec.json.encode(derived))


def _limit_itself() -> None:
    """Should the process that asks be killed, this one still ends. Windows has no such limits."""
    try:
        import resource
    except ImportError:
        return
    seconds = int(SECONDS) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        _, most = resource.getrlimit(limit)
        if most == resource.RLIM_INFINITY or most > _MOST_BYTES_OF_MEMORY:
            try:
                resource.setrlimit(limit, (_MOST_BYTES_OF_MEMORY, most))
            except (OSError, ValueError):
                continue  # macOS knows the names of these, and takes no number.


if __name__ == "__main__":
    main()
