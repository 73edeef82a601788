"""A full disk: scores are shown all the same, and are not kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="a limit on files is how a disk is full here")
TALK = "User: What is the capital of France?\nAssistant: The capital of France is Paris.\n"


def _no_file_may_grow() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


@pytest.mark.parametrize("how", [[], ["--private-engine"]], ids=["shared engine", "own engine"])
def test_where_no_file_can_be_written_a_file_is_scored_all_the_same(tmp_path: Path, how: list[str]) -> None:
    (tmp_path / "talk.txt").write_text(TALK)
    done = subprocess.run(
        [sys.executable, "-m", "shiftlens", "analyze", "talk.txt", "--bundled", *how],
        cwd=tmp_path,
        env={**os.environ, "SHIFTLENS_CACHE_DIR": str(tmp_path / "cache")},
        preexec_fn=_no_file_may_grow,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Summary: " in done.stdout
