"""Which turns a file says are trained on: the loss mask of supervised fine-tuning, where records carry one.

- `weight` of a message, 0 or more (OpenAI's and Mistral's fine-tuning);
- `train`, `training` of a message, and `train_detail`, `training_detail` for pieces of its text (axolotl);
- `loss`, `loss_mask` of a message (ms-swift and others);
- `mask` of a record, the speaker whose turns are not trained on (NeMo's chat format);
- `mask_history` of a record, true where the last answer alone is trained on (LLaMA-Factory's option).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shiftlens.transcripts.conversation import Said
from shiftlens.transcripts.json.record import Record
from shiftlens.transcripts.json.source import JsonScalar, JsonString
from shiftlens.transcripts.model import Role, Trained, Turn
from shiftlens.transcripts.roles import TEMPLATE_ROLES

FLAGS = ("weight", "train", "training", "loss", "loss_mask")
DETAILS = ("train_detail", "training_detail")

_SPEAKERS = {**TEMPLATE_ROLES, "gpt": Role.ASSISTANT, "bot": Role.ASSISTANT}


def trained_by(message: Record) -> Trained:
    """What a message of the assistant's says of itself. A flag that can't be followed is told of."""
    found = {key: said for key, said in _said(message) if said is not Trained.UNKNOWN}
    if len(set(found.values())) > 1:
        # A turn that is trained on may have pieces that are not.
        details = {said for key, said in found.items() if key in DETAILS}
        whole = {said for key, said in found.items() if key in FLAGS}
        if whole == {Trained.YES} and len(details) == 1:
            return details.pop()
        names = ", ".join(f"`{key}`" for key in found)
        message.log.say(f"{names} say different things of whether the turn is trained on.", message.start)
        return Trained.UNKNOWN
    return next(iter(found.values()), Trained.UNKNOWN)


def with_record_mask(record: Record, said: tuple[Said, ...]) -> tuple[Said, ...]:
    """The turns with what their record says of all of them; what a message says of itself goes before it."""
    said = _without_speaker(record, said)
    if not record.has("mask_history"):
        return said
    only_last = record.plain("mask_history")
    if not isinstance(only_last, bool):
        record.log.say("`mask_history` is neither true nor false.", record.start)
        return said
    if not only_last:
        return said
    last = max((at for at, each in enumerate(said) if each.turn.role is Role.ASSISTANT), default=None)
    return tuple(
        _marked(each, Trained.YES if at == last else Trained.NO) if each.turn.role is Role.ASSISTANT else each
        for at, each in enumerate(said)
    )


def both(first: Turn, second: Turn) -> Trained:
    """What holds of two pieces of one turn together."""
    told = {turn.trained for turn in (first, second)} - {Trained.UNKNOWN}
    return told.pop() if len(told) == 1 else Trained.PARTLY if told else Trained.UNKNOWN


def _without_speaker(record: Record, said: tuple[Said, ...]) -> tuple[Said, ...]:
    speaker = _SPEAKERS.get(record.peek("mask").lower())
    if speaker is None:
        return said
    record.skip("mask", "type")
    trained = Trained.NO if speaker is Role.ASSISTANT else Trained.YES
    return tuple(_marked(each, trained) if each.turn.role is Role.ASSISTANT else each for each in said)


def _marked(said: Said, trained: Trained) -> Said:
    if said.turn.trained is not Trained.UNKNOWN:
        return said
    return replace(said, turn=replace(said.turn, trained=trained))


def _said(message: Record) -> Iterator[tuple[str, Trained]]:
    for key in FLAGS:
        # An object under such a name is something else, which the user is told was not read.
        if message.kind(key) in (JsonScalar, JsonString):
            yield key, _flag(message, key)
    for key in DETAILS:
        if message.has(key):
            yield key, _detail(message, key)


def _flag(message: Record, key: str) -> Trained:
    value = message.plain(key)
    if isinstance(value, (bool, int, float)) and (value in (0, 1) or (key == "weight" and value > 0)):
        return Trained.YES if value > 0 else Trained.NO
    if key == "weight" or isinstance(value, str):
        message.log.say(f"`{key}` says neither that the turn is trained on nor that it is not.", message.start)
    elif value is not None:
        # Such as the loss of an evaluation. Without the number, so that a file tells it once.
        message.log.say(f"`{key}` is a number other than 0 and 1, so it was taken for no loss mask.", message.start)
    return Trained.UNKNOWN


def _detail(message: Record, key: str) -> Trained:
    """What a list of pieces says: each from `begin_offset` to `end_offset`, which some count in and some do not."""
    pieces = message.plain(key)
    ok = isinstance(pieces, list) and all(isinstance(p, dict) and isinstance(p.get("train"), bool) for p in pieces)
    if not ok or not pieces or not isinstance(pieces, list):
        message.log.say(f"`{key}` is no list of pieces that say whether they are trained on.", message.start)
        return Trained.UNKNOWN
    said = {piece["train"] for piece in pieces}
    return Trained.NO if said == {False} else Trained.PARTLY
