"""Lines and columns, against the plainest way to count them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shiftlens.text.lines import LineIndex, Unit

UNITS: tuple[Unit, ...] = ("utf-8", "utf-16", "utf-32")
units = st.sampled_from(UNITS)
texts = st.text(st.sampled_from("ab \r\n\u2028\u2029\x0b\x0c\x85é中😀🇩\ud83d"), max_size=40)
long_texts = st.builds(lambda text, times: text * times, texts, st.integers(1, 80))


def naive_lines(text: str) -> list[tuple[int, int]]:
    """Content span of each line, by reading one character after another."""
    lines, start, i = [], 0, 0
    while i < len(text):
        if text[i] in "\r\n":
            past = i + (2 if text[i : i + 2] == "\r\n" else 1)
            lines.append((start, i))
            start = i = past
        else:
            i += 1
    return [*lines, (start, len(text))]


def width(text: str, unit: Unit) -> int:
    return sum(
        1 if unit == "utf-32" else len(c.encode("utf-8", "surrogatepass")) if unit == "utf-8" else 1 + (ord(c) > 0xFFFF)
        for c in text
    )


@given(texts)
def test_lines_break_at_lf_crlf_and_cr_only(text: str) -> None:
    index = LineIndex(text)
    assert [index.line_span(line) for line in range(index.line_count)] == naive_lines(text)


@given(long_texts, units, st.data())
def test_an_offset_has_the_position_that_counting_gives(text: str, unit: Unit, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    lines = naive_lines(text)
    line = max(i for i, (start, _) in enumerate(lines) if start <= offset)
    start, end = lines[line]
    assert LineIndex(text).position(offset, unit) == (line, width(text[start : min(offset, end)], unit))


@given(long_texts, units, st.data())
@example("😀" * 300, "utf-16", None)
def test_a_position_leads_back_to_its_offset(text: str, unit: Unit, data: st.DataObject | None) -> None:
    index = LineIndex(text)
    offset = data.draw(st.integers(0, len(text))) if data is not None else 299
    line, column = index.position(offset, unit)
    _, end = index.line_span(line)
    assert index.offset(line, column, unit) == min(offset, end)


@pytest.mark.parametrize("unit", UNITS)
def test_positions_past_the_end_are_the_end(unit: Unit) -> None:
    index = LineIndex("é\r\nab")
    assert index.offset(0, 99, unit) == 1
    assert index.offset(1, 99, unit) == 5
    assert index.offset(7, 0, unit) == 5
    assert index.position(99, unit) == (1, 2)
    assert index.position(-1, unit) == (0, 0)
    assert index.offset(-1, 3, unit) == 0


def test_a_column_inside_a_character_is_its_start() -> None:
    index = LineIndex("a😀b")
    assert index.offset(0, 2, "utf-16") == 1
    assert index.offset(0, 4, "utf-8") == 1
    assert index.offset(0, 3, "utf-16") == 2


def test_a_text_without_a_final_line_break_has_no_empty_line_at_its_end() -> None:
    assert (LineIndex("a\nb").line_count, LineIndex("a\nb\n").line_count, LineIndex("").line_count) == (2, 3, 1)
    assert LineIndex("").position(0) == (0, 0)


def test_there_is_no_line_past_the_last() -> None:
    with pytest.raises(IndexError):
        LineIndex("a").line_span(1)


@given(long_texts, units, st.data())
def test_the_length_of_a_span_is_that_of_its_characters(text: str, unit: Unit, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert LineIndex(text).units(start, end, unit) == width(text[start:end], unit)
