"""AlignTDS's pages: every token of the page is in the text at its place, and the text is said to be approximate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shiftlens.transcripts import Response
from transcripts.transcript_checks import readable

FRONT = "ID: 7 \n \n  \n {} \n \n   Aligned LLM's Response: \n  \n    "
BACK = "\n   \n  Legend: Shifted positions \xa0 | \n    Marginal positions\n  \n  Token Distributions"


def page(query: str, tokens: list[str], newline: str = "\n") -> str:
    return (FRONT.format(query) + "\n".join(f"\t\t\t{token}" for token in tokens) + BACK).replace("\n", newline)


def response_of(query: str, tokens: list[str]) -> Response:
    (response,) = readable(page(query, tokens), filename="page.txt").responses
    return response


tokens_ = st.lists(
    st.one_of(
        st.sampled_from(
            ["", "\\n", ".", ",", "(", ")", '"', "-", "ization", "ings", "'", "1", "\\_", "</s>", "😀", "#"]
        ),
        st.text(st.characters(blacklist_categories=("Z", "C")), min_size=1, max_size=6).filter(
            lambda t: t == t.strip() and len(t.splitlines()) == 1
        ),
    ),
    min_size=1,
    max_size=20,
).filter(lambda tokens: bool(tokens[0]) and bool(tokens[-1]) and tokens != ["</s>"])


@given(tokens_, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]))
def test_every_token_is_in_the_text_at_its_place_on_the_page(tokens: list[str], newline: str, front: str) -> None:
    text = front + page("Why is the sky blue?", tokens, newline)
    found = readable(text, filename="page.txt")
    assert found.format == "aligntds-page"
    (response,) = found.responses
    assert [turn.text for turn in response.context] == ["Why is the sky blue?"]
    ended = tokens[-1] == "</s>"
    assert response.end_marker == ("</s>" if ended else None)
    (part,) = response.turn.parts
    at = text.index("Response:") + len("Response:")
    done = 0
    for token in tokens[:-1] if ended else tokens:
        at = text.index("\t\t\t", at) + 3
        if not token:
            continue
        spelled = "\n" if token == "\\n" else token
        done = part.text.index(spelled, done)
        assert part.source.span(done, done + len(spelled)) == (at, at + len(token))
        done += len(spelled)
    spelled_all = ["\n" if token == "\\n" else token for token in (tokens[:-1] if ended else tokens)]
    assert part.text.replace(" ", "") == "".join(spelled_all)


def test_a_space_that_was_guessed_stands_nowhere_on_the_page_and_a_lone_one_on_its_line() -> None:
    response = response_of("q", ["Air", "is", "", "1"])
    (part,) = response.turn.parts
    assert part.text == "Air is 1"
    text = page("q", ["Air", "is", "", "1"])
    spans = [part.source.span(at, at + 1) for at in (3, 6)]
    assert [text[start:end] for start, end in spans] == ["", "\t\t\t"]
    assert part.source.span(3, 6) == (text.index("is\n\t"), text.index("is\n\t") + 2)


def test_words_of_the_query_and_endings_are_put_together() -> None:
    tokens = ["L", "ength", "general", "ization", "with", "embed", "d", "ings", "is", "hard", ".", "</s>"]
    response = response_of("How does length generalization work with embeddings?", tokens)
    assert response.text == "Length generalization with embeddings is hard."


def test_marks_numbers_quotes_and_newlines_take_their_usual_spaces() -> None:
    tokens = [
        "Take",
        '"',
        "it",
        '"',
        "(",
        "or",
        "not",
        ")",
        ",",
        "",
        "2",
        "times",
        ":",
        "\\n",
        "\\n",
        "Then",
        "i",
        "-",
        "",
        "1",
    ]
    assert response_of("q", tokens).text == 'Take "it" (or not), 2 times:\n\nThen i - 1'


def test_the_response_and_a_problem_say_that_the_text_is_approximate() -> None:
    found = readable(page("q", ["a"]), filename="page.txt")
    assert "approximate" in found.detected_by
    assert "white space" in found.responses[0].notes[0]
    assert [line for line, _ in found.problems] == [6]


def test_a_file_that_only_begins_like_a_page_is_none() -> None:
    from shiftlens.transcripts import read

    assert read("ID: 7 \n\nAligned LLM's answer\n", filename="page.txt") is None
