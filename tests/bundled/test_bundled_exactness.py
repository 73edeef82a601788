"""Every bundled transcript, from the file to the numbers, against a plain loop of full forward passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.hand_made import base_of
from passes import opened_pair, score_rows
from plain_scoring import kl, plain_rows
from shiftlens.analysis.classify import build
from shiftlens.analysis.model import Token
from shiftlens.analysis.tokens import tokens
from shiftlens.bundled.paths import transcripts
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.scores.requests import to_score
from shiftlens.scoring.inputs.prepare import prepare
from shiftlens.scoring.numbers.pack import pack
from shiftlens.scoring.opening.pair import OpenedPair
from shiftlens.transcripts import Response, Transcript, decode, read

NATS = 1e-4
MOST_ROWS = 40
"""Rows compared per response: a full forward pass each, spread evenly over it."""


@pytest.fixture(scope="module")
def pair() -> OpenedPair:
    spec = PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, device="cpu")
    return opened_pair(spec)


def transcript_of(path: Path) -> tuple[str, Transcript]:
    text = decode(path.read_bytes())
    transcript = read(text, filename=path.name)
    assert transcript is not None
    assert transcript.responses
    return text, transcript


@pytest.mark.parametrize("path", transcripts(), ids=lambda path: path.name)
def test_a_bundled_transcript_has_the_numbers_of_full_forward_passes(pair: OpenedPair, path: Path) -> None:
    text, transcript = transcript_of(path)
    ties = 0
    for response in transcript.responses:
        ties += _check(pair, text, transcript.format, response)
    assert ties == 0


def _check(pair: OpenedPair, text: str, source_format: str, response: Response) -> int:
    """Compare one response; returns how many of its compared positions have tied logits."""
    prepared = prepare(pair.base.loaded, pair.aligned.loaded, to_score(response, source_format), ScoreOptions())
    (*_, rows) = score_rows(pair.base.causal, pair.aligned.causal, prepared, 10, memory=pair.memory)
    scored = pack(prepared, rows.all(), pair.encoders)
    found = list(tokens(build(response, scored, ClassifyOptions())))
    assert "".join(token.text for token in found) == response.text
    _assert_spans(text, source_format, found, response)
    ties = 0
    for token in found[:: 1 + len(found) // MOST_ROWS]:
        sides = ((pair.base, prepared.base, base_of(token)), (pair.aligned, prepared.aligned, token.aligned))
        plains = []
        for opened, side, ours in sides:
            assert ours.id is not None
            context = [*side.prefix_ids, *prepared.ids[: token.index]]
            (plain,) = plain_rows(opened.loaded.model, context, [], [ours.id])
            plains.append(plain)
            ties += plain.ties
            assert ours.logprob == pytest.approx(plain.logprob, abs=NATS)
            assert ours.rank == plain.rank
            expected = plain.logprobs.topk(10)
            assert [candidate.id for candidate in ours.top] == expected.indices.tolist()
        assert token.kl == pytest.approx(kl(plains[1], plains[0]), abs=NATS)
    return ties


def _assert_spans(text: str, source_format: str, found: list[Token], response: Response) -> None:
    at = response.turn.source_start
    for token in found:
        assert token.start == at
        at = token.end
        if source_format not in {"openai", "aligntds-json"}:
            assert text[token.start : token.end] == token.text
    assert at == response.turn.source_end
    assert found[-1].start == found[-1].end
