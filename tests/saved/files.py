"""What servers and programs write of one answer, each in its documented shape, from the scores of a local model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shiftlens.scores.columns import float32, int32
from shiftlens.scores.records import SideScores

Json = dict[str, object]

QUESTION = "Why is the sky blue?"
MODEL = "served/model"


@dataclass(frozen=True)
class Row:
    """A token of an answer, with all candidates that the model had, the most likely first."""

    id: int
    data: bytes
    logprob: float
    top: tuple[tuple[int, bytes, float], ...]

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


def rows_of(side: SideScores) -> list[Row]:
    """What the local model gave, row by row, its end included."""
    ids, logprobs = int32(side.ids), float32(side.logprob)
    tops, values = int32(side.top_ids), float32(side.top_logprobs)
    return [
        Row(
            ids[row],
            side.pieces[ids[row]],
            logprobs[row],
            tuple((tops[at], side.pieces[tops[at]], values[at]) for at in range(row * side.k, (row + 1) * side.k)),
        )
        for row in range(side.rows)
    ]


def named(data: bytes, logprob: float) -> Json:
    return {"token": data.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(data)}


def items(rows: Sequence[Row], k: int) -> list[Json]:
    return [
        {**named(row.data, row.logprob), "top_logprobs": [named(data, value) for _, data, value in row.top[:k]]}
        for row in rows
    ]


def chat(answer: str, rows: Sequence[Row], k: int) -> Json:
    message = {"role": "assistant", "content": answer}
    choice = {"index": 0, "message": message, "logprobs": {"content": items(rows, k)}, "finish_reason": "stop"}
    return {
        "request": {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "logprobs": True},
        "response": {"object": "chat.completion", "model": MODEL, "choices": [choice], "prompt_logprobs": None},
    }


def chat_without_prompt(answer: str, rows: Sequence[Row], k: int) -> Json:
    return chat(answer, rows, k)["response"]  # type: ignore[return-value]


def completions(answer: str, rows: Sequence[Row], k: int) -> Json:
    """The k most likely by their texts, and the token itself; of two with one text, one is lost."""
    tops = []
    for row in rows:
        top = {data.decode("utf-8", "replace"): value for _, data, value in row.top[:k]}
        tops.append({row.text: row.logprob, **top} if row.text not in top else top)
    columns = {
        "tokens": [row.text for row in rows],
        "token_logprobs": [row.logprob for row in rows],
        "top_logprobs": tops,
        "text_offset": [0] * len(rows),
    }
    return {"model": MODEL, "prompt": QUESTION, "choices": [{"index": 0, "text": answer, "logprobs": columns}]}


def responses(answer: str, rows: Sequence[Row], k: int) -> Json:
    part = {"type": "output_text", "text": answer, "annotations": [], "logprobs": items(rows[:-1], k)}
    message = {"type": "message", "role": "assistant", "content": [part]}
    return {"model": MODEL, "input": QUESTION, "output": [message], "object": "response"}


def vllm_prompt(answer: str, rows: Sequence[Row], k: int) -> Json:
    """The k most likely by their ids, the token itself first, behind tokens of the question."""
    before: list[object] = [None, {"7": {"logprob": -2.0, "rank": 3, "decoded_token": QUESTION}}]
    entries: list[object] = []
    for row in rows:
        entry = {str(row.id): {"logprob": row.logprob, "rank": 1, "decoded_token": row.text}}
        for token, data, value in row.top[:k]:
            entry.setdefault(
                str(token), {"logprob": value, "rank": 1, "decoded_token": data.decode("utf-8", "replace")}
            )
        entries.append(entry)
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": answer}]
    return {"model": MODEL, "messages": messages, "prompt_logprobs": [*before, *entries]}


def sglang(answer: str, rows: Sequence[Row], k: int) -> Json:
    meta = {
        "id": "r",
        "output_token_logprobs": [[row.logprob, row.id, row.text] for row in rows],
        "output_top_logprobs": [
            [[value, token, data.decode("utf-8", "replace")] for token, data, value in row.top[:k]] for row in rows
        ],
    }
    return {"model": MODEL, "prompt": QUESTION, "response": {"text": answer, "meta_info": meta}}


def ollama(answer: str, rows: Sequence[Row], k: int) -> Json:
    return {"model": MODEL, "prompt": QUESTION, "response": answer, "done": True, "logprobs": items(rows[:-1], k)}


def gemini(answer: str, rows: Sequence[Row], k: int) -> Json:
    def of(token: int, data: bytes, value: float) -> Json:
        return {"token": data.decode("utf-8", "replace"), "tokenId": token, "logProbability": value}

    result = {
        "chosenCandidates": [of(row.id, row.data, row.logprob) for row in rows],
        "topCandidates": [{"candidates": [of(*each) for each in row.top[:k]]} for row in rows],
    }
    content = {"role": "model", "parts": [{"text": answer}]}
    return {
        "contents": [{"role": "user", "parts": [{"text": QUESTION}]}],
        "candidates": [{"content": content, "logprobsResult": result, "avgLogprobs": -0.5}],
        "modelVersion": MODEL,
    }


def inspect(answer: str, rows: Sequence[Row], k: int) -> Json:
    message = {"role": "assistant", "source": "generate", "content": answer}
    output = {"model": MODEL, "choices": [{"message": message, "logprobs": {"content": items(rows, k)}}]}
    sample = {
        "id": 1,
        "epoch": 1,
        "input": QUESTION,
        "target": "",
        "messages": [{"role": "user", "source": "input", "content": QUESTION}, message],
        "output": output,
    }
    return {"version": 2, "status": "success", "eval": {"task": "t", "model": MODEL}, "samples": [sample]}


def inspect_prompt(answer: str, rows: Sequence[Row], k: int) -> Json:
    found = inspect(answer, rows, k)
    samples = found["samples"]
    assert isinstance(samples, list)
    choice = samples[0]["output"]["choices"][0]
    choice["prompt_logprobs"] = choice.pop("logprobs")
    return found


def atif(answer: str, rows: Sequence[Row], k: int) -> Json:
    steps = [
        {"step_id": 1, "source": "user", "message": QUESTION},
        {"step_id": 2, "source": "agent", "message": answer, "metrics": {"logprobs": items(rows, k)}},
    ]
    agent = {"name": "a", "version": "1", "model_name": MODEL}
    return {"schema_version": "ATIF-v1.6", "session_id": "s", "agent": agent, "steps": steps}


Write = Callable[[str, Sequence[Row], int], Json]

FORMATS: dict[str, Write] = {
    "chat": chat,
    "chat without its prompt": chat_without_prompt,
    "completions": completions,
    "responses": responses,
    "vllm prompt": vllm_prompt,
    "sglang": sglang,
    "ollama": ollama,
    "gemini": gemini,
    "inspect": inspect,
    "inspect prompt": inspect_prompt,
    "atif": atif,
}
WITHOUT_END = ("responses", "ollama")
WITH_IDS = ("vllm prompt", "sglang", "gemini")
WITH_BYTES = ("chat", "chat without its prompt", "responses", "ollama", "inspect", "inspect prompt", "atif")


def written(name: str, answer: str, rows: Sequence[Row], k: int) -> str:
    return json.dumps(FORMATS[name](answer, rows, k))
