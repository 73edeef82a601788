"""Labels and headings: which of them begin turns, where turns end, and what is said of the rest."""

from __future__ import annotations

import pytest

from shiftlens.transcripts import PartKind, Transcript, read
from transcripts.transcript_checks import assert_verbatim, readable, said

STYLES = {"labels": ("User:", "Assistant:", "System:"), "markdown": ("## User", "## Assistant", "## System")}
styles = pytest.mark.parametrize("style", STYLES)


def chat(style: str, *turns: tuple[str, str]) -> str:
    """The turns, one after another; u, a and s begin one, and a heading stands as it is."""
    marks = dict(zip("uas", STYLES[style], strict=True))
    return "\n\n".join(f"{marks[who]}\n\n{text}" if who in marks else f"{who} {text}" for who, text in turns) + "\n"


def roles(transcript: Transcript) -> list[list[str]]:
    return [[f"{turn.role.value}: {turn.text}" for turn in turns] for turns in transcript.conversations]


@styles
def test_a_greeting_is_a_turn_that_is_context_only(style: str) -> None:
    found = readable(chat(style, ("a", "Hello!"), ("u", "q"), ("a", "b")))
    assert roles(found) == [["assistant: Hello!", "user: q", "assistant: b"]]
    assert [(r.text, len(r.context)) for r in found.responses] == [("b", 2)]
    assert [line for line, _ in found.problems] == [1]


@styles
def test_a_greeting_after_a_system_turn_is_scored(style: str) -> None:
    found = readable(chat(style, ("s", "be kind"), ("a", "Hello!"), ("u", "q"), ("a", "b")))
    assert [r.text for r in found.responses] == ["Hello!", "b"]
    assert found.problems == ()


@styles
@pytest.mark.parametrize(
    "lookalike",
    [
        "Human: x\n\nBot: y",
        "USER: x",
        "**User:** x",
        "user: x",
        "## Human\n\nx\n\n## Bot",
        "# User\n\nx",
        "## user\n\nx",
        "> User: x",
    ],
)
def test_only_the_spellings_with_which_the_file_began_part_turns(style: str, lookalike: str) -> None:
    answer = f"Here:\n\n{lookalike}\n\nDone."
    found = readable(chat(style, ("u", "q"), ("a", answer), ("u", "r"), ("a", "b")))
    assert said(found) == [("q", answer), ("r", "b")]
    assert found.problems == ()


@styles
def test_a_last_question_without_an_answer_is_told_as_it_may_be_text_of_the_answer(style: str) -> None:
    found = readable(chat(style, ("u", "q"), ("a", "try this:"), ("u", "Tell me a joke.\n\nUse it well.")))
    assert [(line, "has no answer" in what) for line, what in found.problems] == [(9, True)]


@styles
def test_a_question_whose_answer_is_to_come_is_no_problem(style: str) -> None:
    found = readable(chat(style, ("u", "q"), ("a", "b"), ("u", "r"), ("a", "")))
    assert (len(found.responses), found.problems) == (1, ())


@styles
def test_an_answer_under_another_name_is_told(style: str) -> None:
    text = chat(style, ("u", "q"), ("a", "b"), ("u", "r")) + STYLES[style][1].replace("Assistant", "Claude") + "\n\nc\n"
    found = readable(text)
    assert [line for line, what in found.problems if "was read as text" in what] == [12]


@styles
@pytest.mark.parametrize("later", ["```python\nprint(i)\n```", "```\nprint(i)\n```", "~~~\na\n~~~\n\n```\nb\n```"])
def test_a_cut_fence_ends_at_the_next_turn_whose_block_is_its_own(style: str, later: str) -> None:
    found = readable(chat(style, ("u", "q"), ("a", "```python\nfor i in"), ("u", "go on"), ("a", later)))
    assert said(found) == [("q", "```python\nfor i in"), ("go on", later)]


@styles
def test_marks_of_the_file_in_whole_fenced_code_are_text(style: str) -> None:
    user, assistant, _ = STYLES[style]
    code = f"```\n{user}\nx\n{assistant}\ny\n```"
    answers = [code, f"{code}\n\nand\n\n```py\nz\n```", f"````\n{user}\n```\n````", f"{code}\n\n~~~\n{user}\n~~~"]
    for answer in answers:
        found = readable(chat(style, ("u", "q"), ("a", answer), ("u", "r"), ("a", "b")))
        assert said(found) == [("q", answer), ("r", "b")]


