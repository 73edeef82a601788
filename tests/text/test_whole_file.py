"""Files are written whole or not at all, and a new one takes no other's place."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shiftlens.text.whole_file import write_whole


@pytest.fixture(params=["hard links", "none"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system with hard links, and one without."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if request.param == "none":
        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("links")
def test_a_new_file_is_written_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "new.txt", "é\n", new=True)
    assert (tmp_path / "new.txt").read_bytes() == "é\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["new.txt"]


@pytest.mark.usefixtures("links")
def test_a_file_that_came_to_be_a_moment_ago_stays(tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("theirs")
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "new.txt", "ours", new=True)
    assert (tmp_path / "new.txt").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["new.txt"]


def test_a_text_that_can_not_be_written_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "old.txt", "half \ud800")
    assert (tmp_path / "old.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]


_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from shiftlens.text.whole_file import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    write_whole(Path(sys.argv[1]), "x" * 2000, new=sys.argv[2] == "new")
except OSError:
    sys.exit(3)
"""


@pytest.mark.skipif(os.name != "posix", reason="a limit on files is how a disk is full here")
@pytest.mark.parametrize(("how", "left"), [("new", {}), ("over", {"old.txt": "old"})])
def test_on_a_full_disk_nothing_is_left_in_part(tmp_path: Path, how: str, left: dict[str, str]) -> None:
    target = tmp_path / ("new.txt" if how == "new" else "old.txt")
    if how == "over":
        target.write_text("old")
    done = subprocess.run([sys.executable, "-c", _ON_A_FULL_DISK, str(target), how], timeout=60, check=False)
    assert done.returncode == 3
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == left
