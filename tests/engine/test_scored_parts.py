"""A response of several parts: the rows that are reported are those of the parts, with the numbers of a plain loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from passes import opened_pair, score_rows
from plain_scoring import plain_rows
from shiftlens.analysis.classify import build
from shiftlens.analysis.tokens import tokens
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.columns import float32, int32
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import to_score
from shiftlens.scoring.inputs.prepare import Prepared
from shiftlens.scoring.numbers.pack import pack
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Turn
from tiny_models import CHATML, byte_level_tokenizer, save_model

NATS = 1e-4
THINKING = CHATML.replace(
    "{{ message['content'] }}",
    "{% if message.reasoning_content %}<think>\n{{ message.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ message['content'] }}",
)
TEXTS = {"Why is the sky blue?": 0, "Air, so scatter": 30, "Because air scatters 🙂 light.": 60}


@pytest.fixture(scope="module")
def thinking(tmp_path_factory: pytest.TempPathFactory) -> OpenedPair:
    folder: Path = tmp_path_factory.mktemp("thinking")
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = THINKING
    base = save_model(folder / "base", tokenizer, seed=0)
    aligned = save_model(folder / "aligned", tokenizer, seed=1)
    return opened_pair(PairSpec(base=str(base), aligned=str(aligned), device="cpu"))


def part(kind: PartKind, text: str) -> Part:
    return Part(kind, text, SourceMap.verbatim(TEXTS[text], len(text)))


def response() -> Response:
    question, thought, answer = TEXTS
    turn = Turn(Role.ASSISTANT, (part(PartKind.REASONING, thought), part(PartKind.TEXT, answer)))
    return Response(0, (Turn(Role.USER, (part(PartKind.TEXT, question),)),), turn)


def scored(pair: OpenedPair, *, rows: int | None = None, **options: object) -> tuple[Prepared, ScoredResponse]:
    chosen = ScoreOptions(**options)  # type: ignore[arg-type]
    prepared = pair.prepare(to_score(response(), "json"), chosen)
    *_, collector = score_rows(pair.base.causal, pair.aligned.causal, prepared, 10)
    every = collector.all()
    return prepared, pack(prepared, every if rows is None else every.part(slice(rows), slice(rows)), pair.encoders)


def test_reported_rows_have_the_numbers_of_a_full_forward_per_position(thinking: OpenedPair) -> None:
    prepared, found = scored(thinking)
    assert prepared.reported is not None
    kept = [*prepared.reported.positions, len(prepared.ids)]
    assert found.rows == len(kept) < len(prepared.ids) + 1
    for loaded, side, columns in (
        (thinking.base.loaded, prepared.base, found.base),
        (thinking.aligned.loaded, prepared.aligned, found.aligned),
    ):
        plain = plain_rows(loaded.model, side.prefix_ids, prepared.ids, (*prepared.ids, side.end_id))
        for row, at in enumerate(kept):
            assert abs(float32(columns.logprob)[row] - plain[at].logprob) < NATS
            assert plain[at].ties or int32(columns.rank)[row] == plain[at].rank


def test_an_analysis_places_each_token_in_its_part_of_the_file(thinking: OpenedPair) -> None:
    _, found = scored(thinking)
    every = list(tokens(build(response(), found, ClassifyOptions())))
    _, thought, answer = TEXTS
    assert "".join(token.text for token in every) == thought + answer
    assert {token.start for token in every if token.start < 60} <= set(range(30, 30 + len(thought)))
    assert (every[-1].is_end, every[-1].start) == (True, 60 + len(answer))


def test_a_response_without_a_row_for_its_end_is_whole(thinking: OpenedPair) -> None:
    prepared, found = scored(thinking, parts=("reasoning",))
    assert found.rows == len(prepared.ids)
    assert found.parts == (0,)
    assert not any("positions are scored" in note for note in found.notes)
    assert not any(token.is_end for token in tokens(build(response(), found, ClassifyOptions())))


@pytest.mark.parametrize("rows", [1, 4, 12])
def test_a_first_part_of_the_rows_reports_what_it_has(thinking: OpenedPair, rows: int) -> None:
    prepared, found = scored(thinking, rows=rows)
    assert prepared.reported is not None
    assert found.rows == sum(row < rows for row in prepared.reported.positions)
    assert f"{found.rows} of {len(prepared.reported.positions) + 1} positions are scored." in found.notes
    assert len(list(tokens(build(response(), found, ClassifyOptions())))) == found.rows