@styles
def test_an_answer_cut_in_code_keeps_its_comments_and_rules_apart_from_structure(style: str) -> None:
    answer = "```python\nx = 1\n\n# Example 2"
    found = readable(chat(style, ("u", "q"), ("a", answer), ("u", "go on"), ("a", "b")))
    assert said(found) == [("q", answer), ("go on", "b")]
    assert len(found.conversations) == 1


@styles
@pytest.mark.parametrize("marker", ["</s>", "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>"])
@pytest.mark.parametrize("before", ["", " ", "\n"])
def test_an_end_marker_ends_turns_and_is_no_text(style: str, marker: str, before: str) -> None:
    end = before + marker
    found = readable(
        chat(style, ("u", "q" + end), ("a", "one" + end), ("u", "r"), ("a", "two" + end + "<|endoftext|>"))
    )
    assert said(found) == [("q", "one"), ("r", "two")]
    assert [r.end_marker for r in found.responses] == [marker, marker]


def test_an_end_marker_in_a_question_is_text_where_answers_have_none() -> None:
    found = readable("User: what is </s>\nAssistant: An end token.\nUser: and <s>\nAssistant: A </s> begins none.\n")
    assert said(found) == [("what is </s>", "An end token."), ("and <s>", "A </s> begins none.")]
    assert [r.end_marker for r in found.responses] == [None, None]


@pytest.mark.parametrize("heading", ["# Example 2", "# Conversation 2: fruit", "# 2", "# Other talk"])
@styles
def test_a_heading_like_the_first_begins_a_new_conversation(style: str, heading: str) -> None:
    first = chat(style, ("#", "Example 1"), ("u", "q"), ("a", "b"))
    found = readable(f"{first}\n---\n\n{heading}\n\n{chat(style, ('u', 'r'), ('a', 'c'))}")
    assert roles(found) == [["user: q", "assistant: b"], ["user: r", "assistant: c"]]
    assert [(r.conversation, r.turn_index, len(r.context)) for r in found.responses] == [(0, 1, 1), (1, 1, 1)]
    assert found.problems == ()


@styles
def test_a_heading_that_counts_turns_is_neither_text_nor_a_new_conversation(style: str) -> None:
    turns = [("#", "Turn 1"), ("u", "q"), ("a", "b"), ("#", "Turn 2"), ("u", "r"), ("a", "c")]
    found = readable(chat(style, *turns))
    assert roles(found) == [["user: q", "assistant: b", "user: r", "assistant: c"]]
    assert found.problems == ()


@styles
def test_another_heading_between_turns_is_left_out_of_the_answer_and_told(style: str) -> None:
    found = readable(chat(style, ("u", "q"), ("a", "b"), ("#", "Later"), ("u", "r"), ("a", "c")))
    assert said(found) == [("q", "b"), ("r", "c")]
    assert [(line, "`# Later`" in what) for line, what in found.problems] == [(9, True)]


@styles
def test_an_answer_that_is_a_heading_is_text(style: str) -> None:
    found = readable(chat(style, ("u", "a title?"), ("a", "# The Sky"), ("u", "r"), ("a", "c")))
    assert said(found) == [("a title?", "# The Sky"), ("r", "c")]


@styles
def test_a_system_turn_after_an_answer_begins_a_new_conversation_where_the_file_began_with_one(style: str) -> None:
    found = readable(chat(style, ("s", "s0"), ("u", "q"), ("a", "b"), ("s", "s1"), ("u", "r"), ("a", "c")))
    assert roles(found) == [["system: s0", "user: q", "assistant: b"], ["system: s1", "user: r", "assistant: c"]]
    other = readable(chat(style, ("u", "q"), ("a", "b"), ("s", "s1"), ("u", "r"), ("a", "c")))
    assert len(other.conversations) == 1
    assert [line for line, _ in other.problems] == [9]


@styles
@pytest.mark.parametrize("rule", ["---", "***\n\n---", "\n\n\n_____", "====="])
def test_rules_and_blank_lines_between_turns_are_no_text(style: str, rule: str) -> None:
    user, assistant, _ = STYLES[style]
    turns = [f"{user}\n\nq", f"{assistant}\n\nb", f"{user}\n\nr", f"{assistant}\n\nc\n\n---\n\nd", ""]
    found = readable(f"\n\n{rule}\n\n".join(turns))
    assert said(found) == [("q", "b"), ("r", "c\n\n---\n\nd")]


def test_a_rule_that_ends_a_file_without_rules_is_text() -> None:
    assert said(readable("User: q\n\nAssistant: b\n\n---\n")) == [("q", "b\n\n---")]


def kinds(transcript: Transcript) -> list[tuple[str, list[tuple[PartKind, str]]]]:
    return [(t.role.value, [(p.kind, p.text) for p in t.parts]) for t in transcript.conversations[0]]


