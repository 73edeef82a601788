"""Which responses are scored at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpora.stand_in import aligntds, write_lines
from shiftlens.corpora import windows as module
from shiftlens.corpora.files import corpus_files
from shiftlens.corpora.reading import CorpusReader, Place
from shiftlens.corpora.windows import Window, by_length, windows


def told(found: Window) -> object:
    return [each.at for each in found.found], found.problems, found.then, found.done


rows = st.lists(st.one_of(st.integers(1, 60), st.just(0)), max_size=30)


@given(rows)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows_from_where_one_begins_are_those_that_there_would_have_been(tmp_path: Path, lengths: list[int]) -> None:
    """Else a run that goes on would come to other numbers than one that was never cut short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_RESPONSES", 4)
        patch.setattr(module, "MOST_CHARACTERS", 70)
        records = [aligntds(at, "x" * length) if length else "broken" for at, length in enumerate(lengths)]
        # As with any file, most of the rows have to be of the format.
        first = [aligntds(0, "first")] * (len(lengths) + 1)
        write_lines(tmp_path / "a.jsonl", [*first, *records])
        turn = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
        write_lines(tmp_path / "b.jsonl", [{"messages": turn * (length + 1)} for length in lengths[:3]])
        reader = CorpusReader(corpus_files([str(tmp_path)]), None, 10_000)
        every = list(windows(reader.read()))
        places = [each.at for window in every for each in window.found]
        assert places == sorted(set(places))
        assert len(places) == len(first) + sum(map(bool, lengths)) + sum(length + 1 for length in lengths[:3])
        assert max(len(window.found) for window in every) <= 4
        for at, window in enumerate(every):
            assert list(map(told, windows(reader.read(window.then)))) == list(map(told, every[at + 1 :]))


def test_short_responses_come_first_and_those_of_one_conversation_stay_together(tmp_path: Path) -> None:
    turn = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a" * 50}]
    write_lines(tmp_path / "a.jsonl", [{"messages": turn * 2}, {"messages": turn}])
    reader = CorpusReader(corpus_files([str(tmp_path)]), None, 10_000)
    (window,) = windows(reader.read())
    assert [each.at for each in by_length(window.found)] == [Place(0, 1), Place(0, 0), Place(0, 0, 1)]
