"""Scores that are put aside come back as they were, and an analysis of them is the same document."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest

from analysis.hand_made import scored
from shiftlens.analysis.contract import to_json
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Done, Refused, Score, Scored
from shiftlens.errors import ShiftLensError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.pipeline import put_aside as module
from shiftlens.pipeline.analyse import analyse
from shiftlens.pipeline.put_aside import put_aside
from shiftlens.scores.outcomes import Refusal, Result
from shiftlens.text.json_pieces import json_pieces
from shiftlens.transcripts.read import read

TALK = "".join(f"User: q{i}\nAssistant: ab\n\n" for i in range(5))
CHOICE = Choice(PairSpec(base="b", aligned="a"), ScoreOptions(), ClassifyOptions(), ())


class Engine:
    """Scores every response but the second one, the last first."""

    async def run(self, request: Score) -> AsyncGenerator[Any, None]:
        for index in reversed(range(len(request.responses))):
            if index == 1:
                yield Refused(job=1, index=index, problem="No.", remedy="")
            else:
                yield Scored(job=1, index=index, scored=scored([b"a", b"b"]))
        yield Done(job=1)


def test_what_is_known_is_had_as_it_was_put(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_IN_MEMORY_BYTES", 100)
    complete, partial, refused = (
        Result(scored([b"a"])),
        Result(scored([b"a", b"b"]), partial=True),
        Result(Refusal("No.", by_choice=True)),
    )
    with put_aside(tmp_path) as aside:
        aside[b"1"], aside[b"2"], aside[b"3"] = partial, partial, refused
        aside[b"1"] = complete
        assert [aside[key] for key in (b"1", b"2", b"3")] == [complete, partial, refused]
        assert (set(aside), len(aside), b"4" in aside) == ({b"1", b"2", b"3"}, 3, False)
        del aside[b"1"]
        with pytest.raises(KeyError):
            aside[b"1"]
    assert list(tmp_path.iterdir()) == []


async def test_the_document_is_the_same_whether_scores_are_held_or_put_aside() -> None:
    transcript = read(TALK, filename="talk.txt")
    assert transcript is not None
    engine = cast(EngineClient, Engine())
    held = await analyse(engine, transcript, CHOICE)
    with put_aside() as aside:
        found = await analyse(engine, transcript, CHOICE, aside=aside)
        assert found.refused == held.refused == ((1, "No."),)
        lazily = to_json(found.analysis, "talk.txt", refused=found.refused, lazily=True)
        written = "".join(json_pieces(lazily, 1))
    assert written == json.dumps(to_json(held.analysis, "talk.txt", refused=held.refused), indent=1)
    assert len(held.analysis.responses) == 4


def test_a_full_disk_is_told_with_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(_: bytes) -> int:
        raise OSError(28, "No space left on device")

    with put_aside(tmp_path) as aside:
        monkeypatch.setattr(aside._file, "write", full)
        with pytest.raises(ShiftLensError, match=f"{tmp_path}: No space left on device"):
            aside[b"1"] = Result(scored([b"a"]))


def test_a_disk_that_is_full_when_scores_are_read_is_told_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(_: int) -> int:
        raise OSError(28, "No space left on device")

    with put_aside(tmp_path) as aside:
        aside[b"1"] = Result(scored([b"a"]))
        monkeypatch.setattr(aside._file, "seek", full)
        with pytest.raises(ShiftLensError, match=f"{tmp_path}: No space left on device"):
            aside[b"1"]
