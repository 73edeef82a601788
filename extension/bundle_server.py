"""Put what the extension installs into `bundled/`: the project's wheel and three locks of what it needs to run.

requirements.lock is the extension's own, with hashes and without PyTorch; requirements-review.lock is as much of it as
is needed where no model runs. versions.txt has the same versions and that
of PyTorch, without hashes: constraints with hashes would have pip ask for one of PyTorch as well.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

from lock_server import REVIEW_LOCK, ROOT, SERVER_LOCK, disagreement, locked_requirements, torch_requirement

BUNDLED = ROOT / "extension" / "bundled"


def build_wheel(folder: Path) -> Path:
    """The project's wheel; its build backend is fetched where it is not installed."""
    isolation = ["--no-isolation"] if importlib.util.find_spec("hatchling") else []
    command = [sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    (wheel,) = folder.glob("*.whl")
    return wheel


def main() -> None:
    if problem := disagreement() or disagreement(REVIEW_LOCK):
        sys.exit(f"{problem} `make lock` writes it anew.")
    shutil.rmtree(BUNDLED, ignore_errors=True)
    BUNDLED.mkdir(parents=True)
    lock, review, versions = BUNDLED / SERVER_LOCK.name, BUNDLED / REVIEW_LOCK.name, BUNDLED / "versions.txt"
    shutil.copyfile(SERVER_LOCK, lock)
    shutil.copyfile(REVIEW_LOCK, review)
    versions.write_text(
        "".join(f"{line}\n" for line in [*locked_requirements(), torch_requirement()]), encoding="utf-8"
    )
    wheel = build_wheel(BUNDLED)
    # Names the folder of an installation: other contents, another installation.
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in (lock, review, versions, wheel))).hexdigest()
    names = {"wheel": wheel.name, "lock": lock.name, "review": review.name, "versions": versions.name}
    described = {**names, "digest": digest}
    (BUNDLED / "bundled.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
