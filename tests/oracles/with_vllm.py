"""Runs a command while a real vLLM serves the bundled pair on this machine's CPU: `with_vllm.py VLLM-PYTHON COMMAND...`

The command finds the server's URL in SHIFTLENS_VLLM; it serves the aligned model under the name `aligned`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from shiftlens.bundled.paths import resolve_model_name
from shiftlens.options.pair import BUNDLED_ALIGNED

MOST_SECONDS = 400
ENVIRONMENT = {
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "2",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


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


def main() -> int:
    python, command = Path(sys.argv[1]).absolute(), sys.argv[2:]
    name_the_package(python)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    folder = resolve_model_name(BUNDLED_ALIGNED)
    serve = [str(python.parent / "vllm"), "serve", folder, "--served-model-name", "aligned", "--host", "127.0.0.1"]
    serve += ["--port", str(port), "--dtype", "float32", "--max-model-len", "2048", "--max-logprobs", "-1"]
    with tempfile.TemporaryFile() as log:
        environment = {**os.environ, **ENVIRONMENT}
        server = subprocess.Popen([*serve, "--enforce-eager"], stdout=log, stderr=log, env=environment)
        try:
            end = time.monotonic() + MOST_SECONDS
            while not is_up(url):
                if server.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    sys.stderr.buffer.write(log.read()[-5000:])
                    return 1
                time.sleep(1)
            return subprocess.run(command, env={**os.environ, "SHIFTLENS_VLLM": url}, check=False).returncode
        finally:
            server.terminate()
            server.wait(60)


if __name__ == "__main__":
    sys.exit(main())
