"""Write the locks of the extension, with the hashes of wheels.

`requirements.lock` has what the server needs to run, `requirements-review.lock` what it needs to show scores that are
there already: no model, and nothing that runs one.

They hold for every system and every Python that the project supports. Versions are those of the project's own lock,
which is for one Python; where one of them needs a newer Python than the oldest, older Pythons get an older version.
PyTorch is not in it: its build depends on the index, so that no hash holds for it. Its version is that of the project's
own lock.

This needs uv (`python -m pip install uv`), which nothing else does, and asks the index that uv is set up for.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT_LOCK = ROOT / "requirements.lock"
SERVER_LOCK = ROOT / "extension" / "requirements.lock"
REVIEW_LOCK = ROOT / "extension" / "requirements-review.lock"
RUNS_MODELS = frozenset(
    {"aiohttp", "certifi", "numpy", "peft", "safetensors", "tenacity", "torch", "transformers"}
)
"""What is imported where models run or servers are asked, and nowhere else (see the contracts in pyproject.toml)."""
OLDEST_MINOR = 10
OF_PROJECT_LOCK = {
    "python_version": "3.11",
    "python_full_version": "3.11.7",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
}
HEADERS = {
    SERVER_LOCK: """\
# What the extension installs beside PyTorch, by hash. Written by `make lock` from the project's requirements.lock.
""",
    REVIEW_LOCK: """\
# What the extension installs for review only, by hash. Written by `make lock` from the project's requirements.lock.
""",
}
# What builds of PyTorch for GPUs need differs from build to build; it comes with PyTorch.
OF_GPU_BUILDS = re.compile(r"(nvidia|cuda|triton|pytorch-triton|rocm|intel)\b")


def pinned_versions(lock: Path = PROJECT_LOCK) -> dict[str, str]:
    """The versions of the project's own lock, by canonical name."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {canonicalize_name(name): version.strip() for name, version in pairs}


def torch_requirement() -> str:
    return f"torch=={pinned_versions()['torch']}"


def locked_requirements(lock: Path = SERVER_LOCK) -> dict[str, tuple[str, ...]]:
    """Each requirement of a lock with hashes, such as `click==8.5.1 ; sys_platform == "win32"`, with its hashes."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            requirement, *hashes = line.split("--hash=")
            found[requirement.strip()] = tuple(each.strip() for each in hashes)
    return found


def disagreement(lock: Path = SERVER_LOCK) -> str:
    """How the server's lock differs from the project's, as a sentence; empty if it does not."""
    locked = [each for each in map(Requirement, locked_requirements(lock)) if is_in_project_lock(each)]
    found: dict[str, str] = {canonicalize_name(each.name): str(each.specifier) for each in locked}
    for name, version in pinned_versions().items():
        if found.get(name, f"=={version}") != f"=={version}":
            return f"The extension's lock has {name}{found[name]}, and the project's {version}."
    requirements = review_requirements() if lock.name == REVIEW_LOCK.name else direct_requirements()
    needed = {canonicalize_name(each.name) for each in requirements if is_in_project_lock(each)}
    missing = sorted(needed - set(found))
    return f"The extension's lock lacks {', '.join(missing)}." if missing else ""


def is_in_project_lock(requirement: Requirement) -> bool:
    """Whether a requirement holds for the Python and the system that the project's lock is for."""
    return requirement.marker is None or requirement.marker.evaluate(OF_PROJECT_LOCK)


def direct_requirements() -> list[Requirement]:
    """What the server needs, and what PyTorch does, without PyTorch."""
    lines = [*(distribution("shiftlens").requires or ()), *(distribution("torch").requires or ())]
    wanted = [Requirement(line) for line in lines]
    return [
        each
        for each in wanted
        if "extra" not in str(each.marker or "") and each.name != "torch" and not OF_GPU_BUILDS.match(each.name)
    ]


def review_requirements() -> list[Requirement]:
    """What the server needs where no model runs."""
    wanted = [Requirement(line) for line in distribution("shiftlens").requires or ()]
    return [each for each in wanted if "extra" not in str(each.marker or "") and each.name not in RUNS_MODELS]


def constraint(name: str, version: str) -> str | None:
    """A version of the project's lock, with a marker where it does not run on the oldest Python.

    What is not installed here is of no use to the server, but to build wheels, and is None.
    """
    try:
        requires = SpecifierSet(str(distribution(name).metadata.json.get("requires_python", "")))
    except PackageNotFoundError:
        return None
    oldest = next(minor for minor in range(OLDEST_MINOR, 100) if requires.contains(f"3.{minor}.99"))
    return f"{name}=={version}" + (f' ; python_version >= "3.{oldest}"' if oldest > OLDEST_MINOR else "")


def compile_lock(lock: Path, requirements: Iterable[Requirement]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted, constraints, left_out = (Path(folder, name) for name in ("wanted", "constraints", "left_out"))
        wanted.write_text("".join(f"{each}\n" for each in requirements), encoding="utf-8")
        pins = [constraint(name, version) for name, version in pinned_versions().items() if name != "torch"]
        constraints.write_text("".join(f"{line}\n" for line in pins if line), encoding="utf-8")
        left_out.write_text("torch\n", encoding="utf-8")
        how = ["--universal", "--generate-hashes", "--only-binary", ":all:", "--python-version", f"3.{OLDEST_MINOR}"]
        bare = ["--no-header", "--no-annotate", "--quiet"]
        files = ["--constraints", str(constraints), "--excludes", str(left_out), "--output-file", str(lock)]
        command = ["uv", "pip", "compile", *how, *bare, *files, str(wanted)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    lock.write_text(HEADERS[lock] + lock.read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    if not shutil.which("uv"):
        sys.exit("uv writes the lock, and is not on the PATH: `python -m pip install uv`.")
    compile_lock(SERVER_LOCK, direct_requirements())
    compile_lock(REVIEW_LOCK, review_requirements())
    if problem := disagreement() or disagreement(REVIEW_LOCK):
        sys.exit(problem)
