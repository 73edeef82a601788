"""What is a transcript, of which format, and what is left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shiftlens import errors
from shiftlens.transcripts import read
from shiftlens.transcripts.registry import formats
from transcripts.transcript_checks import assert_verbatim, readable, said

README = """# widget

A chat library. A user writes `User:` and the bot answers.

## Install

```sh
pip install widget
```

## User

Set `user` in the settings.

## Assistant

The assistant class. Example:

```
<|im_start|>user
hi<|im_end|>
```

User: is also a word here.
Assistant: too.
"""

PYTHON = '''"""Chat templates.

User: someone
Assistant: something
"""
TEMPLATE = "<|im_start|>user\\n{q}<|im_end|>"
PROMPT = "[INST] {q} [/INST]"
'''

LOG = """2026-01-02 10:00:01 INFO User: root logged in
2026-01-02 10:00:02 INFO Assistant: started
User: root
Assistant: none
"""

NOT_TRANSCRIPTS = {
    "README.md": README,
    "templates.py": PYTHON,
    "server.log": LOG,
    "compose.yaml": "user: root\nassistant: none\nimage: x\n",
    "package.json": '{"name": "x", "scripts": {"build": "tsc"}, "messages": {"role": "admin"}}',
    "broken.json": '{"name": "x", "role": ',
    "events.jsonl": '{"event": "a", "role": "admin"}\n{"event": "b"}\n',
    "rows.jsonl": '{"input": 1}\nnot json\n',
    "prose.txt": "The prompt has two parts.\n\nUser: what was asked.\nAssistant: what was answered.\n",
    "templates.md": "Llama-2 wraps a query in [INST] and [/INST].\n\n<s>[INST] q [/INST] a</s>\n",
    "letter.txt": "A: this is prose\n\nUser guide follows.\n",
    "question.txt": "User: only a question\n",
    "notes.md": "---\ntitle: Notes\n---\n# Query\n\nSome text.\n\n# Results\n\nMore.\n",
    "rule.md": "---\n\nText\n\n---\n",
    "faq.md": "# FAQ\n\n## Install\n\nx\n\n## Question\n\ny\n\n## Answer\n\nz\n",
    "empty.md": "",
    "blank.txt": " \n\r\n",
    "list.json": "[1, 2, 3]",
    "brackets.txt": "[[[[ not json",
    "mark.txt": "\ufeff",
}


@pytest.mark.parametrize("name", NOT_TRANSCRIPTS)
def test_a_file_that_is_no_transcript_is_left_alone(name: str) -> None:
    assert read(NOT_TRANSCRIPTS[name], filename=name) is None


@pytest.mark.parametrize(
    "pair",
    ["User Assistant", "USER ASSISTANT", "user assistant", "Human AI", "Human Assistant", "Q A", "Prompt Response"],
)
def test_the_usual_label_pairs_are_known(pair: str) -> None:
    user, assistant = pair.split()
    found = readable(f"{user}: one\n{assistant}: two\n")
    assert (found.format, said(found)) == ("labels", [("one", "two")])
    assert found.detected_by == f"`{user}:` on line 1 and `{assistant}:` on line 2"


@pytest.mark.parametrize("text", ["q: one\na: two\n", "uSER: one\naSSistant: two\n", "User:x\nAssistant:y\n"])
def test_odd_spellings_of_labels_are_prose(text: str) -> None:
    assert read(text) is None


def test_labels_of_another_pair_are_text() -> None:
    found = readable("User: one\nAssistant: see\nQ: what?\nA: this\n")
    assert said(found) == [("one", "see\nQ: what?\nA: this")]


def test_a_system_label_may_come_first() -> None:
    found = readable("System: be brief\nUser: one\nAssistant (some-model-7b): two")
    assert [turn.role.value for turn in found.responses[0].context] == ["system", "user"]
    assert found.responses[0].text == "two"


def test_labels_in_fenced_code_are_text() -> None:
    answer = "```\nUser: x\nAssistant: y\n```\nand\n~~~\nUser: z\n~~~"
    found = readable(f"User: one\nAssistant: {answer}\n\nUser: two\nAssistant: three\n")
    assert said(found) == [("one", answer), ("two", "three")]


def test_a_fence_that_is_never_closed_does_not_swallow_the_turns_after_it() -> None:
    found = readable("User: one\nAssistant:\n```python\nx = 1\n\nUser: two\nAssistant: three\n")
    assert said(found) == [("one", "```python\nx = 1"), ("two", "three")]


def test_a_label_out_of_turn_is_text_and_is_reported() -> None:
    found = readable("User: one\nAssistant: two\nAssistant: three\n")
    assert said(found) == [("one", "two\nAssistant: three")]
    assert [line for line, _ in found.problems] == [3]


def test_headings_inside_an_answer_are_text() -> None:
    answer = "## Plan\n\n# User\n\n```\n## User\n```"
    found = readable(f"# Chat\n\n## 🧑 **User:**\n\none\n\n---\n\n## Assistant (x)\n\n{answer}\n\n---\n")
    assert said(found) == [("one", answer)]
    assert found.format == "markdown"


def test_a_rule_inside_an_answer_is_text() -> None:
    found = readable("## User\none\n## Assistant\ntwo\n\n---\n\nthree\n")
    assert said(found) == [("one", "two\n\n---\n\nthree")]


def test_an_unfinished_chatml_turn_is_a_response_without_end_marker() -> None:
    text = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nyes, and\n"
    response = readable(text).responses[0]
    assert [part.text for part in response.turn.parts] == ["<think>\n\n</think>\n\n", "yes, and"]
    assert response.end_marker is None


def test_a_chatml_prompt_without_a_response_has_no_responses() -> None:
    found = readable("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
    assert found.responses == ()


def test_an_unknown_template_role_costs_its_turn_and_is_named_with_its_line() -> None:
    text = "<|im_start|>user<|im_sep|>hi<|im_end|>\n<|im_start|>usr\nx<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>"
    found = readable(text)
    assert said(found) == [("hi", "yo")]
    assert found.problems == ((2, "The ChatML role 'usr' is not known; the turn was left out."),)
    assert found.responses[0].verbatim_prefix == text[: text.index("yo")]


def test_llama2_reads_the_system_prompt_and_every_turn() -> None:
    text = "<s>[INST] <<SYS>>\nbe brief\n<</SYS>>\n\none [/INST] two </s><s>[INST] three [/INST] four [INST] \n"
    found = readable(text)
    assert [turn.text for turn in found.responses[1].context] == ["be brief", "one", "two", "three"]
    assert found.responses[1].text == "four [INST] "
    assert [response.end_marker for response in found.responses] == ["</s>", None]
    assert found.responses[1].verbatim_prefix == text[: text.index("four")]


def test_aligntds_text_keeps_fences_inside_an_answer() -> None:
    answer = "Use:\n```py\nx\n```"
    own = f"# Query:\n```\nq\n```\n\n# Answer:\n```\n{answer}\n```\n"
    single = f"# Query: \n ```q``` \n\n \n# Answer: \n ```{answer}```"
    for text in (own, single):
        found = readable(text)
        assert said(found) == [("q", answer)]
        assert found.responses[0].end_marker == "```"


def test_aligntds_text_without_a_closing_fence_is_unfinished() -> None:
    for text in (
        "# Query:\n```\nq\n```\n\n# Answer:\n```\nUse:\n```py\nx\n",
        "# Query: \n ```q``` \n\n \n# Answer: \n ```x\n",
    ):
        response = readable(text).responses[0]
        assert response.end_marker is None
        assert response.text.endswith("x")


def test_after_a_urial_preamble_only_the_last_answer_is_a_response() -> None:
    shots = "".join(f"# Query:\n```\nq{i}\n```\n\n# Answer:\n```\na{i}\n```\n\n" for i in range(3))
    found = readable(f"# Instruction\n\nBelow is a list of conversations.\n\n{shots}")
    assert said(found) == [("q2", "a2")]
    assert [turn.role.value for turn in found.responses[0].context[:2]] == ["system", "user"]
    assert len(readable(shots).responses) == 3


def test_crlf_is_one_newline_at_exact_offsets() -> None:
    text = "System: s\r\n\r\nUser: one\r\ntwo\r\n\r\nAssistant:\r\n\r\nthree\r\nfour\r\n"
    found = readable(text)
    assert said(found) == [("one\ntwo", "three\nfour")]
    assert_verbatim(text, found)


def test_a_line_of_ten_thousand_characters_is_exact() -> None:
    answer = "\u0301😀x" * 3_334
    text = f"User: one\nAssistant: {answer}"
    found = readable(text)
    assert found.responses[0].text == answer
    assert_verbatim(text, found)


def test_a_named_format_goes_before_the_front_matter_and_that_before_detection() -> None:
    front = "---\nshiftlens:\n  format: labels\n---\n"
    body = "Some words.\n\n## User\nUser: one\n\n## Assistant\nAssistant: two\n"
    assert readable(front + body).format == "labels"
    assert readable(front + body, format="markdown").format == "markdown"
    assert readable(body).format == "markdown"


@pytest.mark.parametrize("name", [each.name for each in formats()])
def test_a_named_format_that_does_not_fit_is_an_error(name: str) -> None:
    with pytest.raises(errors.TranscriptError):
        read("Nothing of the kind.\n", format=name)


def test_an_unknown_format_is_answered_with_the_names() -> None:
    with pytest.raises(errors.TranscriptError, match=r"chatml, .*just-eval"):
        read("User: a\nAssistant: b", format="chat")


def test_a_conversation_too_long_to_score_is_refused_at_once() -> None:
    with pytest.raises(errors.TranscriptError, match="too long"):
        read("Q: a\nA: b\n" * 100_000)
    with pytest.raises(errors.TranscriptError, match="too long"):
        read("<|im_start|>assistant\nx<|im_end|>\n" * 50_000)


def test_reading_transcripts_imports_no_heavy_library() -> None:
    code = (
        "import sys; from shiftlens.transcripts import read; read('User: a\\nAssistant: b');"
        "print([m for m in ('torch', 'transformers', 'yaml', 'pygls', 'numpy') if m in sys.modules])"
    )
    server = Path(errors.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=server)
    assert done.stdout.strip() == "[]"


def test_a_named_template_format_may_begin_after_other_text() -> None:
    chatml = readable("Notes.\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>", format="chatml")
    llama2 = readable("Notes.\n<s>[INST] q [/INST] a </s>", format="llama2")
    assert said(chatml) == said(llama2) == [("q", "a")]
    assert llama2.responses[0].verbatim_prefix == "<s>[INST] q [/INST] "


@pytest.mark.parametrize(
    "text",
    [
        "User: a\r\n\rb\r\nAssistant: one\r\ntwo",
        "<|im_start|>user\r\na\r\n\rb<|im_end|>\r\n<|im_start|>assistant\r\none\r\ntwo<|im_end|>\r\n",
        "[INST] a\r\n\rb [/INST] one\r\ntwo</s>\r\n",
        "# Query:\r\n```\r\na\r\n\rb\r\n```\r\n\r\n# Answer:\r\n```\r\none\r\ntwo\r\n```\r\n",
    ],
)
def test_every_text_format_reads_crlf_as_one_newline_and_leaves_a_lone_cr(text: str) -> None:
    found = readable(text)
    assert said(found) == [("a\n\rb", "one\ntwo")]
    assert "\r\n" not in (found.responses[0].verbatim_prefix or "")
    assert_verbatim(text, found)
