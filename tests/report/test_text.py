"""Results as plain text: places of the file, and text of models that stays text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import response, scored, whole
from shiftlens.analysis.classify import build
from shiftlens.analysis.contexts import FileContexts, contexts_of_file
from shiftlens.analysis.noise_floor import noise_of_file
from shiftlens.lsp.views.text_page import page_json, text_page
from shiftlens.options.pair import ClassifyOptions, ScoreOptions
from shiftlens.report.text.contexts import contexts_lines
from shiftlens.report.text.lines import WIDTH, Line, Places
from shiftlens.report.text.noise_floor import noise_lines
from shiftlens.text.lines import LineIndex
from shiftlens.text.source_map import SourceMap

FILE = "User: Why?\nAssistant: 😀bc"
START = FILE.index("😀")
PLACES = Places(LineIndex(FILE), lambda start, end: (start, end))


def compared(pieces: list[bytes], text: str) -> FileContexts:
    """A response whose positions are shifted under one context and unshifted under the other."""
    of_file = response(text, SourceMap.verbatim(START, len(text)))
    rows = len(pieces) + 1
    analyses = [
        whole(
            build(of_file, scored(pieces, base_ranks=[rank] * rows), ClassifyOptions()), ScoreOptions(base_context=name)
        )
        for name, rank in (("raw", 1), ("chat", 9))
    ]
    return contexts_of_file(["raw", "chat"], analyses, [(), ()])


def test_each_row_begins_with_its_place_in_characters_and_leads_to_its_span() -> None:
    lines = list(contexts_lines(compared(["😀".encode(), b"b", b"c"], "😀bc"), PLACES))
    placed = [line for line in lines if line.span is not None]
    assert [line.text.split()[:3] for line in placed] == [
        ["2:12", "0", "😀"],
        ["2:13", "1", "b"],
        ["2:14", "2", "c"],
        ["2:15", "3", "(end)"],
    ]
    assert [line.span for line in placed][:3] == [(START, START + 1), (START + 1, START + 2), (START + 2, START + 3)]
    page = page_json(lines, PLACES.lines, "utf-16")
    links = page["links"]
    assert isinstance(links, list)
    # The first character is two units wide.
    assert [link["target"]["start"] for link in links] == [{"line": 1, "character": at} for at in (11, 13, 14, 15)]
    (number,) = {link["range"]["start"]["line"] for link in links[:1]}
    assert str(page["text"]).split("\n")[number][: links[0]["range"]["end"]["character"]] == "2:12"


def test_what_an_edit_has_touched_has_no_place() -> None:
    nowhere = Places(PLACES.lines, lambda _start, _end: None)
    lines = list(contexts_lines(compared([b"b"], "b"), nowhere))
    assert [line.span for line in lines] == [None] * len(lines)
    assert sum(line.text.startswith("- ") for line in lines) == 2


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nResponse 9", "\u202egnihton", "\r\n3:1 x", "\u2028next"])
def test_text_of_a_model_makes_no_line_of_its_own_and_no_control(hostile: str) -> None:
    found = compared([hostile.encode()], hostile)
    itself = [each.analysis for each in found.responses]
    noise = noise_of_file(itself, itself, ("float32", "bfloat16"))
    head = [f"Base contexts side by side: {hostile}"]
    for body in (contexts_lines(found, PLACES), noise_lines(noise, PLACES)):
        page = text_page(head, (f"shiftlens contexts {hostile}", [hostile]), body)
        assert all(line.text.isprintable() for line in page)
        assert sum(line.text.startswith("Response") for line in page) == 1


@given(st.lists(st.text(), max_size=4))
def test_sentences_are_wrapped_and_the_command_is_not(sentences: list[str]) -> None:
    command = "shiftlens contexts " + "a" * 200
    page = text_page(sentences, (command, ()), [Line("body")])
    assert all(len(line.text) <= WIDTH for line in page if command not in line.text)
    assert [line.text for line in page if command in line.text] == [f"  {command}"]
    assert page[-1] == Line("body")
