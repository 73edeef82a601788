"""`shiftlens doctor`: what is installed, and whether a pair loads."""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlens import __version__
from shiftlens.bundled.paths import resolve_model_name
from shiftlens.cli.options import add_pair_arguments, check_pair_arguments, pair_of
from shiftlens.errors import EngineError, ShiftLensError
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec

if TYPE_CHECKING:
    from shiftlens.engine.protocol import EngineState
    from shiftlens.engine.sharing.running import FoundEngine
    from shiftlens.scores.description import ModelDescription

SCHEMA = "shiftlens-doctor/1"

_LIBRARIES = ("pygls", "lsprotocol", "msgspec", "torch", "transformers", "safetensors", "peft")
_REINSTALL = "Install shiftlens again in this Python."


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. `remedy` says what to do where `ok` is false."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "doctor",
        help="check the installation and whether a pair of models loads",
        description="Check the installation and whether a pair of models loads (without options, the bundled one).",
    )
    add_pair_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default %(default)s")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    """Exit code 0 where every check is fine, else 1."""
    check_pair_arguments(parser, args)
    own_pair = args.base or args.aligned
    base, aligned = (args.base or "", args.aligned or "") if own_pair else (BUNDLED_BASE, BUNDLED_ALIGNED)
    try:
        pair = pair_of(args, base, aligned)
    except ShiftLensError as error:
        parser.error(str(error))
    versions = {name: _version(name) for name in _LIBRARIES}
    checks = [_python(), *(_library(name, version) for name, version in versions.items()), _bundled()]
    loaded, models, state, engines = asyncio.run(_engine(pair))
    checks += loaded
    ok = all(check.ok for check in checks)
    if args.format == "json":
        print(json.dumps(_report(ok, versions, checks, models, state, engines), indent=1))
    else:
        _print(checks, engines, ok)
    return 0 if ok else 1


def _version(library: str) -> str | None:
    # With half of `email` behind it; every command would wait for it.
    from importlib import metadata

    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _python() -> Check:
    version = platform.python_version()
    fine = sys.version_info >= (3, 10)
    return Check("python", fine, f"{version} on {platform.platform()}, {sys.executable}", "Use Python 3.10 or newer.")


def _library(name: str, version: str | None) -> Check:
    return Check(name, version is not None, version or "not installed", _REINSTALL)


def _bundled() -> Check:
    folders = [Path(folder) for folder in _bundled_folders().values()]
    missing = [str(folder) for folder in folders if not (folder / "config.json").is_file()]
    detail = "missing: " + ", ".join(missing) if missing else str(folders[0].parent)
    return Check("bundled pair", not missing, detail, _REINSTALL)


def _bundled_folders() -> dict[str, str]:
    return {"base": resolve_model_name(BUNDLED_BASE), "aligned": resolve_model_name(BUNDLED_ALIGNED)}


async def _engine(
    pair: PairSpec,
) -> tuple[list[Check], dict[str, dict[str, object]], dict[str, object] | None, list[FoundEngine]]:
    """Whether an engine starts and the pair loads there, what the models and the engine say of themselves, and which
    engines run.

    Where a shared engine runs already, that one is asked; one that is started for this ends with it.
    """
    import msgspec

    from shiftlens.engine.client import EngineClient, Sharing
    from shiftlens.engine.sharing.running import running_engines

    engines = await running_engines()
    engine = EngineClient(sharing=Sharing.SHARED_IF_RUNNING)
    try:
        described = await engine.describe(pair)
    except EngineError as error:
        return [Check("engine", False, error.problem, error.remedy)], {}, None, engines
    except ShiftLensError as error:
        checks = [Check("engine", True, "starts"), Check("models", False, error.problem, error.remedy)]
        return checks, {}, None, engines
    finally:
        await engine.close()
    models = {"base": described.base, "aligned": described.aligned}
    about = {"base": described.about_base, "aligned": described.about_aligned}
    checks = [
        Check(name, True, f"{model.name}: {_adapter_words(model)}{_model_words(model, about[name])}")
        for name, model in models.items()
    ]
    builtins = {name: _as_json(model) for name, model in models.items()}
    state: dict[str, object] = msgspec.to_builtins(described.engine)
    if all(about.values()):
        # Nothing is computed here.
        started = Check("engine", True, "starts; both models of this pair are on servers")
        state["threads"] = None
    else:
        started = Check("engine", True, f"starts; {_state_in_words(described.engine)}")
    return [started, *checks], builtins, state, engines


def _state_in_words(state: EngineState) -> str:
    threads = f"{state.threads} thread{'' if state.threads == 1 else 's'}"
    cores = f"{state.cores} core{'' if state.cores == 1 else 's'}"
    niceness = "" if state.niceness is None else f", niceness {state.niceness} (0 is the usual one)"
    return f"{threads} for matrix products with this pair, of {cores}; waiting threads: {state.waiting}{niceness}"


def _as_json(model: ModelDescription) -> dict[str, object]:
    """What a server does not tell is null, as in the JSON of an analysis."""
    import msgspec

    told: dict[str, object] = msgspec.to_builtins(model)
    return {**told, "parameters": model.parameters or None, "vocabulary": model.vocabulary or None}


def _model_words(model: ModelDescription, about: tuple[str, ...]) -> str:
    if about:
        place = f" from {model.path}" if model.path else ""
        most = f", texts of up to {model.max_positions:,} tokens" if model.max_positions else ""
        return f"served by {model.device}{place}{most}. Its numbers were tried out. {' '.join(about)}"
    return (
        f"{model.architecture}, {model.parameters:,} parameters, vocabulary {model.vocabulary:,},"
        f" {model.dtype} on {model.device}, matrix products by {model.matrix_library}"
    )


def _adapter_words(model: ModelDescription) -> str:
    return f"adapter on {model.adapter_of}, " if model.adapter_of else ""


def _report(
    ok: bool,
    versions: dict[str, str | None],
    checks: list[Check],
    models: dict[str, dict[str, object]],
    state: dict[str, object] | None,
    engines: list[FoundEngine],
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "ok": ok,
        "shiftlens": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "versions": versions,
        "bundled": _bundled_folders(),
        "models": models,
        "engine": state,
        "engines": [engine.as_json() for engine in engines],
        "checks": [
            {
                "name": check.name,
                "ok": check.ok,
                "detail": check.detail,
                **({} if check.ok else {"remedy": check.remedy}),
            }
            for check in checks
        ],
    }


def _print(checks: list[Check], engines: list[FoundEngine], ok: bool) -> None:
    from shiftlens.text.visible import harmless

    print(f"shiftlens {__version__}")
    for check in checks:
        print(harmless(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}"))
        if not check.ok and check.remedy:
            print(harmless(f"      {check.remedy}"))
    for engine in engines:
        print(harmless(f"runs  {engine.in_words()}"))
    print("All is well." if ok else "Something is missing; see the lines that say FAIL.")
