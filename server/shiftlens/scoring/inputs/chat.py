"""The aligned model's context: the conversation as its own chat template spells it, or the file's own text."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from shiftlens.scores.requests import ResponseToScore
from shiftlens.scoring.inputs.answer_rendering import AnswerRendering
from shiftlens.scoring.inputs.loss_mask import marks_of_characters
from shiftlens.scoring.inputs.messages import tools_of
from shiftlens.scoring.inputs.parts import Written
from shiftlens.scoring.inputs.template_date import reads_the_clock
from shiftlens.scoring.inputs.template_notes import about_tools, about_turns
from shiftlens.scoring.inputs.template_rendering import chat_template_of
from shiftlens.scoring.inputs.thought_marks import opened_at, without_opened
from shiftlens.transcripts.template_marks import MODEL_TEMPLATE

_FAMILY_SIGNS = (
    ("idefics", "<end_of_utterance>"),
    ("chatml", "<|im_start|>"),
    ("llama3", "<|start_header_id|>"),
    ("llama4", "<|header_start|>"),
    ("gemma", "<start_of_turn>"),
    ("gemma4", "<|turn>"),
    ("harmony", "<|start|>"),
    ("glm", "[gMASK]<sop>"),
    ("phi", "<|end|>"),
    ("deepseek", "<｜User｜>"),
    ("deepseek", "<|User|>"),
    ("command-r", "<|START_OF_TURN_TOKEN|>"),
    ("granite", "<|start_of_role|>"),
    ("kimi", "<|im_user|>"),
    ("zephyr", "<|user|>"),
    ("llama2", "[INST]"),
)
"""What gives a family of templates away. The first that is found counts: some have the signs of later ones too."""

_ENDS_OF_ZEPHYR_TURNS = ("</s>", "<|endoftext|>")


@dataclass(frozen=True, slots=True)
class ChatRendering:
    """A response with its context. `end` is what the template puts after the response; `notes` are for the reader.

    `marks` has one for each character of the passages and of `end` (see `loss_mask.marks_of_characters`); it is empty
    where the template marks nothing.
    """

    written: Written
    end: str
    notes: tuple[str, ...]
    marks: bytes = b""


def render_chat(
    tokenizer: PreTrainedTokenizerFast, response: ResponseToScore, *, calls_too: bool = False
) -> ChatRendering:
    """The conversation and the response by the template; text that already is this template is used as it stands.

    `calls_too` says that the arguments of the response's own tool calls are wanted as passages.
    Raises ScoringError where the model has no template, or the template refuses these turns.
    """
    tools, notes = _readable(response.tools)
    template = chat_template_of(tokenizer, with_tools=bool(tools))
    if reads_the_clock(template.text):
        notes.append("The chat template writes the time of day in a way that can't be fixed: the numbers may change.")
    answer = AnswerRendering(template, response.turns, response.parts, tools, calls_too=calls_too)
    written = answer.written
    written_in = None if response.verbatim_prefix is None else family_of(response.verbatim_prefix)
    if response.verbatim_prefix is not None and _is_written_as(response, answer.conversation.prompt):
        notes += _about_what_it_lacks(written.prefix, response.verbatim_prefix, answer.conversation.prompt)
        written = _as_in_the_file(written, response.verbatim_prefix, answer.conversation.prompt, template.bos)
    else:
        if response.verbatim_prefix is not None:
            notes.append(
                f"The file is written in the {written_in or 'unknown'} template; it was rendered anew with the aligned"
                " model's own."
            )
        notes += [
            *about_tools(tools, answer.conversation.probe),
            *about_turns(response.turns, answer.conversation.probe, written.prefix),
        ]
        notes += answer.notes
    if template.bos and written.prefix.startswith(template.bos * 2):
        notes.append(f"The text begins with {template.bos} twice, and the model was given both.")
    marked = answer.conversation.marked(response.parts)
    marks = b"" if marked is None else marks_of_characters(written, answer.end, marked)
    return ChatRendering(written, answer.end, tuple(notes), marks)


def _is_written_as(response: ResponseToScore, prompt: str) -> bool:
    """Whether the file's text before a response is in the template that wrote the prompt."""
    text = response.verbatim_prefix or ""
    if response.source_format == MODEL_TEMPLATE:
        return _goes_on_alike(text, prompt, response.turns[-1].text.strip() if response.turns else "")
    family = family_of(text)
    if family is None or family != family_of(prompt):
        return False
    # Zephyr, Tulu and OLMo have the same headers, and end their turns differently.
    return family != "zephyr" or all((end in text) == (end in prompt) for end in _ENDS_OF_ZEPHYR_TURNS)


def _goes_on_alike(text: str, prompt: str, said: str) -> bool:
    """Whether a text has behind the last turn what the prompt has there: so does what the same template wrote."""
    at, there = text.rfind(said), prompt.rfind(said)
    header = without_opened(prompt[there:])[len(said) :].strip()
    return min(at, there) >= 0 and text[at + len(said) :].strip().startswith(header)


def family_of(text: str) -> str | None:
    """Which family of chat templates a rendered text belongs to."""
    return next((family for family, sign in _FAMILY_SIGNS if sign in text), None)


def _as_in_the_file(written: Written, verbatim: str, prompt: str, bos: str) -> Written:
    missing_bos = bos if bos and prompt.startswith(bos) and not verbatim.startswith(bos) else ""
    opened = opened_at(verbatim)
    opening = "" if opened is None else verbatim[opened[0] :]
    return dataclasses.replace(written, prefix=missing_bos + verbatim, opening=opening)


def _about_what_it_lacks(rendered: str, verbatim: str, prompt: str) -> list[str]:
    """What the template would have written before this answer, beside the generation prompt, and the file does not."""
    header = without_opened(prompt)
    more = rendered.removeprefix(header) if rendered.startswith(header) else ""
    if not more.strip() or verbatim.endswith(more):
        return []
    return [f"The chat template writes {more!r} before such an answer; the file does not, and was used as it stands."]


def _readable(tools: str) -> tuple[str, list[str]]:
    try:
        tools_of(tools)
    except ValueError as error:
        why = f"The tools of the conversation could not be read ({error})"
        return "", [f"{why}; the model was given the conversation without them."]
    return tools, []
