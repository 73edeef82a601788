"""Any conversation, rendered in a format, is read back to the same texts at exact offsets."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcripts.transcript_checks import assert_escaped, assert_verbatim, conversations, decoded, readable, said, texts

Pairs = list[tuple[str, str]]
FRONT = "---\ntitle: é 😀\nshiftlens:\n  base: some/model\n---\n"
fronts = st.sampled_from(["", FRONT, "\ufeff", "\ufeff" + FRONT.replace("\n", "\r\n")])

ends_clean = texts.map(lambda t: t.strip(" \t\r\n"))
no_marker = texts.filter(lambda t: not re.search(r"<\|?(im_|start|end|eot|eom|bos|eos)|</?s>|INST|SYS", t))
# A lone fence in an answer pairs with another or is left open: fences are tested on their own. What ends as a marker of
# the end does is no text of an answer.
prose = ends_clean.filter(
    lambda t: (
        not re.search(r"^( {0,3}#|\W*(user|assistant|system)|.*(```|~~~|---))", t, re.I | re.M)
        and not re.search(r"(<[^<>\s]+>|\[EOS\])$", t)
    )
)


@given(conversations(no_marker), fronts)
def test_chatml_is_read_back_exactly(pairs: Pairs, front: str) -> None:
    text = front + "".join(f"<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n{a}<|im_end|>\n" for q, a in pairs)
    found = readable(text)
    assert found.format == "chatml"
    assert said(found) == decoded(pairs)
    assert_verbatim(text, found)
    for response in found.responses:
        assert response.end_marker == "<|im_end|>"
        start = response.turn.parts[0].source.start_of(0)
        assert response.verbatim_prefix == text[len(front) : start].replace("\r\n", "\n")


@given(conversations(no_marker.filter(lambda t: t[:1] not in ("\r", "\n"))), fronts)
def test_llama3_is_read_back_exactly(pairs: Pairs, front: str) -> None:
    text = (
        front
        + "<|begin_of_text|>"
        + "".join(
            f"<|start_header_id|>{role}<|end_header_id|>\n\n{said_text}<|eot_id|>"
            for pair in pairs
            for role, said_text in zip(("user", "assistant"), pair, strict=True)
        )
    )
    found = readable(text)
    assert found.format == "llama3"
    assert said(found) == decoded(pairs)
    assert_verbatim(text, found)


@given(conversations(no_marker), fronts)
def test_gemma_is_read_back_exactly(pairs: Pairs, front: str) -> None:
    text = (
        front
        + "<bos>"
        + "".join(f"<start_of_turn>user\n{q}<end_of_turn>\n<start_of_turn>model\n{a}<end_of_turn>\n" for q, a in pairs)
    )
    found = readable(text)
    assert found.format == "gemma"
    assert said(found) == decoded(pairs)
    assert_verbatim(text, found)


@given(conversations(no_marker.map(lambda t: t.strip(" \t\r\n"))), fronts, st.booleans())
def test_llama2_and_mistral_are_read_back_exactly(pairs: Pairs, front: str, mistral: bool) -> None:
    pattern = "[INST] {} [/INST]{}</s>" if mistral else "<s>[INST] {} [/INST] {} </s>"
    text = front + "".join(pattern.format(q, a) for q, a in pairs)
    found = readable(text)
    assert found.format == "llama2"
    assert said(found) == decoded(pairs)
    assert_verbatim(text, found)
    assert {response.end_marker for response in found.responses} == {"</s>"}


# What stands in real answers and must come back as it is: whole code, quoted turns in other spellings, lists, rules.
AWKWARD_ANSWERS = [
    "```py\nx = 1\n```",
    "```\nUser: x\n\n## User\n\nAssistant: y\n```",
    "~~~\n```\n~~~",
    "````\n```\n## Assistant\n````",
    "Human: x\n\nBot: y",
    "**User:** x",
    "> User: x",
    "# Plan\n\n1. a\n   - b",
    "### User\n\n### Assistant\n\n.",
    "a\n\n---\n\nb",
    "[INST] x",
    "</s> begins",
    "Tool: hammer",
    "12:03 noon",
    "Ⓤser: x",
]
# Two whole code blocks with labels in one turn read the same as an answer that was cut inside the first, and a question
# that goes on inside the second: no reader can tell them apart.
answers = (
    st.lists(
        st.one_of(st.sampled_from(AWKWARD_ANSWERS), prose.filter(lambda t: t and "\r" not in t)), min_size=1, max_size=4
    )
    .map("\n\n".join)
    .filter(lambda text: text.count("```\nUser: x") < 2)
)
newlines = st.sampled_from(["\n", "\r\n"])
said_pairs = st.lists(st.tuples(answers, answers), min_size=1, max_size=3)


@given(conversations(prose), fronts, st.sampled_from(["{}: ", "{}:\n", "**{}:** ", "**{}**:\n\n", "{}:\r\n"]))
def test_labels_are_read_back_exactly(pairs: Pairs, front: str, label: str) -> None:
    user, assistant = label.format("User"), label.format("Assistant")
    text = front + "".join(f"{user}{q}\n\n{assistant}{a}\n\n" for q, a in pairs)
    found = readable(text)
    assert found.format == "labels"
    assert said(found) == decoded(pairs)
    assert_verbatim(text, found)


@given(
    st.lists(said_pairs, min_size=1, max_size=3),
    fronts,
    newlines,
    st.sampled_from(["{}:\n", "[12:03] {}: ", "### {}: ", "_**{}**_\n\n", "## {}\n\n", "#### **{} (x)**\n"]),
    st.sampled_from(["\n\n", "\n\n---\n\n"]),
    st.booleans(),
)
def test_conversations_under_labels_and_headings_are_read_back_exactly(
    groups: list[Pairs], front: str, newline: str, mark: str, between: str, greeted: bool
) -> None:
    turns = []
    for number, pairs in enumerate(groups):
        own = [(name, said_text) for pair in pairs for name, said_text in zip(("You", "ChatGPT"), pair, strict=True)]
        own = [("ChatGPT", "Hi!"), *own] if greeted else own
        heading = f"# Example {number + 1}\n\n" if len(groups) > 1 else ""
        turns += [heading * (at == 0) + mark.format(name) + said_text for at, (name, said_text) in enumerate(own)]
    text = front + between.join(turns).replace("\r\n", "\n").replace("\n", newline)
    found = readable(text)
    assert said(found) == decoded([pair for pairs in groups for pair in pairs])
    assert [r.conversation for r in found.responses] == [n for n, pairs in enumerate(groups) for _ in pairs]
    assert [len(r.context) for r in found.responses] == [2 * n + 1 + greeted for p in groups for n in range(len(p))]
    assert_verbatim(text, found)


@given(conversations(prose), fronts, newlines)
def test_role_headings_are_read_back_exactly(pairs: Pairs, front: str, newline: str) -> None:
    rendered = "".join("## User\n\n{}\n\n---\n\n## Assistant\n\n{}\n\n" for _ in pairs).replace("\n", newline)
    text = front + rendered.format(*(part for pair in pairs for part in pair))
    found = readable(text)
    assert found.format == "markdown"
    assert said(found) == decoded(pairs)
    assert_verbatim(text, found)


@given(said_pairs, fronts, newlines, st.sampled_from(["", "<s>"]), st.sampled_from([" ", "\n\n"]))
def test_llama2_without_end_tokens_is_read_back_exactly(
    pairs: Pairs, front: str, newline: str, bos: str, gap: str
) -> None:
    pairs = [(q.replace("</s>", "x"), a.replace("</s>", "x").replace("[INST]", "x")) for q, a in pairs]
    text = gap.join(f"{bos}[INST] {q} [/INST] {a}" for q, a in pairs).replace("\r\n", "\n").replace("\n", newline)
    found = readable(front + text)
    assert said(found) == decoded(pairs)
    assert_verbatim(front + text, found)


@pytest.mark.parametrize(
    "pattern",
    ["# Query: \n ```{}``` \n\n \n# Answer: \n ```{}```\n", "\n# Query:\n```\n{}\n```\n\n# Answer:\n```\n{}\n```\n"],
)
@given(pairs=conversations(prose.filter(lambda t: "`" not in t)), front=fronts)
def test_query_answer_text_is_read_back_exactly(pattern: str, pairs: Pairs, front: str) -> None:
    text = front + "".join(pattern.format(q, a) for q, a in pairs)
    found = readable(text)
    assert found.format == "aligntds-text"
    assert said(found) == decoded(pairs)
    assert_verbatim(text, found)


@given(said_pairs, fronts, newlines)
def test_urial_text_with_code_is_read_back_exactly(pairs: Pairs, front: str, newline: str) -> None:
    text = "".join(f"# Query:\n```\n{q}\n```\n\n# Answer:\n```\n{a}\n```\n\n" for q, a in pairs)
    text = front + text.replace("\r\n", "\n").replace("\n", newline)
    found = readable(text)
    assert said(found) == decoded(pairs)
    assert_verbatim(text, found)


@given(conversations(texts), st.booleans(), st.sampled_from([None, 2]))
def test_openai_messages_are_read_back_exactly(pairs: Pairs, ascii_only: bool, indent: int | None) -> None:
    messages = [
        {"role": role, "content": content}
        for pair in pairs
        for role, content in zip(("user", "assistant"), pair, strict=True)
    ]
    text = json.dumps({"id": 1.5e3, "ok": [True, None], "messages": messages}, ensure_ascii=ascii_only, indent=indent)
    found = readable(text)
    assert found.format == "openai"
    assert said(found) == decoded(pairs)
    assert_escaped(text, found)


@given(st.lists(texts.filter(bool), min_size=1, max_size=4))
def test_text_parts_are_joined_and_each_leads_to_its_own_literal(parts: list[str]) -> None:
    content = [{"type": "text", "text": part} for part in parts]
    text = json.dumps([{"role": "user", "content": "q"}, {"role": "assistant", "content": content}])
    found = readable(text)
    assert said(found) == [("q", "".join(part.replace("\r\n", "\n") for part in parts))]
    assert_escaped(text, found)


@given(conversations(texts.filter(lambda t: not t.endswith("</s>"))), st.booleans())
def test_aligntds_records_are_read_back_exactly(pairs: Pairs, ended: bool) -> None:
    end = "</s>" if ended else ""
    rows = [{"id": 0, "pure_input": q, "input": f"[INST] {q} [/INST] ", "output": [a + end]} for q, a in pairs]
    text = json.dumps(rows)
    found = readable(text)
    assert found.format == "aligntds-json"
    assert said(found) == decoded(pairs)
    assert [r.end_marker for r in found.responses] == [end or None] * len(pairs)
    assert [r.verbatim_prefix for r in found.responses] == [f"[INST] {q} [/INST] " for q, _ in decoded(pairs)]
    assert_escaped(text, found)


@given(conversations(texts))
def test_sharegpt_and_alpaca_lines_are_read_back_exactly(pairs: Pairs) -> None:
    sharegpt = "\r\n".join(
        json.dumps({"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]}) for q, a in pairs
    )
    alpaca = "\n\n".join(json.dumps({"instruction": q, "input": "", "output": a}) for q, a in pairs)
    for text, name in ((sharegpt, "sharegpt"), (alpaca, "alpaca")):
        found = readable(text)
        assert found.format == name
        assert said(found) == decoded(pairs)
        assert_escaped(text, found)


@given(st.text())
def test_no_text_makes_detection_fail(text: str) -> None:
    from shiftlens.transcripts import read

    read(text)
