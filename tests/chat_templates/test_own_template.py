"""The marks of a model's chat template: where its files are, what is kept, and templates that mean no good."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shiftlens.chat_templates import own
from shiftlens.chat_templates.derive import Irregular, derive
from shiftlens.chat_templates.files import TemplateFiles, template_files
from shiftlens.chat_templates.own import model_template
from shiftlens.scores.location import CACHE_DIR_VARIABLE
from shiftlens.transcripts.template_marks import RUN
from unusual_templates import AS_JSON, BARE, BROKEN, DATED, ENDLESS, GUILLEMETS, SHOUTING, files


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(folder))
    own._known.cache_clear()
    return folder / "chat_templates"


def model(folder: Path, *, jinja: str = "", config: dict[str, Any] | None = None, **others: Any) -> str:
    """A folder with the files of a tokenizer that tell of its template; its name."""
    folder.mkdir(exist_ok=True)
    if jinja:
        (folder / "chat_template.jinja").write_text(jinja, encoding="utf-8")
    for name, value in {"tokenizer_config": config, **others}.items():
        if value is not None:
            (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return str(folder)


def test_a_model_on_a_server_has_the_template_of_the_tokenizer_that_it_names(tmp_path: Path) -> None:
    served = "vllm:http://localhost:8000#tuned"
    named = f"{served};tokenizer={model(tmp_path / 'model', jinja=GUILLEMETS)}"
    found = model_template(named)
    assert found.marks is not None
    assert found.model == named
    assert "`;tokenizer=PLACE`" in model_template(served).reason
    assert model_template(f"{served};tokenizer={tmp_path / 'none'}").reason.startswith(str(tmp_path / "none"))
    assert model_template("vllm:nonsense").marks is None


@pytest.mark.parametrize(
    "where",
    [
        {"jinja": GUILLEMETS},
        {"config": {"chat_template": GUILLEMETS}},
        {
            "config": {
                "chat_template": [{"name": "tool_use", "template": "x"}, {"name": "default", "template": GUILLEMETS}]
            }
        },
        {"config": {"chat_template": {"default": GUILLEMETS}}},
        {"chat_template": {"chat_template": GUILLEMETS}},
        {"jinja": GUILLEMETS, "config": {"chat_template": "older"}},
    ],
    ids=["jinja", "config", "named list", "mapping", "json", "jinja goes first"],
)
def test_a_template_is_found_where_models_keep_it(tmp_path: Path, where: dict[str, Any]) -> None:
    found = template_files(model(tmp_path / "model", **where))
    assert found is not None
    assert found.text == GUILLEMETS


def test_special_tokens_are_texts_or_objects_in_either_file(tmp_path: Path) -> None:
    config = {"chat_template": DATED, "bos_token": {"content": "<s>"}, "eos_token": None}
    found = template_files(model(tmp_path / "model", config=config, special_tokens_map={"eos_token": "</s>"}))
    assert found == TemplateFiles(DATED, (("bos_token", "<s>"), ("eos_token", "</s>")))
    assert found.bos == "<s>"


def test_an_adapter_has_the_template_of_the_model_below_it(tmp_path: Path) -> None:
    below = model(tmp_path / "below", jinja=GUILLEMETS)
    adapter = model(tmp_path / "adapter", adapter_config={"base_model_name_or_path": below})
    found = template_files(adapter)
    assert found is not None
    assert found.text == GUILLEMETS


@pytest.mark.parametrize("config", [{}, {"chat_template": []}, {"chat_template": {"rag": "x"}}, [], "x"])
def test_a_model_without_a_template_has_none(tmp_path: Path, config: Any) -> None:
    assert template_files(model(tmp_path / "model", config=config)) is None


def test_broken_files_are_no_template(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    model(folder)
    (folder / "tokenizer_config.json").write_bytes(b'{"chat_template": "\xff')
    assert template_files(str(folder)) is None


def test_a_changed_template_is_read_anew(tmp_path: Path) -> None:
    name = model(tmp_path / "model", jinja=GUILLEMETS)
    first, again = template_files(name), template_files(name)
    assert first is again
    model(tmp_path / "model", jinja=DATED)
    changed = template_files(name)
    assert changed is not None
    assert changed.text == DATED


def test_marks_are_found_once_and_kept_by_content(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = model(tmp_path / "model", jinja=GUILLEMETS)
    found = model_template(name)
    assert found.marks == derive(TemplateFiles(GUILLEMETS, ()))
    assert [path.suffix for path in cache.iterdir()] == [".json"]

    def no_process(*_: object, **__: object) -> None:
        raise AssertionError

    own._known.cache_clear()
    monkeypatch.setattr(subprocess, "run", no_process)
    assert model_template(model(tmp_path / "copy", jinja=GUILLEMETS)).marks == found.marks


def test_a_broken_file_of_the_cache_is_written_anew(tmp_path: Path, cache: Path) -> None:
    name = model(tmp_path / "model", jinja=GUILLEMETS)
    found = model_template(name)
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    for broken in (b"", b"{", b'{"marks": {"separators": 3}}'):
        kept.write_bytes(broken)
        own._known.cache_clear()
        assert model_template(name) == found
        assert kept.read_bytes() == whole


def test_a_cache_that_cant_be_written_is_done_without(tmp_path: Path, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    assert model_template(model(tmp_path / "model", jinja=GUILLEMETS)).marks is not None


def test_a_model_that_is_not_on_this_machine_is_not_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    found = model_template("somebody/some-model")
    assert found.marks is None
    assert found.reason == "somebody/some-model has no chat template on this machine, and nothing is downloaded."


def test_an_endless_template_is_stopped_and_its_process_is_gone(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "SECONDS", 2.0)
    started: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    name = model(tmp_path / "model", jinja=ENDLESS)
    found = model_template(name)
    assert found.reason == f"No text can be read by the chat template of {name}: it was stopped after 2 seconds."
    (process,) = started
    assert process.returncode is not None
    assert not cache.exists()
    assert model_template(name) == found
    assert len(started) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'x' * 4000000000 }}",
        "{% set ns = namespace(t='xxxxxxxxxx') %}{% for i in range(40) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.format.__globals__ }}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{{ " + "(" * 5000 + ")" * 5000 + " }}",
        "{{ " + "-" * 100_000 + "1 }}",
        "",
        "\x00",
    ],
    ids=["product", "doubling", "classes", "globals", "recursion", "parentheses", "signs", "empty", "nul"],
)
def test_a_template_that_means_no_good_gives_a_reason_and_no_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(own, "SECONDS", 4.0)
    found = model_template(model(tmp_path / "model", jinja=text or "{# nothing #}"))
    assert found.marks is None
    assert found.reason.endswith(".")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BARE, "writes no mark between a question and its answer"),
        (SHOUTING, "does not write a question and an answer as they are given"),
        (AS_JSON, "reads as other turns"),
        (BROKEN, "can't be compiled"),
        (GUILLEMETS + RUN, "private use"),
        ("{% for m in messages | reverse %}<{{ m.role }}>{{ m.content }}</>{% endfor %}", "does not write"),
        ("{% for m in messages %}<{{ m.role }}>{{ m.content[:9] }}</>{% endfor %}", "not found again|other turns"),
        ("{{ messages | map(attribute='content') | join('</>') }}", "reads as other turns|no mark before"),
        ("{{ raise_exception('no') }}", "does not write"),
    ],
)
def test_a_template_without_regular_marks_has_a_reason(text: str, reason: str) -> None:
    with pytest.raises(Irregular, match=reason):
        derive(files(text))


def test_finding_the_marks_imports_no_heavy_library() -> None:
    code = (
        "import sys, shiftlens.chat_templates.__main__;"
        "print([m for m in ('torch', 'transformers', 'numpy', 'tokenizers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
