"""Write logs with Inspect's own code, and what Inspect itself reads from them. Run in an environment that has it.

    python write_inspect_logs.py FOLDER

writes `log.json`, `log.eval` (texts kept apart as attachments), `plain.eval`, `chunked/log.eval` and `expected.json`:
for each sample its name and messages as [role, [[kind, text], ...]].
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from inspect_ai.event import ModelEvent
from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, read_eval_log, write_eval_log
from inspect_ai.log._condense import condense_sample
from inspect_ai.log._recorders.chunked import convert_eval_logs_to_chunked
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
)
from inspect_ai.tool import ToolCall, ToolCallError, ToolInfo

MODEL = "bundled:aligned"
AWKWARD = ["é", "😀", "\u2028", "\r\n", "\n", '"', "\\", "</s>", "<think>", "שלום", "\t", "a", " word", "attachment:"]
LONG = "Air scatters blue light more than red. "


def conversation(rng: random.Random) -> list[ChatMessage]:
    """Messages of every kind, with awkward text and some that is long enough to be kept apart."""

    def text() -> str:
        words = "".join(rng.choice(AWKWARD) for _ in range(rng.randint(1, 6)))
        return words + LONG * rng.choice((0, 0, 4))

    messages: list[ChatMessage] = [ChatMessageSystem(content=text())]
    for turn in range(rng.randint(1, 3)):
        messages.append(ChatMessageUser(content=text(), source="input" if turn == 0 else None))
        if rng.random() < 0.6:
            call = ToolCall(id=f"call{turn}", function="search", arguments={"query": text(), "limit": turn})
            thought = [ContentReasoning(reasoning=text()), ContentText(text=text())]
            messages.append(ChatMessageAssistant(content=thought, tool_calls=[call], model=MODEL, source="generate"))
            error = ToolCallError(type="timeout", message=text()) if rng.random() < 0.3 else None
            result = "" if error else text()
            messages.append(ChatMessageTool(content=result, tool_call_id=call.id, function="search", error=error))
        messages.append(ChatMessageAssistant(content=text(), model=MODEL, source="generate"))
    return messages


def sample(number: int, seed: int) -> EvalSample:
    messages = conversation(random.Random(seed))  # noqa: S311
    output = ModelOutput(model=MODEL, choices=[ChatCompletionChoice(message=messages[-1], stop_reason="stop")])
    event = ModelEvent(
        model=MODEL,
        input=messages[:-1],
        tools=[ToolInfo(name="search", description="Look a thing up.")],
        tool_choice="auto",
        config=GenerateConfig(),
        output=output,
    )
    return EvalSample(
        id=f"sky {number}",
        epoch=1,
        input=messages[1].text,
        target="-",
        messages=messages,
        output=output,
        events=[event],
    )


def log(samples: list[EvalSample]) -> EvalLog:
    spec = EvalSpec(
        created="2026-01-01T00:00:00+00:00", task="sky", dataset=EvalDataset(), model=MODEL, config=EvalConfig()
    )
    return EvalLog(eval=spec, samples=samples)


def expected(folder: Path) -> list[object]:
    """What Inspect reads, with the texts that were kept apart in their places."""
    found: list[object] = []
    for each in read_eval_log(str(folder / "log.eval"), resolve_attachments=True).samples or []:
        found.append([f"samples/{each.id}_epoch_{each.epoch}.json", [spoken(message) for message in each.messages]])
    return found


def spoken(message: ChatMessage) -> list[object]:
    """CRLF is one newline, as ShiftLens reads it."""
    parts: list[list[str]] = []
    if isinstance(message, ChatMessageTool):
        parts = [["tool_result", message.error.message if message.error else message.text]]
        return ["tool", [[kind, text.replace("\r\n", "\n")] for kind, text in parts]]
    for content in [ContentText(text=message.content)] if isinstance(message.content, str) else message.content:
        is_text = isinstance(content, ContentText)
        parts.append(["text", content.text] if is_text else ["reasoning", content.reasoning])
    parts = [[kind, text.replace("\r\n", "\n")] for kind, text in parts]
    if isinstance(message, ChatMessageAssistant):
        parts += [["tool_call", json.dumps(call.arguments)] for call in message.tool_calls or []]
    return [message.role, parts]


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2
    folder.mkdir(parents=True, exist_ok=True)
    samples = [sample(number, seed=number) for number in range(1, count + 1)]
    write_eval_log(log(samples), str(folder / "plain.eval"))
    condensed = [condense_sample(each) for each in samples]
    write_eval_log(log(condensed), str(folder / "log.eval"))
    write_eval_log(log(condensed), str(folder / "log.json"))
    convert_eval_logs_to_chunked(str(folder / "log.eval"), str(folder / "chunked"), overwrite=True)
    (folder / "expected.json").write_text(json.dumps(expected(folder), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
