"""Tokens and the text that they are: each byte of the text is in one token, or the reason is told."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.saved.align import align, occurrences, place
from shiftlens.saved.tokens import Candidate, SavedError, SavedToken, named, rank_of_token

TEXTS = st.text(min_size=1, max_size=40).filter(lambda text: "\ufffd" not in text)


def of_bytes(data: bytes) -> SavedToken:
    return SavedToken(named(data.decode("utf-8", "replace"), list(data)), -1.0)


def of_text(text: str) -> SavedToken:
    return SavedToken(named(text), -1.0)


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """A text, and its bytes cut anywhere, also within characters."""
    text = draw(TEXTS)
    data = text.encode()
    cuts = sorted(draw(st.sets(st.integers(1, len(data) - 1)))) if len(data) > 1 else []
    edges = [0, *cuts, len(data)]
    return text, [data[first:past] for first, past in itertools.pairwise(edges)]


@given(cut_texts(), st.sampled_from([b"", b" ", b"\n"]), st.sampled_from([b"", b"\n\n"]))
def test_tokens_with_bytes_partition_the_text_wherever_they_cut_it(
    cut: tuple[str, list[bytes]], before: bytes, behind: bytes
) -> None:
    text, pieces = cut
    shown = text.strip(" \t\r\n")
    if not shown:
        return
    tokens = [of_bytes(piece) for piece in (before + pieces[0], *pieces[1:-1], pieces[-1] + behind)]
    if len(pieces) == 1:
        tokens = [of_bytes(before + pieces[0] + behind)]
    found = align(tokens, [shown])
    assert found.byte_ends == tuple(sorted(found.byte_ends))
    assert found.byte_ends[-1] == len(shown.encode())
    begin = 0
    for row, end in zip(found.rows, found.byte_ends, strict=True):
        data = tokens[row].name.data
        assert data is not None
        assert shown.encode()[begin:end] in data
        begin = end


@given(cut_texts())
def test_tokens_with_replacement_characters_keep_whole_characters_in_their_places(cut: tuple[str, list[bytes]]) -> None:
    text, pieces = cut
    tokens = [of_text(piece.decode("utf-8", "replace")) for piece in pieces]
    try:
        found = align(tokens, [text])
    except SavedError:
        # Of pieces of several characters nothing tells which is of which.
        return
    assert found.byte_ends[-1] == len(text.encode())
    begin = 0
    for row, end in zip(found.rows, found.byte_ends, strict=True):
        assert end >= begin
        whole = text.encode()[begin:end].decode("utf-8", "ignore")
        assert whole in (tokens[row].name.text or "") or "\ufffd" in (tokens[row].name.text or "")
        begin = end


def test_a_character_that_three_tokens_share_is_split_in_their_order() -> None:
    tokens = [of_text(" \ufffd"), of_text("\ufffd"), of_text("\ufffd"), of_text("!")]
    assert align(tokens, [" 🙂!"]).byte_ends == (2, 3, 5, 6)


def test_two_characters_that_no_bytes_tell_apart_are_refused() -> None:
    with pytest.raises(SavedError, match="several characters"):
        align([of_text("\ufffd")] * 4, ["é漢"])


def test_bytes_that_are_spelled_in_the_text_are_bytes() -> None:
    tokens = [of_text("bytes: \\xf0\\x9f"), of_text("bytes:\\x99\\x82")]
    assert align(tokens, [" 🙂"]).byte_ends == (3, 5)


def test_the_token_that_ends_the_turn_is_its_end_and_others_are_left_out() -> None:
    found = align([of_text("a"), of_text("<|im_end|>"), of_text("\n")], ["a"])
    assert (found.rows, found.end, found.left_out) == ((0,), 1, 1)


def test_what_was_cut_off_by_a_stop_string_is_no_end() -> None:
    found = align([of_text("a"), of_text("\nUser")], ["a"])
    assert (found.end, found.left_out) == (None, 1)


def test_a_text_that_stands_twice_is_not_chosen_among() -> None:
    with pytest.raises(SavedError, match="more than once"):
        place([of_text("yes"), of_text(" or "), of_text("yes")], "yes")


def test_all_of_what_was_generated_is_the_text_whatever_it_repeats() -> None:
    found = place([of_text("ha"), of_text("ha"), of_text("</s>")], "haha")
    assert (found.first, found.past) == (0, 2)


def test_a_text_that_stands_within_a_token_and_behind_it_is_the_one_behind_it() -> None:
    found = place([of_text("xab ab"), of_text(" "), of_text("\n a"), of_text("b"), of_text("c")], "ab")
    assert (found.first, found.past, found.ends) == (2, 4, (1, 2))


def test_a_text_that_begins_within_a_token_is_not_there() -> None:
    with pytest.raises(SavedError, match="same for 0 of its 2 characters"):
        place([of_text("xab")], "ab")


def test_parts_are_found_each_by_itself_where_there_are_tokens_between_them() -> None:
    tokens = [of_text("hm"), of_text("</think>"), of_text("a"), of_text(" b")]
    found = align(tokens, ["hm", "a b"])
    assert (found.rows, found.byte_ends, found.parts) == ((0, 2, 3), (2, 3, 5), (0, 1))


@given(st.text("ab", max_size=40), st.text("ab", min_size=1, max_size=12))
def test_every_place_of_bytes_in_others_is_found_also_where_they_overlap(data: str, wanted: str) -> None:
    places = [at for at in range(len(data)) if data.startswith(wanted, at)]
    assert list(occurrences(data.encode(), wanted.encode())) == places


def test_no_bytes_are_nowhere() -> None:
    assert list(occurrences(b"ab", b"")) == []


def test_a_long_text_that_repeats_itself_is_looked_for_in_one_go() -> None:
    # It begins with each token and ends within another: looking at each place by itself compares 20,000,000,000 bytes.
    tokens = [of_text("haha")] * 200_000
    with pytest.raises(SavedError, match="are not the text of the response"):
        place(tokens, "ha" * 100_001)
    found = place([*tokens, of_text("ha!")], "ha" * 100_001 + "!")
    assert (found.first, found.past, found.ends[-1]) == (150_000, 200_001, 200_003)


def test_a_text_that_stands_in_very_many_places_is_not_chosen_among() -> None:
    with pytest.raises(SavedError, match="more than once"):
        place([of_text("ha")] * 100_000, "ha" * 50_000)


def test_where_looking_is_given_up_that_is_the_reason_and_not_that_the_text_is_not_there() -> None:
    tokens = [*[of_text("a")] * 4000, of_text("b\ufffd")]
    with pytest.raises(SavedError, match="looking for the text of the response among them was given up"):
        place(tokens, "a" * 3000 + "c")


LISTS = st.lists(st.floats(-20, -0.75, width=32), min_size=2, max_size=8, unique=True)


@given(LISTS, st.data())
def test_a_rank_is_never_told_other_than_it_is(values: list[float], data: st.DataObject) -> None:
    own = data.draw(st.sampled_from(values))
    k = data.draw(st.integers(0, len(values)))
    top = sorted(values, reverse=True)[:k]
    listed = tuple(Candidate(named(f"t{value}"), value) for value in top)
    rank = 1 + sum(value > own for value in values)
    found = rank_of_token(SavedToken(named(f"t{own}"), own, listed))
    assert found == rank if rank <= k else found == -k


def test_a_text_with_split_characters_is_found_within_a_prompt() -> None:
    tokens = [of_text(text) for text in ("<|im_start|>", "assistant", "\n", "ok \ufffd", "\ufffd", "!", "<|im_end|>")]
    found = align(tokens, ["ok é!"])
    assert (found.rows, found.byte_ends, found.end) == ((3, 4, 5), (4, 5, 6), 6)


def test_a_text_with_split_characters_that_stands_twice_is_not_chosen_among() -> None:
    tokens = [of_text(text) for text in ("\ufffd", "\ufffd", ",", "\ufffd", "\ufffd")]
    with pytest.raises(SavedError, match="more than once"):
        align(tokens, ["é"])
