"""HELM's `scenario_state.json`: requests with their completions."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.text.source_map import slice_of
from shiftlens.transcripts.conversation import Conversation, Said
from shiftlens.transcripts.evals.nested import Text
from shiftlens.transcripts.format import Example, JsonFormat
from shiftlens.transcripts.json.messages import read_messages
from shiftlens.transcripts.json.record import Record, RecordError, each
from shiftlens.transcripts.model import Part, PartKind, Role, Turn

_ASKED = (
    *("best_of", "echo_prompt", "embedding", "frequency_penalty", "image_generation_parameters", "max_tokens"),
    *("model_deployment", "num_completions", "presence_penalty", "random", "response_format", "stop_sequences"),
    *("top_k_per_token", "top_p"),
)
_STATE = ("instance", "num_conditioning_tokens", "num_in_context_examples", "num_train_instances", "output_mapping")
_MORE_STATE = ("prompt_truncated", "reference_index", "request_mode", "train_trial_index", "annotations")
_RESULT = ("cached", "embedding", "error", "error_flags", "request_datetime", "request_time", "success", "batch_size")
_COMPLETION = ("logprob", "multimodal_content")


def _matches(value: object) -> bool:
    states = value.get("request_states") if isinstance(value, dict) else None
    return isinstance(states, list) and bool(states) and all(_is_state(state) for state in states)


def _is_state(state: object) -> bool:
    request = state.get("request") if isinstance(state, dict) else None
    return isinstance(request, dict) and isinstance(request.get("prompt"), str)


def _read(record: Record) -> Iterator[Conversation]:
    record.skip("adapter_spec", "annotator_specs")
    for state in record.items("request_states"):
        try:
            yield from tuple(_state(state))
        except RecordError as error:
            state.log.say(f"A request was left out: {error.reason}.", error.offset)


def _state(state: Record) -> Iterator[Conversation]:
    state.skip(*_STATE, *_MORE_STATE)
    request, result = state.mapping("request"), state.mapping("result")
    if request is None:
        raise RecordError("`request` is no object", state.start)
    request.skip(*_ASKED)
    prompt = request.string("prompt")
    said: tuple[Said, ...] = read_messages(request.items("messages")) if request.has("messages") else ()
    if not said and prompt is not None:
        said = (Said(Turn.of(Role.USER, *prompt)),)
    request.finish()
    if result is None:
        yield Conversation(said)
        return
    result.skip(*_RESULT)
    echoed = prompt[0] if prompt is not None and request.plain("echo_prompt") is True else ""
    for number, completion in enumerate(result.items("completions"), 1):
        answer = completion.string("text")
        thinking = completion.mapping("thinking")
        completion.skip(*_COMPLETION)
        completion.finish()
        if answer is None:
            raise RecordError("a completion has no text", completion.start)
        parts = _thought(thinking)
        turn = Turn.of(Role.ASSISTANT, *_without_echo(answer, echoed))
        turn = Turn(Role.ASSISTANT, (*parts, *turn.parts)) if parts else turn
        yield Conversation((*said, Said(turn)), label="" if number == 1 else f"completion {number}")
    result.finish()
    state.finish()


def _thought(thinking: Record | None) -> tuple[Part, ...]:
    found = thinking.string("text") if thinking is not None else None
    return () if found is None else (Part(PartKind.REASONING, *found),)


def _without_echo(answer: Text, prompt: str) -> Text:
    """The completion without the prompt that the server was asked to repeat."""
    text, source = answer
    return slice_of(text, source, len(prompt), len(text)) if prompt and text.startswith(prompt) else answer


FORMAT = JsonFormat(
    name="helm",
    summary='HELM scenario_state.json: {"request_states": [{"request": {"prompt"}, "result": {"completions"}}]}',
    examples=(
        Example(
            "scenario_state.json",
            '{"adapter_spec": {"method": "generation"}, "request_states": [{"instance": {"id": "id1"},\n'
            ' "request": {"model": "m", "prompt": "Why is the sky blue?", "temperature": 0.0},\n'
            ' "result": {"success": true, "completions": [{"text": "Air scatters blue light more than red.",\n'
            '  "logprob": -1.5, "tokens": []}]}}]}\n',
        ),
    ),
    evidence='"request_states" with "prompt"',
    marks=(('"request_states"', '"prompt"'),),
    matches=_matches,
    read=each(_read),
)
