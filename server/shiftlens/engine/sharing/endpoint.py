"""Where clients meet the engine that they share: a socket, a lock and a log in a folder of the user's own.

The name of these files is a hash of all that must be the same for two clients to share an engine: the user's program
and libraries, what of the environment changes what a model does or who may fetch it, and whether it may open pickles. A
pickle runs code in the process that opens it. A client that allows none must not share a process with one that does,
or its numbers would come from a process that has run that code.

The rest of a `PairSpec` travels with each job and makes no engine of its own: an engine holds models of several
devices, dtypes and matrix libraries apart, and fetches a model only for a job that allows it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

import shiftlens
from shiftlens.engine.environment import with_wait_policy
from shiftlens.engine.sharing.host_protocol import HOST_PROTOCOL_VERSION
from shiftlens.scores.location import cache_folder

RUNTIME_DIR_VARIABLE = "SHIFTLENS_RUNTIME_DIR"
"""The environment variable that names another folder for sockets."""

# The address of a Unix socket holds 104 bytes on macOS and 108 on Linux, the last one for the zero.
_LONGEST_SOCKET_PATH = 100
_NAME_LENGTH = 16

_SHARED = 0o077
_LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "peft")
_PREFIXES = (
    "ACCELERATE HF HUGGINGFACE HUGGING_FACE SAFETENSORS TOKENIZERS TRANSFORMERS TORCH TORCHINDUCTOR PYTORCH TRITON "
    "CUDA CUBLAS CUDNN NCCL NVIDIA HIP HSA ROCR MIOPEN OMP GOMP KMP MKL OPENBLAS BLIS VECLIB DNNL ONEDNN ATEN RAYON "
    "LD DYLD MALLOC GLIBC SHIFTLENS"
)
_ENVIRONMENT = re.compile(
    rf"(?:{'|'.join(_PREFIXES.split())})_.*|PYTHON(?:PATH|HOME|USERBASE|NOUSERSITE)|HOME|XDG_CACHE_HOME"
    r"|(?:https?|all|no)_proxy|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_(?:FILE|DIR)",
    re.IGNORECASE,
)


class UnfitFolder(Exception):
    """No folder can hold a socket that only this user reaches; the message says of each why, as sentences."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The files of one shared engine, whether it runs or not."""

    folder: Path
    name: str

    @property
    def socket(self) -> Path:
        return self.folder / f"{self.name}.sock"

    @property
    def lock(self) -> Path:
        """Locked by the host as long as it lives; holds its process id."""
        return self.folder / f"{self.name}.lock"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def has_socket_of_ours(self) -> bool:
        try:
            found = self.socket.lstat()
        except OSError:
            return False
        return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid()

    def host_pid(self) -> int | None:
        """The process id that the last host wrote down."""
        try:
            return int(self.lock.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def last_lines(self, count: int) -> list[str]:
        """Of the log."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line for line in text.splitlines() if line.strip()][-count:]


def endpoint_for(build: str, *, allow_pickle: bool, environment: Mapping[str, str] = os.environ) -> Endpoint:
    """The endpoint of the engine that clients of this program and environment share; makes its folder.

    Raises UnfitFolder.
    """
    # What we set for the engine ourselves is as if the user had: it splits no engines.
    given = with_wait_policy(environment)
    chosen = sorted((name, value) for name, value in given.items() if _ENVIRONMENT.fullmatch(name))
    # The folder may be one that several machines see.
    digest = hashlib.sha256(msgspec.json.encode((build, platform.node(), os.geteuid(), allow_pickle, chosen)))
    return Endpoint(runtime_folder(), digest.hexdigest()[:_NAME_LENGTH])


def runtime_folder() -> Path:
    """The folder for sockets, made if need be: mode 0700 and the user's own. Raises UnfitFolder."""
    problems = []
    for folder in _candidates():
        if len(os.fsencode(folder)) + 2 + _NAME_LENGTH + len(".sock") > _LONGEST_SOCKET_PATH:
            problems.append(f"The path of {folder} is too long for a socket.")
            continue
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            problems.append(f"{folder} could not be made ({error.strerror}).")
            continue
        problem = what_is_unfit(folder)
        if problem is None:
            return folder
        problems.append(problem)
    raise UnfitFolder(" ".join(problems))


def runtime_folders() -> list[Path]:
    """Every folder in which an engine of this user may be listening; made are none."""
    return [folder for folder in _candidates() if folder.is_dir() and what_is_unfit(folder) is None]


def what_is_unfit(folder: Path) -> str | None:
    """Why a folder is not to be trusted with a socket, None where it is."""
    try:
        found = folder.lstat()
    except OSError as error:
        return f"{folder} can't be looked at ({error.strerror})."
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder} is not a folder."
    if found.st_uid != os.geteuid():
        return f"{folder} belongs to another user."
    if found.st_mode & _SHARED:
        return f"{folder} is open to other users (mode {stat.S_IMODE(found.st_mode):o}; `chmod 700` closes it)."
    return None


@functools.cache
def program_build() -> str:
    """A hash of the code that runs, by versions and times of change, as it was when it was first asked for.

    An installation that is changed while clients of the older one still run gets engines of its own. A client that
    waits long before it needs an engine asks for this early.
    """
    package = Path(shiftlens.__file__).parent
    newest = max(path.stat().st_mtime_ns for path in package.rglob("*.py"))
    versions = [_version(name) for name in _LIBRARIES]
    parts = (HOST_PROTOCOL_VERSION, shiftlens.__version__, str(package), newest, sys.executable, sys.version, versions)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _candidates() -> Iterator[Path]:
    named = os.environ.get(RUNTIME_DIR_VARIABLE)
    if named:
        yield Path(named).absolute()
        return
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and what_is_unfit(runtime) is None:
        yield runtime / "shiftlens"
    yield cache_folder().absolute() / "run"
    # Imported here, as `metadata` below: the start of a server need not wait for it.
    import tempfile

    yield Path(tempfile.gettempdir()).absolute() / f"shiftlens-{os.geteuid()}"


def _version(library: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""
