"""The page of a file shows every turn, and every character of it leads back to the file."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shiftlens.page.build import Page, build_page
from shiftlens.page.sources import sources_of, sources_of_text
from shiftlens.scores.requests import to_score
from shiftlens.transcripts.files import MAX_BYTES

texts = st.text(alphabet=st.sampled_from(["a", "é", "😀", "\n", "\r", '"', "\\", "─", " ", "\u2028"]), max_size=12)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": texts}),
    min_size=1,
    max_size=5,
)


def page_of(text: str, name: str = "chat.jsonl") -> Page:
    return build_page(sources_of_text(text, name))


@given(st.lists(messages, min_size=1, max_size=3), st.booleans())
def test_every_character_of_a_turn_leads_back_to_its_own_place_in_the_file(
    conversations: list[list[dict[str, str]]], ascii_only: bool
) -> None:
    text = "".join(json.dumps({"messages": each}, ensure_ascii=ascii_only) + "\n" for each in conversations)
    page = page_of(text)
    for conversation, turns in zip(conversations, page.transcript.conversations, strict=True):
        for message, turn in zip(conversation, turns, strict=True):
            (part,) = turn.parts
            assert part.text == message["content"].replace("\r\n", "\n")
            start = part.source.source_start
            assert page.text[start : start + len(part.text)] == part.text.replace("\r", "\n")
            for at, character in enumerate(part.text):
                found = page.source_of(start + at)
                assert found is not None
                assert found[0] == 0
                rest = text[found[1] :]
                assert rest.startswith((character, "\\"))


@given(messages)
def test_the_models_are_given_the_same_from_a_page_as_from_its_file(conversation: list[dict[str, str]]) -> None:
    (source,) = sources_of_text(json.dumps({"messages": conversation}), "chat.json")
    page = build_page([source])
    from_file = [to_score(response, source.transcript.format) for response in source.transcript.responses]
    assert [to_score(response, page.transcript.format) for response in page.transcript.responses] == from_file


def test_a_heading_leads_to_what_is_below_it() -> None:
    text = '{"messages": [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}]}\n'
    page = page_of(text * 2)
    titles = [(heading.level, heading.words) for heading in page.headings]
    assert titles[:3] == [(1, "conversation 1 of 2 · line 1"), (2, "user"), (2, "assistant")]
    assert titles[3][1] == "conversation 2 of 2 · line 2"
    answer = page.headings[-1]
    found = page.source_of(answer.start + 1)
    assert found is not None
    assert text[found[1] - len(text) :].startswith("so")


def test_what_could_not_be_read_is_told_on_the_page() -> None:
    page = page_of('{"messages": [{"role": "user", "content": "a"}], "secret": "b"}\n')
    assert page.text.startswith("line 1: `secret` was not read.\n")
    assert page.transcript.problems == ()


def test_several_sources_are_named_and_numbered_through() -> None:
    first = sources_of_text("User: a\nAssistant: b\n", "one.txt")
    second = sources_of_text("User: c\nAssistant: d\n", "two.txt")
    page = build_page([*first, *second])
    assert [response.index for response in page.transcript.responses] == [0, 1]
    assert "one.txt\n\n" in page.text
    assert "two.txt\n\n" in page.text
    place = page.transcript.responses[1].turn.source_start
    assert page.source_of(place) == (1, len("User: c\nAssistant: "))


def test_a_page_of_an_archive_shows_each_sample_and_leads_to_no_line() -> None:
    raw = (Path(__file__).parents[1] / "transcripts" / "data" / "inspect.eval").read_bytes()
    sources = sources_of(raw, "inspect.eval", MAX_BYTES)
    page = build_page(sources)
    assert [source.in_file for source in sources] == [False] * len(sources)
    for source in sources:
        assert f"{source.name}\n\n" in page.text
    assert len(page.transcript.responses) == sum(len(source.transcript.responses) for source in sources)
    for response in page.transcript.responses:
        for part in response.turn.parts:
            start = part.source.source_start
            assert page.text[start : start + len(part.text)] == part.text


def test_tools_stand_on_the_page_also_where_nobody_has_answered_yet() -> None:
    offered = '{"messages": [{"role": "user", "content": "a"}], "tools": [{"name": "look_up"}]}\n'
    sources = (*sources_of_text("User: a\nAssistant: b\n", "one.txt"), *sources_of_text(offered, "two.jsonl"))
    page = build_page(sources)
    assert [heading.words for heading in page.headings if "tools" in heading.words] == ["tools"]
    assert ["look_up" in tools for tools in page.transcript.tools] == [False, True]
