"""What stands around the project: workflows that trust nothing they need not, forms that ask for what helps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

GITHUB = Path(__file__).parents[1] / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def loaded(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_says_what_was_not_run_and_pins_actions_by_commit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "no job of this file has run" in text.partition("name:")[0]
    actions = re.findall(r"uses: (.+)", text)
    assert actions
    assert [action for action in actions if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_write_only_where_a_job_says_so(path: Path) -> None:
    workflow = loaded(path)
    assert set(workflow["permissions"].values() if workflow["permissions"] else ()) <= {"read"}
    writers = {name for name, job in workflow["jobs"].items() if "write" in (job.get("permissions") or {}).values()}
    assert writers == ({"package", "notes"} if path.name == "release.yml" else set())


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_warns_of_transcripts_and_asks_for_what_helps(path: Path) -> None:
    text, form = path.read_text(encoding="utf-8"), loaded(path)
    first = form["body"][0]
    assert first["type"] == "markdown"
    assert "Please paste no" in first["attributes"]["value"]
    assert re.search(r"`shiftlens (doctor .*--format json|--version)`", text)
    required = [item["id"] for item in form["body"] if item.get("validations", {}).get("required")]
    assert len(required) >= 3
