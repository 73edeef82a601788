"""The page for newcomers tells of the tree as it is."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "server" / "shiftlens"
ROOTS = (REPOSITORY, PACKAGE, PACKAGE / "transcripts")


@pytest.fixture(scope="module")
def page() -> str:
    return (REPOSITORY / "server" / "ARCHITECTURE.md").read_text(encoding="utf-8")


def rooms_on_the_map(page: str) -> list[str]:
    code_map = page.partition("## Code map")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([\w.]+/?)` \|", code_map, re.MULTILINE)


def test_every_room_is_on_the_map(page: str) -> None:
    rooms = {f"{found.parent.name}/" for found in PACKAGE.glob("*/__init__.py")}
    files = {found.name for found in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert set(rooms_on_the_map(page)) == rooms | files


def test_the_rooms_stand_in_the_order_of_the_import_contract(page: str) -> None:
    contract = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8").partition("layers = [")[2].partition("]")[0]
    layers = re.findall(r'"(\w+)"', contract)
    assert [re.split(r"[/.]", room)[0] for room in rooms_on_the_map(page)] == layers[::-1]


def test_every_file_and_folder_that_is_named_exists(page: str) -> None:
    named = set(re.findall(r"`((?:[\w-]+/)+[\w.-]*|\w+\.(?:py|ts|json))`", page))
    assert len(named) > 60
    every = [found for root in (PACKAGE, REPOSITORY / "extension" / "src") for found in root.rglob("*")]
    # A name by itself is of a file, or a folder, that the text around it places.
    known = {f"{found.name}/" if found.is_dir() else found.name for found in every}
    missing = {name for name in named if name not in known and not any((root / name).exists() for root in ROOTS)}
    assert missing == set()


def test_the_program_of_the_ten_minute_path_runs(page: str) -> None:
    program = page.partition("```python\n")[2].partition("```")[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})  # noqa: S102
    lines = printed.getvalue().splitlines()
    assert (
        "".join(re.findall(r"^'(.*)' ", "\n".join(lines), re.MULTILINE)) == "Great question! Air scatters blue light."
    )
    assert {line.split()[-1] for line in lines} <= {"unshifted", "marginal", "shifted"}
