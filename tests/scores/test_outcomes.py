"""Scores are kept by content, within a bound."""

from __future__ import annotations

from dataclasses import replace

from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.outcomes import OutcomeCache, Refusal, content_key, size_of
from shiftlens.scores.requests import ContextTurn, ResponseToScore, digest_of, one_text

_RESPONSE = ResponseToScore(turns=(ContextTurn.of("user", "q"),), parts=one_text("o"), source_format="labels")
_PAIR = PairSpec(base="b", aligned="a")


def test_what_changes_the_numbers_changes_the_key() -> None:
    other = ResponseToScore(turns=(), parts=one_text("o"), source_format="labels")
    keys = {
        content_key(digest_of(_RESPONSE), _PAIR, ScoreOptions()),
        content_key(digest_of(other), _PAIR, ScoreOptions()),
        content_key(digest_of(_RESPONSE), replace(_PAIR, base="c"), ScoreOptions()),
        content_key(digest_of(_RESPONSE), _PAIR, ScoreOptions(top_k=3)),
    }
    assert len(keys) == 4
    assert content_key(digest_of(_RESPONSE), PairSpec(base="b", aligned="a"), ScoreOptions()) in keys


def test_the_least_recently_used_is_let_go_first() -> None:
    one = Refusal("x" * 10)
    store = OutcomeCache(max_bytes=2 * size_of(one))
    store.put(b"1", one)
    store.put(b"2", one)
    assert store.get(b"1") is one
    store.put(b"3", one)
    assert store.get(b"2") is None
    assert store.get(b"1") is one
    assert store.cached_bytes == 20


def test_what_is_larger_than_the_bound_is_held_alone() -> None:
    store = OutcomeCache(max_bytes=5)
    store.put(b"1", Refusal("x" * 10))
    store.put(b"2", Refusal("y" * 10))
    assert store.get(b"1") is None
    assert store.get(b"2") is not None
    assert store.cached_bytes == 10


def test_keeping_a_key_again_counts_it_once() -> None:
    store = OutcomeCache()
    store.put(b"1", Refusal("abc"))
    store.put(b"1", Refusal("a"))
    assert store.cached_bytes == 1
    store.forget((b"1", b"unknown"))
    assert store.cached_bytes == 0