@pytest.mark.parametrize(
    "text",
    [
        "## User\n\nq\n\n## Thinking\n\nhm\n\n## Assistant\n\na\n",
        "## User\n\nq\n\n## Assistant\n\n### Reasoning\n\nhm\n\n### Answer\n\na\n",
        "User: q\n\nThought: hm\n\nAssistant: a\n",
        "**User:** q\n\n**Thinking:** hm\n\n**Assistant:** a\n",
    ],
)
def test_reasoning_under_a_name_of_its_own_is_a_part_of_the_answer(text: str) -> None:
    found = readable(text)
    assert kinds(found)[1] == ("assistant", [(PartKind.REASONING, "hm"), (PartKind.TEXT, "a")])
    assert_verbatim(text, found)


def test_calls_are_parts_and_results_are_turns_of_the_tool() -> None:
    text = "## User\n\nq\n\n## Assistant\n\nb\n\n## Tool call\n\nls\n\n## Tool result\n\nx\n\n## Assistant\n\nc\n"
    assert kinds(readable(text))[1:] == [
        ("assistant", [(PartKind.TEXT, "b"), (PartKind.TOOL_CALL, "ls")]),
        ("tool", [(PartKind.TOOL_RESULT, "x")]),
        ("assistant", [(PartKind.TEXT, "c")]),
    ]


@pytest.mark.parametrize("word", ["Tool", "Thought", "Observation", "Post", "Function"])
@styles
def test_such_a_name_elsewhere_is_text_of_its_turn(style: str, word: str) -> None:
    mark = STYLES[style][0].replace("User", word)
    answer = f"A list:\n\n{mark}\n\nhammer"
    assert said(readable(chat(style, ("u", "q"), ("a", answer), ("u", "r"), ("a", "c")))) == [("q", answer), ("r", "c")]


@pytest.mark.parametrize(
    "text",
    [
        "## My chat\n\n## User\n\nq\n\n## Assistant\n\na\n",
        "## My chat\n\nModel: x\n\n## User\n\nq\n\n## Assistant\n\na\n",
        "# User\n\n## User\n\nq\n\n## Assistant\n\na\n",
        "# Chat\n\n#### You:\n\nq\n\n#### ChatGPT:\n\na\n",
        "##### You said:\nq\n###### ChatGPT said:\na\n",
        "## User (12:03)\n\nq\n\n## Assistant (12:04)\n\na\n",
        "## 2026-01-02 12:03 User\n\nq\n\n## [12:04] Assistant\n\na\n",
        "## User 1\n\nq\n\n## Assistant 1\n\na\n",
        "## Benutzer\n\nq\n\n## Assistent\n\na\n",
    ],
)
def test_headings_of_exports_are_read(text: str) -> None:
    found = readable(text, filename="chat.md")
    assert (found.format, said(found), found.problems) == ("markdown", [("q", "a")], ())


def test_two_answers_make_a_conversation_of_any_document() -> None:
    turns = "## User\n\nq\n\n## Assistant\n\na\n\n"
    assert said(readable(f"## Summary\n\n- short\n\n## Notes\n\n{turns * 2}")) == [("q", "a")] * 2


def test_prose_before_the_first_heading_is_told() -> None:
    found = readable("# T\n\nSome words.\n\n## User\n\nq\n\n## Assistant\n\na\n")
    assert [(line, "left out" in what) for line, what in found.problems] == [(3, True)]


