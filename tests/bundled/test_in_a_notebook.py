"""The notebook view, executed in a real kernel, with hostile text in tokens."""

from __future__ import annotations

from typing import Any

import pytest

from report.page_reader import PageReader

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lasting_engines")]

HOSTILE = "</div><script>alert(1)</script><img src=x onerror=alert(1)>\u202e"
CELLS = [
    "import shiftlens",
    f"messages = [dict(role='user', content='Say it'), dict(role='assistant', content='Great! It is ' + {HOSTILE!r})]",
    "shiftlens.analyze(messages, base='bundled:base', aligned='bundled:aligned')",
    "names = ['bundled:aligned', 'bundled:base']",
    "shiftlens.analyze(messages, base='bundled:base', aligned=names, aligned_context='few-shot')",
    "_.to_pandas()[['aligned_model', 'token', 'class', 'base_rank']]",
]


def test_a_notebook_shows_analyses_as_coloured_text_and_tables() -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    shown: list[dict[str, Any]] = [
        output["data"] for cell in notebook.cells for output in cell.outputs if output.output_type == "execute_result"
    ]
    one, several, table = (data["text/html"] for data in shown)
    for html in (one, several):
        found = PageReader(html)
        assert {element.tag for element in found.elements} <= {"div", "p", "b", "span", "br"}
        assert "\u202e" not in html
    tokens = [span for span in PageReader(one).all("span") if "title" in span.attributes]
    assert "".join(span.text for span in tokens) == "Great! It is " + HOSTILE.replace("\u202e", "<U+202E>") + "■"
    assert any("bold" in (span.attributes["style"] or "") for span in tokens)
    assert several.count("<b>Response 1</b>") == 2
    assert "bundled:base" in table
