"""Put what the extension installs into `bundled/`: the project's wheel and a lock of what it needs to run.

The lock is requirements.lock without the tools of developers. It is used as constraints, for every Python that the
project supports: a version that asks for a newer Python than the oldest of those carries a marker that says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ROOT / "extension" / "bundled"
MINORS = range(10, 20)


def runtime_names(package: str) -> frozenset[str]:
    """`package` and what it needs on any platform, extras left out, as far as it is installed here."""
    seen: set[str] = set()
    waiting = [package]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        try:
            required = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        seen.add(name)
        requirements = [Requirement(line) for line in required]
        waiting += [each.name for each in requirements if "extra" not in str(each.marker or "")]
    return frozenset(seen)


def constraint(line: str) -> str:
    """A line of the lock, with a marker where its version does not run on the oldest Python."""
    name = line.partition("==")[0]
    supported = SpecifierSet(str(distribution(name).metadata.json.get("requires_python", "")))
    oldest = next(minor for minor in MINORS if supported.contains(f"3.{minor}.99"))
    return line if oldest == MINORS[0] else f'{line} ; python_version >= "3.{oldest}"'


def write_lock(target: Path) -> None:
    names = runtime_names("shiftlens")
    pinned = [line for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines() if "==" in line]
    wanted = [line for line in pinned if canonicalize_name(line.partition("==")[0]) in names]
    target.write_text("".join(f"{constraint(line)}\n" for line in wanted), encoding="utf-8")


def build_wheel(folder: Path) -> Path:
    """The project's wheel; its build backend is fetched where it is not installed."""
    isolation = ["--no-isolation"] if importlib.util.find_spec("hatchling") else []
    command = [sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    (wheel,) = folder.glob("*.whl")
    return wheel


def main() -> None:
    shutil.rmtree(BUNDLED, ignore_errors=True)
    BUNDLED.mkdir(parents=True)
    lock = BUNDLED / "requirements.lock"
    write_lock(lock)
    wheel = build_wheel(BUNDLED)
    # Names the folder of an installation: other contents, another installation.
    digest = hashlib.sha256(lock.read_bytes() + wheel.read_bytes()).hexdigest()
    described = {"wheel": wheel.name, "lock": lock.name, "digest": digest}
    (BUNDLED / "bundled.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