@pytest.mark.parametrize(
    ("user", "assistant"),
    [
        ("User (12:03):", "Assistant (12:04):"),
        ("[2026-01-02 12:03] User:", "[2026-01-02 12:04] Assistant:"),
        ("12:03:04 PM User:", "12:04:05 PM Assistant:"),
        ("You said:\n", "ChatGPT said:\n"),
        ("**You:**", "**ChatGPT:**"),
        ("**User**\n", "**Assistant**\n"),
        ("_**User (2026-01-02 12:03:04Z)**_\n", "_**Agent (model some-7b)**_\n"),
        ("🧑 User:", "🤖 Assistant:"),
        ("### Human:", "### Assistant:"),
        ("Nutzer:", "KI:"),
        ("Frage:", "Antwort:"),
        ("Utilisateur :", "Assistant :"),
        ("Usuario:", "Asistente:"),
        ("Utente:", "Assistente:"),
        ("Usuário:", "Assistente:"),
        ("Gebruiker:", "Assistent:"),
        ("Пользователь:", "Ассистент:"),
        ("用户：", "助手："),
        ("用户:", "助手:"),
        ("ユーザー：", "アシスタント："),
        ("사용자:", "어시스턴트:"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_labels_of_many_kinds_are_read(user: str, assistant: str, newline: str) -> None:
    space = "" if user.endswith(("\n", "：")) else " "
    text = f"{user}{space}q{newline}{newline}{assistant}{space}a{newline}".replace("\r\n", "\n").replace("\n", newline)
    found = readable(text, filename="chat.log")
    assert (found.format, said(found), found.problems) == ("labels", [("q", "a")], ())
    assert_verbatim(text, found)


def test_agents_turns_that_are_ruled_off_follow_each_other() -> None:
    text = "_**User**_\n\nq\n\n---\n\n_**Assistant**_\n\none\n\n---\n\n_**Assistant**_\n\ntwo\n\n---\n"
    assert [(r.text, len(r.context)) for r in readable(text).responses] == [("one", 1), ("two", 2)]


@pytest.mark.parametrize(
    "text",
    [
        "User: jim\nModel: X200\n",
        "## Q: what?\nA: this\n",
        "### Q: x\n### A: y\n",
        "Assistant: x\n\nUser: y\n",
        "**Question**\n\nx\n\n**Answer**\n\ny\n",
    ],
)
def test_what_only_looks_like_labels_is_left_alone(text: str) -> None:
    assert read(text, filename="notes.txt") is None
    assert read(text, filename="notes") is None


@pytest.mark.parametrize("name", ["chat.log", "chat", "chat.txt", "chat.md"])
def test_a_name_does_not_decide_alone(name: str) -> None:
    assert readable("User: q\nAssistant: a\n", filename=name).format == "labels"


@pytest.mark.parametrize("key", ["user-name", "user_name", "userName"])
def test_the_front_matter_names_the_speakers(key: str) -> None:
    front = f"---\nshiftlens:\n  {key}: Dr. Bowman\n  assistant-name: HAL 9000\n---\n"
    labels = readable(f"{front}Dr. Bowman: q\n\nHAL 9000: I can't.\nUser: x\n")
    assert said(labels) == [("q", "I can't.\nUser: x")]
    headings = readable(f"{front}## Dr. Bowman\n\nq\n\n## HAL 9000\n\nI can't.\n\n## User\n")
    assert said(headings) == [("q", "I can't.\n\n## User")]


def test_vicunas_turns_on_one_line_are_read() -> None:
    text = "A chat. USER: q ASSISTANT: one USER: is text</s>USER: r ASSISTANT: two\nlines</s>\n"
    found = readable(text)
    assert roles(found) == [
        ["system: A chat.", "user: q", "assistant: one USER: is text", "user: r", "assistant: two\nlines"]
    ]
    assert [r.end_marker for r in found.responses] == ["</s>", "</s>"]
    assert_verbatim(text, found)
    assert said(readable("### Human: q### Assistant: a### Human: r### Assistant: b")) == [("q", "a"), ("r", "b")]


@pytest.mark.parametrize("text", ["The labels USER: and ASSISTANT: are used.\n", "Write User: x Assistant: y.\n"])
def test_prose_about_vicuna_is_left_alone(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("title", ["ChatGPT", "User", "Claude (some model)"])
def test_a_title_that_names_a_side_is_a_title(title: str) -> None:
    assert said(readable(f"# {title}\n\n**You:** q\n\n**ChatGPT:** a\n")) == [("q", "a")]


def test_a_question_that_begins_with_a_label_under_headings_is_one() -> None:
    found = readable("## You\n\nHuman: x\n\nBot: y\n\n## ChatGPT\n\na\n")
    assert (found.format, said(found)) == ("markdown", [("Human: x\n\nBot: y", "a")])


def test_an_answer_to_a_quoted_question_does_not_name_the_answers_of_the_file() -> None:
    found = readable("User: Go on:\nHuman: x\nBot: y\n\nAssistant: z\n")
    assert said(found) == [("Go on:\nHuman: x\nBot: y", "z")]


def test_a_line_of_a_question_is_no_reasoning() -> None:
    assert said(readable("User: Rate it.\nReasoning: low\n\nAssistant: a\n")) == [("Rate it.\nReasoning: low", "a")]


def test_a_tool_named_at_the_end_of_an_answer_is_text_where_a_numbered_conversation_begins_after_it() -> None:
    turns = "ChatGPT:\nHi!\n\nYou:\nq\n\nChatGPT:\na\n\n"
    found = readable(f"# Example 1\n\n{turns}Tool: hammer\n\n# Example 2\n\n{turns}")
    assert [r.text for r in found.responses] == ["a\n\nTool: hammer", "a"]
