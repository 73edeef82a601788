"""The messages between a client and the engine: typed values, encoded as MessagePack.

A frame is a 4-byte big-endian length and that many bytes of one message. Dataclasses of the other rooms travel
as they are; `msgspec` checks every field on the way in.
"""

from __future__ import annotations

import dataclasses

import msgspec

from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.continuations import Begun, RankedText, Sampling, Voice, WrittenToken
from shiftlens.scores.description import ModelDescription
from shiftlens.scores.records import ScoredResponse
from shiftlens.scores.requests import ContextPart, ContextTurn, ResponseToScore

__all__ = [
    "MAX_FRAME_BYTES",
    "Answer",
    "Began",
    "Cancel",
    "Cancelled",
    "ContextPart",
    "ContextTurn",
    "Continue",
    "Describe",
    "Described",
    "Done",
    "EngineState",
    "Event",
    "Failed",
    "Forget",
    "Job",
    "MemoryReport",
    "ModelInMemory",
    "Progress",
    "Rank",
    "Ranked",
    "Refused",
    "Reply",
    "Request",
    "ResponseToScore",
    "Score",
    "ScoreSeveral",
    "Scored",
    "Unload",
    "Wrote",
    "is_passing",
]

MAX_FRAME_BYTES = 1 << 30


class Score(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Score these responses. Answered by Progress and Scored messages, then one of Done, Failed, Cancelled.

    `client` tells apart whose jobs take turns. `document` is any name of what the text is from: what is kept for edits
    of it goes with Forget. Without `remember`, nothing is kept, and nothing that was kept before is used: the numbers
    hang on nothing but the request. `EngineClient.run` sets `job` and `client`, here as in every job.
    """

    job: int = 0
    pair: PairSpec
    options: ScoreOptions
    responses: tuple[ResponseToScore, ...]
    client: int = 0
    document: str = ""
    remember: bool = True


class ScoreSeveral(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Score these responses under several aligned models beside one base model, which is fed once for all of them.

    The aligned models are that of `pair` and those named in `also`, which are loaded as `pair` says. Answered like
    Score; `aligned` of an event is the place of its model among them, from 0. Nothing is kept for edits.
    """

    job: int = 0
    pair: PairSpec
    also: tuple[str, ...]
    options: ScoreOptions
    responses: tuple[ResponseToScore, ...]
    client: int = 0

    @property
    def pairs(self) -> tuple[PairSpec, ...]:
        """The base model with each of the aligned models."""
        return (self.pair, *(dataclasses.replace(self.pair, aligned=name) for name in self.also))


class Continue(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Go on from a position of a response, in each of these voices. Answered by Began and Wrote, then by Done.

    A response without text stands for an answer that is not there yet, whose one position is 0. Nothing is kept for
    edits, and what is kept for them stays.
    """

    job: int = 0
    pair: PairSpec
    options: ScoreOptions
    response: ResponseToScore
    position: int
    voices: tuple[Voice, ...]
    sampling: Sampling = Sampling()
    client: int = 0


class Rank(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Score a text in place of what a response says from a position on. Answered by Ranked."""

    job: int = 0
    pair: PairSpec
    options: ScoreOptions
    response: ResponseToScore
    position: int
    text: str
    client: int = 0


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Stop a job as soon as its current chunk, or token, is done."""

    job: int


class Unload(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Evict every model. Answered by Done."""

    job: int
    client: int = 0


class Forget(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Drop the passes remembered of a document, or of all of this client (None). Not answered; `job` is 0."""

    document: str | None
    client: int = 0
    job: int = 0


class Describe(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Load the pair and say what it is. Answered by Described or Failed."""

    job: int = 0
    pair: PairSpec
    client: int = 0


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How far a job is. `fraction` runs from 0 to 1 within `phase` ("loading" or "scoring").

    `part` is the response that is being scored, from 1, and how many there are; None while the models load.
    """

    job: int
    phase: str
    fraction: float
    message: str
    part: tuple[int, int] | None = None


class Scored(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Scores of one response. With `partial`, only its first positions; a longer one follows.

    `matrix_library` is what takes float32 products on a CPU in this engine ("torch" or "onednn"). `aligned` tells which
    of several aligned models the scores are of (see ScoreSeveral).
    """

    job: int
    index: int
    scored: ScoredResponse
    partial: bool = False
    matrix_library: str = ""
    aligned: int = 0


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One response could not be scored, the others go on. `aligned` is that of Scored."""

    job: int
    index: int
    problem: str
    remedy: str
    aligned: int = 0


class Began(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Where the continuations of a job begin."""

    job: int
    begun: Begun


class Wrote(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The next token of a continuation. `voice` is its index among those that were asked for."""

    job: int
    voice: int
    token: WrittenToken


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine process computes: the threads of matrix products with this pair, the cores that it may use, how
    threads wait for each other (by the environment), and its niceness (None where the system has none)."""

    threads: int
    cores: int
    waiting: str
    niceness: int | None


class Described(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The loaded pair, and the engine that has loaded it. Models on servers have been tried out, and are told of in a
    few sentences each; models that are loaded have none."""

    job: int
    base: ModelDescription
    aligned: ModelDescription
    engine: EngineState
    about_base: tuple[str, ...] = ()
    about_aligned: tuple[str, ...] = ()


class Ranked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the two models make of a text."""

    job: int
    base: ModelDescription
    aligned: ModelDescription
    ranked: RankedText


class Done(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The job is finished. `also` describes the further aligned models of ScoreSeveral, in its order."""

    job: int
    base: ModelDescription | None = None
    aligned: ModelDescription | None = None
    also: tuple[ModelDescription | None, ...] = ()


class Cancelled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The job was cancelled; what was sent before stays true."""

    job: int


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The job can't be done. `kind` is the class name of the error."""

    job: int
    kind: str
    problem: str
    remedy: str


class ModelInMemory(msgspec.Struct, frozen=True, kw_only=True):
    """A full model in the memory of the engine, or an adapter: with its own bytes and the name of its adapted model."""

    name: str
    bytes: int
    device: str
    dtype: str
    adapter_of: str = ""


class MemoryReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the engine has in memory, sent when it changes.

    `kv_bytes` are the caches of earlier passes, `cuda_bytes` is all that is reserved on a CUDA device, and `models` are
    those that are loaded. `job` is 0, since the report belongs to no job.
    """

    kv_bytes: int
    cuda_bytes: int
    job: int = 0
    models: tuple[ModelInMemory, ...] = ()


Job = Score | ScoreSeveral | Describe | Continue | Rank
"""What the engine does step by step, answered by any number of Events and then by an Answer, Cancelled or Failed.

Another kind of job is a message of its own with the fields `job`, `client` and `pair`, named here; its events and
its answer are named below. The host passes them on as they are. `EngineClient.run` has an overload for each kind.
"""

Event = Progress | Scored | Refused | Began | Wrote
Answer = Done | Described | Ranked

Request = Job | Cancel | Unload | Forget
Reply = Event | Answer | Cancelled | Failed | MemoryReport


def is_passing(reply: Reply) -> bool:
    """Whether a later reply of the same job says the same and more, so that a slow reader can do without this one."""
    return isinstance(reply, Progress) or (isinstance(reply, Scored) and reply.partial)
