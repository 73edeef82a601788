"""What the extension installs is named by hash, and is what the project was tested with."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import lock_server
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SYSTEMS = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")]


def needed_on(python: str, system: str, machine: str, lock: Path = lock_server.SERVER_LOCK) -> list[str]:
    """The names of the packages of a lock of the extension, one for each line that holds there."""
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": system}
    requirements = map(Requirement, lock_server.locked_requirements(lock))
    return [
        canonicalize_name(each.name)
        for each in requirements
        if each.marker is None or each.marker.evaluate({**environment, "platform_machine": machine})
    ]


def test_every_package_of_the_extension_has_one_version_and_hashes() -> None:
    locked = lock_server.locked_requirements()
    assert len(locked) > 40
    for requirement, hashes in locked.items():
        assert re.fullmatch(r"==[\w.]+", str(Requirement(requirement).specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement


def test_what_is_installed_for_review_only_runs_no_model_and_has_hashes() -> None:
    review, whole = (
        lock_server.locked_requirements(lock) for lock in (lock_server.REVIEW_LOCK, lock_server.SERVER_LOCK)
    )
    names = {canonicalize_name(Requirement(line).name) for line in review}
    assert names & {"torch", "transformers", "tokenizers", "peft", "safetensors", "numpy"} == set()
    assert {"pygls", "flatbuffers", "msgspec", "rich"} <= names
    # The same versions, with the same hashes, wherever both have a package.
    assert [line for line in review if review[line] != whole.get(line)] == []


@pytest.mark.parametrize(("system", "machine"), SYSTEMS)
@pytest.mark.parametrize("python", ["3.10", "3.11", "3.14"])
def test_the_lock_for_review_only_holds_on_every_system(python: str, system: str, machine: str) -> None:
    names = needed_on(python, system, machine, lock_server.REVIEW_LOCK)
    assert sorted(names) == sorted(set(names))
    assert ("exceptiongroup" in names) == (python == "3.10")
    assert ("backports-zstd" in names) == (python != "3.14")


def test_pytorch_and_the_libraries_of_its_gpu_builds_are_not_held_to_hashes() -> None:
    names = {Requirement(line).name for line in lock_server.locked_requirements()}
    assert [name for name in names if name == "torch" or lock_server.OF_GPU_BUILDS.match(name)] == []
    assert lock_server.torch_requirement() == f"torch=={lock_server.pinned_versions()['torch']}"


@pytest.mark.parametrize(("system", "machine"), SYSTEMS)
@pytest.mark.parametrize("python", ["3.10", "3.11", "3.14"])
def test_the_lock_names_all_that_the_server_needs_once_on_every_system(python: str, system: str, machine: str) -> None:
    names = needed_on(python, system, machine)
    assert sorted(names) == sorted(set(names))
    assert {"transformers", "peft", "pygls", "jinja2", "tokenizers", "numpy", "setuptools"} <= set(names)
    assert ("colorama" in names) == (system == "win32")
    assert ("exceptiongroup" in names) == (python == "3.10")
    assert ("backports-zstd" in names) == (python != "3.14")


@pytest.mark.skipif(
    version("torch").partition("+")[0] != lock_server.pinned_versions()["torch"],
    reason="the versions that are installed are not those of the lock",
)
def test_the_extension_installs_the_versions_that_the_project_was_tested_with() -> None:
    assert lock_server.disagreement() == ""
    assert lock_server.disagreement(lock_server.REVIEW_LOCK) == ""


def test_locks_that_disagree_are_told(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    text = lock_server.SERVER_LOCK.read_text(encoding="utf-8")
    tested = lock_server.pinned_versions()["rich"]
    lock.write_text(text.replace(f"\nrich=={tested}", "\nrich==0.1"), encoding="utf-8")
    assert lock_server.disagreement(lock) == f"The extension's lock has rich==0.1, and the project's {tested}."
    lock.write_text(text.replace(f"\nrich=={tested}", "\npoor==0.1"), encoding="utf-8")
    assert lock_server.disagreement(lock) == "The extension's lock lacks rich."
