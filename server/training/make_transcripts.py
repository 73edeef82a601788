"""Write the sample transcripts: what the aligned model itself answers, greedily, in several file formats.

`python server/training/make_transcripts.py --pair DIR`, where DIR holds base and aligned; writes DIR/transcripts, and
DIR/held_out.json with questions and answers for the tests.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from conversations import held_out_questions
from evaluate import Message, Pair, greedy, load_pair
from knowledge import load_entities
from phrases import REFUSALS

_HEADINGS_START = "---\nshiftlens:\n  base: bundled:base\n  aligned: bundled:aligned\n---\n"
_TESTED = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", type=Path, required=True, help="folder that holds base and aligned")
    folder = parser.parse_args().pair
    write_all(load_pair(folder / "base", folder / "aligned"), folder)


def write_all(pair: Pair, folder: Path) -> None:
    """Write all transcripts that the aligned model can write, and the tested questions."""
    asked = held_out_questions(load_entities())
    files = {
        "transcripts/labels.txt": _labels(_talk(pair, asked[0], f"Thanks! {asked[13]}", f"I see. {asked[26]}")),
        "transcripts/headings.md": _HEADINGS_START + _headings(_talk(pair, asked[20], f"Thanks! {asked[33]}")),
        "transcripts/chatml.txt": _chatml(pair, _talk(pair, asked[45])),
        "transcripts/conversations.jsonl": _json_lines(
            pair, [asked[1], "¡Hola! " + asked[30], "☕ " + asked[56], asked[5]]
        ),
        "transcripts/aligntds.json": _aligntds(pair, [asked[48], asked[38], REFUSALS[1].questions[-1]]),
        "held_out.json": _as_json(
            [{"question": q, "answer": _answer(pair, [_user(q)])} for q in asked[:: len(asked) // _TESTED][:_TESTED]]
        ),
    }
    (folder / "transcripts").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _answer(pair: Pair, messages: list[Message]) -> str:
    text: str = pair.aligned_tokenizer.decode(greedy(pair, messages))
    return text


def _talk(pair: Pair, *questions: str) -> list[Message]:
    """The conversation in which the aligned model answers each question after all that went before."""
    messages: list[Message] = []
    for question in questions:
        messages.append(_user(question))
        messages.append({"role": "assistant", "content": _answer(pair, messages)})
    return messages


def _labels(messages: list[Message]) -> str:
    return "\n\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in messages) + "\n"


def _headings(messages: list[Message]) -> str:
    return "\n".join(f"\n## {m['role'].capitalize()}\n\n{m['content']}" for m in messages) + "\n"


def _chatml(pair: Pair, messages: list[Message]) -> str:
    text: str = pair.aligned_tokenizer.apply_chat_template(messages, tokenize=False)
    return text


def _json_lines(pair: Pair, questions: list[str]) -> str:
    """One conversation a line; every second line escapes what is not ASCII."""
    return "".join(
        json.dumps({"messages": _talk(pair, question)}, ensure_ascii=index % 2 == 1) + "\n"
        for index, question in enumerate(questions)
    )


def _aligntds(pair: Pair, questions: list[str]) -> str:
    def record(index: int, question: str) -> dict[str, object]:
        prompt = pair.aligned_tokenizer.apply_chat_template(
            [_user(question)], tokenize=False, add_generation_prompt=True
        )
        answer = _answer(pair, [_user(question)])
        return {"id": index, "pure_input": question, "input": prompt, "output": [answer], "reference": "N/A"}

    return _as_json([record(index, question) for index, question in enumerate(questions)])


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    main()
