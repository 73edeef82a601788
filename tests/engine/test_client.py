"""The engine as a process: jobs, cancelling, dying, and errors that say what to do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import torch
from safetensors.torch import load_file

from score_job import score
from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.engine.frames import HEADER_BYTES, body_length, decode_reply, encode_frame
from shiftlens.engine.protocol import Continue, Done, Event, Progress, Refused, Score, Scored, Wrote
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE
from shiftlens.errors import EngineError, ModelError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.continuations import Sampling, Voice
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 60
QUESTION = (ContextTurn.of("user", "Why is the sky blue?"),)


def response(text: str) -> ResponseToScore:
    return ResponseToScore(turns=QUESTION, parts=one_text(text), source_format="labels")


LONG = response("The quick brown fox jumps over the lazy dog. " * 80)
SHORT = response("Great question!")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[EngineClient]:
    """One engine for all tests of this file: starting one takes seconds, and a dead one starts anew by itself."""
    engine = EngineClient()
    yield engine
    await engine.close()


async def test_scores_arrive_for_each_response_with_progress(client: EngineClient, tiny_pair: PairSpec) -> None:
    progress: list[Progress] = []
    scored: list[Scored] = []
    done = await score(
        client, tiny_pair, ScoreOptions(), [SHORT, LONG], on_progress=progress.append, on_scored=scored.append
    )
    assert done.base is not None
    assert done.base.name == tiny_pair.base
    assert {s.index for s in scored if not s.partial} == {0, 1}
    assert {p.phase for p in progress} == {"loading", "scoring"}


async def test_the_first_rows_of_a_long_response_come_before_the_last(
    client: EngineClient, tiny_pair: PairSpec
) -> None:
    scored: list[Scored] = []
    unheard = response("Why is the sky blue? " + LONG.text)
    await score(client, tiny_pair, ScoreOptions(), [unheard], on_scored=scored.append)
    first, last = scored[0], scored[-1]
    assert first.partial
    assert not last.partial
    assert first.scored.rows < last.scored.rows
    assert last.scored.base.rank.startswith(first.scored.base.rank)


async def test_a_cancelled_job_stops_and_the_next_one_works(client: EngineClient, tiny_pair: PairSpec) -> None:
    started = asyncio.Event()
    job = asyncio.create_task(score(client, tiny_pair, ScoreOptions(), [LONG] * 200, on_scored=lambda _: started.set()))
    await asyncio.wait_for(started.wait(), SECONDS)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    pid = client.pid
    scored: list[Scored] = []
    await asyncio.wait_for(score(client, tiny_pair, ScoreOptions(), [SHORT], on_scored=scored.append), SECONDS)
    assert len(scored) == 1
    assert client.pid == pid


async def test_killing_the_engine_loses_that_job_only(client: EngineClient, tiny_pair: PairSpec) -> None:
    started = asyncio.Event()
    job = asyncio.create_task(score(client, tiny_pair, ScoreOptions(), [LONG] * 200, on_scored=lambda _: started.set()))
    await asyncio.wait_for(started.wait(), SECONDS)
    pid = client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineError, match=r"ended \(signal 9\).*a new engine starts by itself"):
        await asyncio.wait_for(job, SECONDS)
    scored: list[Scored] = []
    await score(client, tiny_pair, ScoreOptions(), [SHORT], on_scored=scored.append)
    assert len(scored) == 1
    assert client.pid != pid


def is_at(stage: str, event: Event | Done) -> bool:
    """Whether an engine that says this has come so far."""
    if stage in ("loading", "scoring"):
        return isinstance(event, Progress) and event.phase == stage
    return isinstance(event, Scored if stage == "first scores" else Wrote)


@pytest.mark.parametrize("stage", ["starting", "loading", "scoring", "first scores", "continuing"])
async def test_an_engine_that_is_killed_at_any_stage_fails_its_job_with_the_reason_and_is_replaced(
    tiny_pair: PairSpec, stage: str, request: pytest.FixtureRequest
) -> None:
    if stage == "starting":
        request.getfixturevalue("processes_start_cold")
    work: Score | Continue = Score(pair=tiny_pair, options=ScoreOptions(), responses=(LONG,) * 20)
    if stage == "continuing":
        work = Continue(
            pair=tiny_pair, options=ScoreOptions(), response=SHORT, position=0, voices=(Voice(0.0, 1),),
            sampling=Sampling(max_tokens=4000),
        )  # fmt: skip
    client = EngineClient(sharing=Sharing.OWN)

    async def run() -> None:
        async with aclosing(client.run(work)) as events:
            async for event in events:
                if is_at(stage, event) and client.pid is not None:
                    os.kill(client.pid, signal.SIGKILL)

    try:
        job = asyncio.create_task(run())
        if stage == "starting":
            while client.pid is None and not job.done():
                await asyncio.sleep(0.01)
            assert client.pid is not None
            os.kill(client.pid, signal.SIGKILL)
        with pytest.raises(EngineError, match=r"ended \(signal 9\)"):
            await asyncio.wait_for(job, SECONDS)
        scored: list[Scored] = []
        await asyncio.wait_for(score(client, tiny_pair, ScoreOptions(), [SHORT], on_scored=scored.append), SECONDS)
        assert len(scored) == 1
    finally:
        await client.close()


async def test_the_engine_ends_when_its_client_dies(tiny_pair: PairSpec) -> None:
    script = (
        "import asyncio, os\n"
        "from shiftlens.engine.client import EngineClient\n"
        "from shiftlens.options.pair import PairSpec\n"
        "async def main():\n"
        "    client = EngineClient()\n"
        f"    await client.describe(PairSpec(base={tiny_pair.base!r}, aligned={tiny_pair.aligned!r}))\n"
        "    print(client.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    # An engine that the other tests of this file do not share.
    with tempfile.TemporaryDirectory(prefix="shiftlens-", ignore_cleanup_errors=True) as folder:
        parent = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            script,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, RUNTIME_DIR_VARIABLE: folder},
        )
        assert parent.stdout is not None
        engine_pid = int(await parent.stdout.readline())
        await parent.wait()
        await asyncio.wait_for(_gone(engine_pid), SECONDS)


async def test_unloading_gives_the_process_back_and_the_next_job_starts_another(
    client: EngineClient, tiny_pair: PairSpec
) -> None:
    await client.describe(tiny_pair)
    pid = client.pid
    assert pid is not None
    await client.unload()
    assert client.pid is None
    await _gone(pid)
    assert (await client.describe(tiny_pair)).base.parameters > 0


async def test_what_a_library_prints_does_not_break_the_frames(tiny_pair: PairSpec) -> None:
    noisy = (
        "import builtins, sys\n"
        "import shiftlens.engine.worker.jobs as jobs\n"
        "steps = jobs.Worker.steps\n"
        "def loud(self, request):\n"
        "    print('noise on stdout'); __import__('os').write(1, b'noise on descriptor 1\\n')\n"
        "    yield from steps(self, request)\n"
        "jobs.Worker.steps = loud\n"
        "from shiftlens.engine.main import main\n"
        "main()\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        noisy,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(encode_frame(Score(job=1, pair=tiny_pair, options=ScoreOptions(), responses=(SHORT,))))
    header = await asyncio.wait_for(process.stdout.readexactly(HEADER_BYTES), SECONDS)
    reply = decode_reply(await process.stdout.readexactly(body_length(header)))
    assert reply.job == 1
    process.stdin.close()
    await process.wait()
    assert b"noise on descriptor 1" in await process.stderr.read()


async def test_a_response_that_cannot_be_scored_does_not_stop_the_others(
    client: EngineClient, tiny_pair: PairSpec
) -> None:
    refused: list[Refused] = []
    scored: list[Scored] = []
    empty = response("")
    await score(client, tiny_pair, ScoreOptions(), [empty, SHORT], on_refused=refused.append, on_scored=scored.append)
    assert [r.index for r in refused] == [0]
    assert "is empty" in refused[0].problem
    assert [s.index for s in scored] == [1]


async def test_an_unknown_context_names_those_there_are(client: EngineClient, tiny_pair: PairSpec) -> None:
    refused: list[Refused] = []
    await score(client, tiny_pair, ScoreOptions(base_context="urial"), [SHORT], on_refused=refused.append)
    assert "aligntds, chat, raw, few-shot" in refused[0].remedy


async def test_a_folder_that_does_not_exist_is_named(client: EngineClient, tiny_pair: PairSpec) -> None:
    with pytest.raises(ModelError, match=r"no model folder at /nowhere/base"):
        await client.describe(replace(tiny_pair, base="/nowhere/base"))


async def test_a_name_that_is_not_in_the_cache_says_how_to_fetch_it(client: EngineClient, tiny_pair: PairSpec) -> None:
    with pytest.raises(ModelError, match=r"not in the local Hugging Face cache.*--allow-download"):
        await client.describe(replace(tiny_pair, base="nobody/no-such-model"))


async def test_a_checkpoint_with_only_a_pickle_is_refused(
    client: EngineClient, tiny_pair: PairSpec, tmp_path: Path
) -> None:
    folder = save_model(tmp_path / "pickled", byte_level_tokenizer(), seed=0)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin.*can run code.*--allow-pickle"):
        await client.describe(replace(tiny_pair, base=str(folder)))
    allowed = replace(tiny_pair, base=str(folder), allow_pickle=True)
    assert (await client.describe(allowed)).base.parameters > 0


async def test_a_folder_with_a_truncated_checkpoint_is_named(
    client: EngineClient, tiny_pair: PairSpec, tmp_path: Path
) -> None:
    folder = save_model(tmp_path / "cut", byte_level_tokenizer(), seed=0)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"`model\.safetensors` of .*cut is not a whole safetensors file"):
        await client.describe(replace(tiny_pair, base=str(folder)))


async def test_two_vocabularies_are_scored_and_the_notes_say_what_differs(
    client: EngineClient, tiny_pair: PairSpec, tmp_path: Path
) -> None:
    other = save_model(tmp_path / "other", sentence_piece_tokenizer(), seed=0)
    scored: list[Scored] = []
    await score(client, replace(tiny_pair, base=str(other)), ScoreOptions(), [SHORT], on_scored=scored.append)
    assert scored[0].scored.comparison.alignment is not None
    assert "number their tokens differently" in scored[0].scored.notes[0]


async def test_an_aligned_model_without_a_template_says_what_is_missing(
    client: EngineClient, tiny_pair: PairSpec, tmp_path: Path
) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = None
    plain = save_model(tmp_path / "plain", tokenizer, seed=1)
    pair = replace(tiny_pair, aligned=str(plain))
    refused: list[Refused] = []
    await score(client, pair, ScoreOptions(), [SHORT], on_refused=refused.append)
    assert "has no chat template" in refused[0].problem
    assert "few-shot" in refused[0].remedy
    scored: list[Scored] = []
    await score(client, pair, ScoreOptions(aligned_context="few-shot"), [SHORT], on_scored=scored.append)
    assert "few-shot" in scored[0].scored.notes[0]


async def _gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.05)
