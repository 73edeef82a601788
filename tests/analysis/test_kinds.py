"""What kind of token a position has: by the text, by the part, by the place in the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.hand_made import response, scored
from analysis.test_parts import analysed, part, turn
from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.kinds import kinds_of
from shiftlens.analysis.layout_marks import layout_of
from shiftlens.analysis.model import PartPositions
from shiftlens.analysis.token_kind import RULES, TokenKind
from shiftlens.analysis.tokens import tokens
from shiftlens.options.pair import ClassifyOptions
from shiftlens.options.word_lists import LanguageWords, WordLists
from shiftlens.transcripts.model import PartKind

CONTENT, FORMAT = TokenKind.CONTENT, TokenKind.FORMAT
CONNECTIVE, HEDGE = TokenKind.CONNECTIVE, TokenKind.HEDGE
OPENER, CLOSER = TokenKind.OPENER, TokenKind.CLOSER
SYNTAX, REASONING = TokenKind.SYNTAX, TokenKind.REASONING

PIECES = re.compile(r"\s*\w+|\s*[^\w\s]+|\s+")


def kinds(pieces: Sequence[str], word_lists: WordLists | None = None) -> list[TokenKind]:
    """The kinds of the tokens of an answer, without its end."""
    return kinds_of_bytes([piece.encode() for piece in pieces], word_lists)


def kinds_of_bytes(pieces: Sequence[bytes], word_lists: WordLists | None = None) -> list[TokenKind]:
    text = b"".join(pieces).decode()
    options = ClassifyOptions(word_lists=word_lists)
    return [item.kind for item in tokens(build(response(text), scored(pieces), options)) if not item.is_end]


def kind_of(text: str, of: str) -> TokenKind:
    """The kind of the first token of a text that says `of`, cut as a tokenizer would."""
    pieces = PIECES.findall(text)
    return next(kind for piece, kind in zip(pieces, kinds(pieces), strict=True) if piece.strip() == of)


MIDDLE = "It was there. It is one. It is two. {} Now it is three. It is four. It is five."


@pytest.mark.parametrize(
    ("text", "of", "kind"),
    [
        ("Air scatters blue light.", "scatters", CONTENT),
        ("Air scatters blue light.", ".", CONTENT),
        ("# Why\nAir", "#", FORMAT),
        ("# Why\nAir", "Why", CONTENT),
        ("One:\n- air", "-", FORMAT),
        ("One:\n- air", ":", FORMAT),
        ("One: air", ":", CONTENT),
        ("1. air\n2. light", "2", FORMAT),
        ("It is 2. And", "2", CONTENT),
        ("> air", ">", FORMAT),
        ("5 > 3", ">", CONTENT),
        ("It is **so** blue", "**", FORMAT),
        ("3 * 4", "*", CONTENT),
        ("| a | b |", "|", FORMAT),
        ("a | b", "|", CONTENT),
        ("a\n\n---\n\nb", "---", FORMAT),
        ("see [air](there)", "](", FORMAT),
        ("air<br>light", "br", FORMAT),
        ("use `pip`", "`", FORMAT),
        ("However, it is red.", "However", CONNECTIVE),
        ("However, it is red.", ",", CONNECTIVE),
        ("It may be red.", "may", HEDGE),
        ("use `may` here", "may", CONTENT),
        ("```\nmay\n```", "may", CONTENT),
        ("```python\nx\n```", "python", FORMAT),
        ("Sure, here it is.", "Sure", OPENER),
        ("Sure!", "!", OPENER),
        (MIDDLE.format("Sure, it is."), "Sure", CONTENT),
        ("It is so. I hope this helps!", "hope", CLOSER),
        (MIDDLE.format("I hope this helps!"), "hope", CONTENT),
        # In two lists: a phrase out of its place is of the next one.
        ("I apologize, it is not.", "apologize", OPENER),
        (MIDDLE.format("I apologize for that."), "apologize", HEDGE),
        ("Natürlich! Das ist der Grund.", "Natürlich", OPENER),
        ("Das ist jedoch nicht der Grund.", "jedoch", CONNECTIVE),
        ("C’est peut-être le vent.", "peut", HEDGE),
        ("Bonjour ! Il y a du vent.", "!", OPENER),
        ("El cielo es azul. Sin embargo, no es de la luz.", "embargo", CONNECTIVE),
        ("<think>", "think", SYNTAX),
    ],
)
def test_a_word_or_mark_is_of_its_kind(text: str, of: str, kind: TokenKind) -> None:
    assert kind_of(text, of) is kind


def test_the_pieces_of_a_word_are_of_the_kind_of_the_word() -> None:
    assert kinds(["How", "ever", ",", " a", "ir"]) == [CONNECTIVE] * 3 + [CONTENT] * 2
    assert kinds(["Show", "ever"]) == [CONTENT] * 2


def test_a_phrase_is_one_word_with_the_spaces_in_it() -> None:
    assert kinds(["In", " ", "addition", " ", "air"]) == [CONNECTIVE] * 3 + [FORMAT, CONTENT]
    assert kinds(["in", "\n", "addition"]) == [CONTENT, FORMAT, CONTENT]


def test_the_pieces_of_a_character_are_of_the_kind_of_the_character() -> None:
    assert kinds_of_bytes([b"\xe4\xbd", b"\x86", b"\xe6\x98", b"\xaf"]) == [CONNECTIVE] * 4
    assert kinds_of_bytes([b"Na", b"t\xc3", b"\xbcr", b"lich", b"!"]) == [OPENER] * 5
    assert kinds_of_bytes([b"\xf0\x9f", b"\x98", b"\x80"]) == [CONTENT] * 3


def test_a_token_of_marks_and_a_word_is_of_the_words_kind() -> None:
    assert kinds(["air", "\n\nHowever", ",", " **Air", "**"]) == [CONTENT, CONNECTIVE, CONNECTIVE, CONTENT, FORMAT]


def test_punctuation_with_a_line_break_in_the_same_token_is_layout_but_in_code() -> None:
    assert kinds(["air", ".\n\n", "Light", ".", "\n"]) == [CONTENT, FORMAT, CONTENT, CONTENT, FORMAT]
    assert kinds(["```\n", "x", "}\n", "y", "\n", "```"]) == [FORMAT, CONTENT, CONTENT, CONTENT, FORMAT, FORMAT]


def test_white_space_alone_is_layout() -> None:
    assert kinds(["air", "  ", "light", "\n\n", "is"]) == [CONTENT, FORMAT, CONTENT, FORMAT, CONTENT]


def test_chinese_needs_no_spaces_between_words() -> None:
    found = kinds(["好", "的", "，", "天空", "可能", "是", "蓝色", "的", "。", "希望", "对您", "有帮助", "！"])
    assert found == [OPENER] * 3 + [CONTENT] + [HEDGE] * 2 + [CONTENT] * 3 + [CLOSER] * 4


def test_the_language_with_the_most_common_words_decides() -> None:
    # "or" is a connective in French and not in English, "also" the other way round.
    assert kind_of("Or le vent est dans la mer et le ciel", "Or") is CONNECTIVE
    assert kind_of("Or is it the wind of the sea and the sky", "Or") is CONTENT
    assert kind_of("le vent est dans la mer also", "also") is CONTENT


def test_without_common_words_the_lists_of_every_language_count() -> None:
    assert [kinds([word])[0] for word in ("Sure", "Natürlich", "Volontiers", "Claro")] == [OPENER] * 4


def test_lists_of_the_users_tell_the_kinds() -> None:
    lists = (LanguageWords("it", common=("il",), connectives=("però",), openers=("certo",)),)
    assert kinds(["Certo", ",", " il", " vento", " pero\u0300", " however"], lists) == [
        *(OPENER, OPENER, CONTENT, CONTENT, CONNECTIVE, CONTENT)
    ]


def test_special_tokens_and_the_end_of_the_response_are_syntax() -> None:
    found = list(tokens(build(response("a<x>"), scored([b"a", b"<x>"], special=(1,)), ClassifyOptions())))
    assert [item.kind for item in found] == [CONTENT, SYNTAX, SYNTAX]


def test_parts_have_kinds_of_their_own_and_opening_and_closing_are_those_of_the_answers() -> None:
    parts = turn(
        part(PartKind.REASONING, "<think>Sure</think>", 0),
        part(PartKind.TEXT, "Sure! ", 30),
        part(PartKind.TOOL_CALL, "look", 40),
        part(PartKind.TEXT, "Sure", 50),
    )
    found = analysed(parts, [b"<think>", b"Sure", b"</think>", b"Sure", b"!", b" ", b"look", b"Sure"], (0, 1, 2, 3))
    assert [item.kind for item in tokens(found)] == [
        *(SYNTAX, REASONING, SYNTAX, OPENER, OPENER, FORMAT, SYNTAX, CONTENT, SYNTAX)
    ]


def test_answers_that_join_are_one() -> None:
    two = turn(part(PartKind.TEXT, "How", 0), part(PartKind.TEXT, "ever", 10))
    found = analysed(two, [b"How", b"ever"], (0, 1))
    assert [item.kind for item in tokens(found)] == [CONNECTIVE, CONNECTIVE, SYNTAX]


def test_scores_of_a_first_part_have_the_kinds_that_the_whole_will_have() -> None:
    pieces = [b"Great", b" question", b"!", b" Air"]
    first = build(response("Great question! Air"), scored(pieces[:2], with_end=False), ClassifyOptions())
    assert [item.kind for item in tokens(first)] == [OPENER, OPENER]


def test_summaries_count_each_kind_apart_and_all_of_them_together() -> None:
    one = build(response("Sure air"), scored([b"Sure", b" air"], base_ranks=[9, 1, 2]), ClassifyOptions())
    by_kind = dict(one.summary.by_kind)
    assert list(by_kind) == [CONTENT, OPENER, SYNTAX]
    assert (by_kind[OPENER].shifted, by_kind[CONTENT].unshifted, by_kind[SYNTAX].marginal) == (1, 1, 1)
    together = dict(combine([one.summary, one.summary]).by_kind)
    assert {kind: summary.tokens for kind, summary in together.items()} == {CONTENT: 2, OPENER: 2, SYNTAX: 2}


def test_every_kind_has_a_rule() -> None:
    assert set(RULES) == set(TokenKind)
    assert all(RULES.values())


@given(st.text(max_size=60), st.data())
def test_every_position_has_a_kind_however_the_text_is_cut(text: str, data: st.DataObject) -> None:
    text = text.encode("utf-8", "replace").decode()
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    parts = (PartPositions(0, "answer", 0, len(ends), 0, len(text)),)
    found = kinds_of(text, ends, bytes(len(ends)), parts, has_end=False)
    assert len(found) == len(ends)
    assert set(found) <= {*map(int, TokenKind)} - {REASONING}


@given(st.text(alphabet="ab *_`~#>-|[]().:1\n<br/", max_size=80))
def test_marks_and_code_lie_within_the_text_and_apart(text: str) -> None:
    layout = layout_of(text)
    assert all(0 <= start <= end <= len(text) for start, end in (*layout.marks, *layout.code))
    code = {place for start, end in layout.code for place in range(start, end)}
    assert not code & {place for start, end in layout.marks for place in range(start, end)}
