"""Which shared engines of this user run, for `doctor` and the debug information. Starts none."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from shiftlens.engine.protocol import ModelInMemory
from shiftlens.engine.sharing.endpoint import Endpoint, runtime_folders
from shiftlens.engine.sharing.host_protocol import Look, Running
from shiftlens.engine.sharing.joining import SUPPORTED, NoHost, connect

_ANSWER_SECONDS = 2.0
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class FoundEngine:
    """An engine that listens. `said` is None where it does not answer in words of this version."""

    host_pid: int | None
    log: Path
    said: Running | None

    def as_json(self) -> dict[str, object]:
        if self.said is None:
            return {"pid": self.host_pid, "log": str(self.log), "answers": False}
        said = self.said
        return {
            "pid": said.pid,
            "log": str(self.log),
            "answers": True,
            "enginePid": said.engine_pid,
            "models": [_model_as_json(model) for model in said.models],
            "allowPickle": said.allow_pickle,
            "version": said.version,
            "startedSecondsAgo": max(0, round(time.time() - said.started)),
            "clients": said.clients,
            "jobs": said.jobs,
            "residentBytes": said.resident_bytes,
            "kvBytes": said.kv_bytes,
            "cudaBytes": said.cuda_bytes,
        }

    def in_words(self) -> str:
        """One line, with how to stop it."""
        if self.said is None:
            unheard = f"process {self.host_pid} does not answer, or not as this version of ShiftLens does"
            return f"{unheard} (its log is {self.log}); stop it: kill {self.host_pid}"
        said = self.said
        parts = [_models_in_words(said.models), f"process {said.engine_pid}"]
        if said.resident_bytes is not None:
            parts.append(f"{said.resident_bytes // _MEBIBYTE:,} MiB resident")
        if said.cuda_bytes:
            parts.append(f"{said.cuda_bytes // _MEBIBYTE:,} MiB on the GPU")
        parts.append(f"{said.kv_bytes / _MEBIBYTE:,.1f} MiB kept for edits")
        parts.append(f"{said.clients} client{'' if said.clients == 1 else 's'}")
        parts.append(f"{said.jobs} job{'' if said.jobs == 1 else 's'}")
        return f"{', '.join(parts)}; stop it: kill {said.pid}"


def _models_in_words(models: tuple[ModelInMemory, ...]) -> str:
    return " and ".join(_model_in_words(model) for model in models) or "no models"


def _model_in_words(model: ModelInMemory) -> str:
    on = f"adapter on {model.adapter_of}, " if model.adapter_of else ""
    return f"{model.name} ({on}{model.dtype} on {model.device}, {model.bytes / _MEBIBYTE:,.1f} MiB)"


def _model_as_json(model: ModelInMemory) -> dict[str, object]:
    return {
        "name": model.name,
        "adapterOf": model.adapter_of or None,
        "device": model.device,
        "dtype": model.dtype,
        "bytes": model.bytes,
    }


async def running_engines() -> list[FoundEngine]:
    """In no particular order; none where engines are not shared."""
    if not SUPPORTED:
        return []
    sockets = [path for folder in runtime_folders() for path in folder.glob("*.sock")]
    found = await asyncio.gather(*(_look(Endpoint(path.parent, path.stem)) for path in sockets))
    return [engine for engine in found if engine is not None]


async def _look(endpoint: Endpoint) -> FoundEngine | None:
    try:
        connection = await connect(endpoint)
    except NoHost:
        return None
    said: Running | None = None
    try:
        connection.post(Look())
        answer = await asyncio.wait_for(connection.receive(), _ANSWER_SECONDS)
        said = answer if isinstance(answer, Running) else None
    except (OSError, ValueError, msgspec.DecodeError, asyncio.IncompleteReadError, asyncio.TimeoutError):
        pass
    finally:
        connection.writer.close()
    return FoundEngine(endpoint.host_pid(), endpoint.log, said)
