"""A real vLLM that serves the bundled aligned model on this machine's CPU, under two names."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from shiftlens.bundled.paths import resolve_model_name
from shiftlens.options.pair import BUNDLED_ALIGNED

VLLM_PYTHON = Path(__file__).parents[2] / "build/vllm/bin/python"
"""The Python that `make e2e-servers` installs vLLM for."""

NAMES = ("aligned", "also")
MOST_SECONDS = 400
ENVIRONMENT = {
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "passive",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


class RealVllm:
    """One server, always at one URL. `start` begins it, `ready` waits until it answers, `kill` ends it at once."""

    def __init__(self, python: Path = VLLM_PYTHON) -> None:
        self._python = python.absolute()
        name_the_package(self._python)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the object)
        self._process: subprocess.Popen[bytes] | None = None

    def name(self, model: str, kind: str = "vllm") -> str:
        return f"{kind}:{self.url}#{model}"

    def start(self) -> None:
        folder = resolve_model_name(BUNDLED_ALIGNED)
        serve = [str(self._python.parent / "vllm"), "serve", folder, "--served-model-name", *NAMES]
        serve += ["--host", "127.0.0.1", "--port", str(self._port), "--dtype", "float32", "--enforce-eager"]
        serve += ["--max-model-len", "2048", "--max-logprobs", "-1", "--enable-scale-out"]
        environment = {**os.environ, **ENVIRONMENT}
        # A group of its own: it starts processes, which have to end with it.
        self._process = subprocess.Popen(
            serve, stdout=self._log, stderr=self._log, env=environment, start_new_session=True
        )

    def ready(self) -> None:
        """Raises RuntimeError, with the end of its log, where it does not come to answer."""
        end = time.monotonic() + MOST_SECONDS
        while not is_up(self.url):
            if self._process is None or self._process.poll() is not None or time.monotonic() > end:
                self._log.seek(0)
                raise RuntimeError(self._log.read()[-5000:].decode(errors="replace"))
            time.sleep(1)

    def kill(self) -> None:
        """End all of its processes, as a crash does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(60)
            self._process = None

    def asked(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        """The status and the text that the server answers a request with."""
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), head)  # noqa: S310 (loopback)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (loopback)
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=20) as answer:  # noqa: S310 (loopback)
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def name_the_package(python: Path) -> None:
    """The code asks for the metadata of `vllm`, where the package that holds it is called `vllm-cpu`."""
    packages = next((python.parent.parent / "lib").glob("python3*/site-packages"))
    (ours,) = packages.glob("vllm_cpu-*.dist-info")
    version = f"{ours.name.removeprefix('vllm_cpu-').removesuffix('.dist-info')}+cpu"
    named = packages / f"vllm-{version}.dist-info"
    named.mkdir(exist_ok=True)
    (named / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n", encoding="utf-8")
    (named / "entry_points.txt").write_bytes((ours / "entry_points.txt").read_bytes())


def is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310 (loopback)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
