"""When stages are scored, and what the engine is asked for: with a session whose engine is in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from pygls.lsp.server import LanguageServer

from lsp.lsp_client import SECONDS
from pipeline.in_process import InProcess
from shiftlens.engine.protocol import Answer, Event, Job, Score, ScoreSeveral
from shiftlens.lsp.client.configuration import Configuration
from shiftlens.lsp.client.editor import Editor
from shiftlens.lsp.client.progress import WorkDone
from shiftlens.lsp.client.status import State, Status
from shiftlens.lsp.documents.open import OpenDocument
from shiftlens.lsp.jobs.document_job import DocumentJob
from shiftlens.lsp.jobs.session import Session
from shiftlens.lsp.jobs.stages_job import StagesJob
from shiftlens.lsp.jobs.task import Task, Trigger
from shiftlens.options.pair import PairSpec
from tiny_models import byte_level_tokenizer, save_model

URI = "file:///talk.txt"
TALK = "User: Why?\nAssistant: Because air scatters it.\nUser: Why not?\nAssistant: No.\n"


class Mute(Editor):
    """An editor that can nothing, and keeps what it is told of a document."""

    def __init__(self, server: LanguageServer) -> None:
        super().__init__(server)
        self.told: list[Status] = []

    encoding = "utf-16"

    def _capability(self, name: str) -> Any:  # noqa: ARG002
        return None

    def show_status(self, uri: str, version: int, status: Status) -> None:  # noqa: ARG002
        self.told.append(status)


class Seen:
    """A document of a session, and what was asked of the engine for it."""

    def __init__(self, engine: InProcess, text: str = TALK, **settings: object) -> None:
        self.server, self.engine = LanguageServer("test", "1"), engine
        self.editor = Mute(self.server)
        self.session = Session(self.editor, Configuration(self.editor), engine)
        self.set_to(**settings)
        self.document = self.session.documents[URI] = OpenDocument(URI, 1, text)

    def set_to(self, **settings: object) -> None:
        self.session.configuration.push({"resultCache": False, **settings})

    def progress(self, title: str) -> WorkDone:
        return WorkDone(self.server, title, lambda: None, supported=False)

    async def look(self, task: Task) -> None:
        own = DocumentJob(self.session, self.document, task, open_progress=self.progress, use_bundled=lambda: None)
        work = await own.run()
        if work is not None:
            await StagesJob(self.session, work, task, open_progress=self.progress).run()

    def asked(self) -> list[tuple[str, ...]]:
        """The aligned models of each job that the engine was asked for."""
        each = self.engine.asked
        return [tuple(p.aligned for p in job.pairs) if isinstance(job, ScoreSeveral) else _one(job) for job in each]

    def stages(self) -> list[list[tuple[str, bool]]]:
        """Of each response, the stages and whether they have numbers."""
        shown = self.session.store.shown(URI)
        assert shown is not None
        return [[(each.model, each.compared is not None) for each in result.stages] for result in shown.results]


def _one(job: Job) -> tuple[str, ...]:
    assert isinstance(job, Score)
    return (job.pair.aligned,)


@pytest.fixture(scope="module")
def sft_and_rl(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("stages")
    sft, rl = (save_model(folder / str(seed), byte_level_tokenizer(), seed=seed) for seed in (7, 8))
    return str(sft), str(rl)


@pytest.fixture
def settings(tiny_pair: PairSpec, sft_and_rl: tuple[str, str]) -> dict[str, Any]:
    stages = [sft_and_rl[0], tiny_pair.aligned, sft_and_rl[1]]
    return {"base": tiny_pair.base, "aligned": tiny_pair.aligned, "device": "cpu", "stages": stages}


async def test_stages_are_scored_together_after_the_pair_and_the_aligned_model_not_twice(
    settings: dict[str, Any],
) -> None:
    sft, aligned, rl = settings["stages"]
    seen = Seen(InProcess(), **settings)
    await seen.look(Task(Trigger.OPEN))
    assert seen.asked() == [(aligned,), (sft, rl)]
    assert seen.stages() == [[(sft, True), (aligned, True), (rl, True)]] * 2
    assert seen.document.status == Status(State.READY, "3 stages in hovers and the panel.")
    first_ready = next(at for at, told in enumerate(seen.editor.told) if told.state is State.READY)
    # From then on the colours are there, and the document says nothing else.
    assert {told.state for told in seen.editor.told[first_ready:]} == {State.READY}
    assert any(told.message.startswith("Stages: ") for told in seen.editor.told[first_ready:])


async def test_without_the_setting_the_engine_is_asked_for_the_pair_alone(settings: dict[str, Any]) -> None:
    seen = Seen(InProcess(), **{**settings, "stages": []})
    await seen.look(Task(Trigger.OPEN))
    assert seen.asked() == [(settings["aligned"],)]
    assert seen.stages() == [[], []]
    assert seen.document.status == Status(State.READY)


async def test_what_is_in_memory_is_not_scored_again_and_a_further_stage_alone(settings: dict[str, Any]) -> None:
    sft, aligned, rl = settings["stages"]
    seen = Seen(InProcess(), **{**settings, "stages": [sft]})
    await seen.look(Task(Trigger.OPEN))
    await seen.look(Task(Trigger.EDIT))
    assert seen.asked() == [(aligned,), (sft,)]
    seen.set_to(**{**settings, "stages": [sft, rl]})
    await seen.look(Task(Trigger.OPEN))
    assert seen.asked()[2:] == [(rl,)]
    assert seen.stages() == [[(sft, True), (rl, True)]] * 2


async def test_stages_that_are_no_longer_named_are_shown_no_longer(settings: dict[str, Any]) -> None:
    seen = Seen(InProcess(), **settings)
    await seen.look(Task(Trigger.OPEN))
    seen.set_to(**{**settings, "stages": []})
    await seen.look(Task(Trigger.OPEN))
    assert seen.stages() == [[], []]
    assert seen.document.status == Status(State.READY)


async def test_nothing_is_scored_that_the_run_policy_does_not_have_scored(settings: dict[str, Any]) -> None:
    seen = Seen(InProcess(), **{**settings, "runPolicy": "manual"})
    await seen.look(Task(Trigger.OPEN))
    assert seen.asked() == []
    await seen.look(Task(Trigger.COMMAND, frozenset({1})))
    sft, aligned, rl = settings["stages"]
    assert seen.asked() == [(aligned,), (sft, rl)]
    assert [len(job.responses) for job in seen.engine.asked if isinstance(job, (Score, ScoreSeveral))] == [1, 1]
    assert seen.stages() == [[], [(sft, True), (aligned, True), (rl, True)]]


async def test_a_setting_that_is_not_followed_is_told(settings: dict[str, Any]) -> None:
    front = f"---\nshiftlens:\n  base: {settings['aligned']}\n---\n"
    seen = Seen(InProcess(), front + TALK, **settings)
    await seen.look(Task(Trigger.OPEN))
    assert seen.asked() == [(settings["aligned"],)]
    assert seen.document.status.state is State.READY
    assert "this file is scored with another" in seen.document.status.message


async def test_stages_of_a_workspace_that_is_not_trusted_are_not_loaded(settings: dict[str, Any]) -> None:
    bundled = {"base": "bundled:base", "aligned": "bundled:aligned"}
    seen = Seen(InProcess(), **{**settings, **bundled, "stages": [settings["base"], "bundled:aligned"]})
    seen.session.trusted = False
    await seen.look(Task(Trigger.OPEN))
    assert seen.asked() == [("bundled:aligned",)]
    assert seen.stages() == [[(settings["base"], False), ("bundled:aligned", True)]] * 2
    shown = seen.session.store.shown(URI)
    assert shown is not None
    assert "not trusted" in shown.results[0].stages[0].why_not


class Interrupted(InProcess):
    """Before it first answers for stages, another document waits for its colours, or the user for something else."""

    def __init__(self, *, by_user: bool) -> None:
        super().__init__()
        self.by_user = by_user
        self.seen: Seen | None = None
        self.order: list[str] = []
        self.other: asyncio.Task[None] | None = None

    async def _goes_first(self) -> None:
        assert self.seen is not None
        slot = self.seen.session.scheduler.engine_slot
        if self.by_user:
            with slot.wanted():
                # Until the stages have given way.
                while slot.locked():
                    await asyncio.sleep(0)
                self.order.append("other")
        else:
            async with slot:
                self.order.append("other")

    async def run(self, request: Job) -> AsyncGenerator[Event | Answer, None]:  # type: ignore[override]
        self.order.append("stages" if isinstance(request, ScoreSeveral) else "pair")
        if isinstance(request, ScoreSeveral) and self.other is None:
            self.other = asyncio.create_task(self._goes_first())
            await asyncio.sleep(0)
        async for event in super().run(request):
            yield event


@pytest.mark.parametrize("by_user", [False, True])
async def test_stages_give_way_to_who_waits_for_the_engine(settings: dict[str, Any], by_user: bool) -> None:
    engine = Interrupted(by_user=by_user)
    seen = engine.seen = Seen(engine, **settings)
    await asyncio.wait_for(seen.look(Task(Trigger.OPEN)), SECONDS)
    assert engine.order == ["pair", "stages", "other", "stages"]
    assert all(has for response in seen.stages() for _, has in response)


async def test_stages_that_are_shown_stay_what_they_are_while_nothing_of_a_response_changes(
    settings: dict[str, Any],
) -> None:
    seen = Seen(InProcess(), **settings)
    await seen.look(Task(Trigger.OPEN))
    before = seen.session.store.shown(URI)
    longer = TALK + "User: And?\nAssistant: Yes.\n"
    seen.document.version, seen.document.text = 2, longer
    await seen.look(Task(Trigger.EDIT))
    after = seen.session.store.shown(URI)
    assert before is not None
    assert after is not None
    assert [len(result.stages) for result in after.results] == [3, 3, 3]
    for old, new in zip(before.results, after.results, strict=False):
        assert all(one.scores is other.scores for one, other in zip(old.stages, new.stages, strict=True))
    last = [job for job in seen.engine.asked if isinstance(job, ScoreSeveral)][-1]
    assert len(last.responses) == 1


def test_a_task_that_another_follows_is_two() -> None:
    task = Task(Trigger.COMMAND, frozenset({0}), then=Trigger.OPEN)
    assert task.in_order() == (task, Task(Trigger.OPEN))
    assert replace(task, then=None).in_order() == (replace(task, then=None),)
