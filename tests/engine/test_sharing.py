"""One engine for several clients: who shares it, how it ends, and what one client can do to another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from processes import is_alive
from score_job import score
from shiftlens.engine.client import EngineClient, Sharing
from shiftlens.engine.frames import encode_frame
from shiftlens.engine.protocol import Describe, Scored
from shiftlens.engine.sharing.endpoint import RUNTIME_DIR_VARIABLE, Endpoint, endpoint_for, program_build
from shiftlens.engine.sharing.host_protocol import FromClient, Hello, Welcome
from shiftlens.engine.sharing.hosting import LINGER_VARIABLE, when_to_end
from shiftlens.engine.sharing.joining import Connection, connect
from shiftlens.engine.sharing.running import running_engines
from shiftlens.engine.worker.urgency import NICENESS
from shiftlens.errors import EngineError
from shiftlens.options.pair import PairSpec, ScoreOptions
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from tiny_adapters import save_adapter
from tiny_models import byte_level_tokenizer, save_model

pytestmark = pytest.mark.skipif(os.name != "posix", reason="engines are shared over Unix sockets")

SECONDS = 60
NO_TIME = 0.2 / 60
CLIENT = """
import asyncio, sys
from contextlib import aclosing
from shiftlens.engine.client import EngineClient
from shiftlens.engine.protocol import Score, Scored
from shiftlens.scores.requests import ContextTurn, ResponseToScore, one_text
from shiftlens.options.pair import PairSpec, ScoreOptions
pair = PairSpec(base=sys.argv[1], aligned=sys.argv[2], device="cpu")
count = int(sys.argv[3])
async def main():
    client = EngineClient()
    await client.describe(pair)
    print(client.pid, flush=True)
    response = ResponseToScore(
        turns=(ContextTurn.of("user", "Why?"),), parts=one_text("The lazy dog. " * 90), source_format="labels"
    )
    job = Score(pair=pair, options=ScoreOptions(), responses=(response,) * count)
    async with aclosing(client.run(job)) as events:
        async for event in events:
            if isinstance(event, Scored) and not event.partial:
                print("scored", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await client.close()
asyncio.run(main())
"""


def response(text: str) -> ResponseToScore:
    return ResponseToScore(
        turns=(ContextTurn.of("user", "Why is the sky blue?"),), parts=one_text(text), source_format="labels"
    )


LONG = response("The quick brown fox jumps over the lazy dog. " * 80)
SHORT = response("Great question!")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Engines of this test only."""
    with tempfile.TemporaryDirectory(prefix="shiftlens-", ignore_cleanup_errors=True) as name:
        monkeypatch.setenv(RUNTIME_DIR_VARIABLE, name)
        yield Path(name)


@asynccontextmanager
async def clients(count: int, **options: object) -> AsyncIterator[list[EngineClient]]:
    made = [EngineClient(**options) for _ in range(count)]  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await asyncio.gather(*(client.close() for client in made))


@asynccontextmanager
async def client_process(pair: PairSpec, responses: int = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    """A client that says its engine's process id, scores, and goes when its standard input ends."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-c", CLIENT, pair.base, pair.aligned, str(responses))
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), SECONDS)).decode().strip()


async def until(holds: Callable[[], object]) -> None:
    async def wait() -> None:
        while not holds():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(wait(), SECONDS)


async def until_gone(pid: int | None) -> None:
    await until(lambda: not is_alive(pid))


async def host_pid() -> int:
    (engine,) = await running_engines()
    assert engine.said is not None
    return engine.said.pid


async def busy(client: EngineClient, pair: PairSpec, *, count: int = 100) -> tuple[asyncio.Task[object], list[Scored]]:
    """A job of many responses, of which the first one is being scored, and what comes of it."""
    scored: list[Scored] = []
    job = asyncio.create_task(score(client, pair, ScoreOptions(), [LONG] * count, on_scored=scored.append))
    await until(lambda: scored or job.done())
    assert not job.done()
    return job, scored


async def test_two_clients_share_one_engine_and_so_does_another_process(tiny_pair: PairSpec) -> None:
    async with clients(2) as (one, other), client_process(tiny_pair) as third:
        await asyncio.gather(one.describe(tiny_pair), other.describe(tiny_pair))
        assert one.pid is not None
        assert one.pid == other.pid
        assert int(await line_of(third)) == one.pid


@pytest.mark.parametrize("_round", range(3))
async def test_clients_that_start_at_once_end_with_one_engine(tiny_pair: PairSpec, _round: int) -> None:
    async with clients(5) as many:
        await asyncio.gather(*(client.describe(tiny_pair) for client in many))
        assert len({client.pid for client in many}) == 1
        assert len(await running_engines()) == 1


async def test_the_engine_stays_for_its_last_client_and_then_ends(tiny_pair: PairSpec, folder: Path) -> None:
    async with clients(2) as (one, other):
        await one.describe(tiny_pair)
        await other.describe(tiny_pair)
        pid, host = other.pid, await host_pid()
        await one.close()
        await other.describe(tiny_pair)
        assert other.pid == pid
    await until_gone(pid)
    await until_gone(host)
    assert list(folder.iterdir()) == []


async def test_models_stay_loaded_for_the_client_that_comes_soon(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LINGER_VARIABLE, "60")
    async with clients(1) as (one,):
        await one.describe(tiny_pair)
        pid = one.pid
    async with clients(1) as (other,):
        await other.describe(tiny_pair)
        assert other.pid == pid
        await other.unload()
    await until_gone(pid)


async def test_an_engine_without_work_ends_and_the_next_job_starts_another(tiny_pair: PairSpec) -> None:
    async with clients(2, idle_minutes=NO_TIME) as (one, other):
        for _ in range(2):
            await asyncio.gather(one.describe(tiny_pair), other.describe(tiny_pair))
            pid = one.pid
            await until(lambda: one.pid is None and other.pid is None)
            await until_gone(pid)


@pytest.mark.parametrize(
    ("jobs", "allowed", "ends_at"),
    [
        (0, [5.0, 60.0], 160.0),
        (0, [5.0, 0.0], None),
        (0, [5.0], 105.0),
        (1, [5.0], None),
        (0, [], 130.0),
        (1, [], None),
    ],
)
def test_the_client_that_wants_the_engine_longest_keeps_it(
    jobs: int, allowed: list[float], ends_at: float | None
) -> None:
    assert when_to_end(jobs=jobs, allowed=allowed, used_at=100.0, alone_until=130.0) == ends_at


async def test_a_client_that_wants_the_engine_less_long_lets_it_end(tiny_pair: PairSpec) -> None:
    async with clients(2, idle_minutes=NO_TIME) as (one, other):
        other.idle_minutes = 0
        await asyncio.gather(one.describe(tiny_pair), other.describe(tiny_pair))
        pid = one.pid
        other.idle_minutes = NO_TIME
        await other.describe(tiny_pair)
        await until_gone(pid)


@pytest.mark.parametrize("seen", ["answer", "no socket", "told", "no process"])
async def test_jobs_asked_while_an_engine_ends_are_done_by_the_next(
    tiny_pair: PairSpec, folder: Path, seen: str
) -> None:
    async with clients(1, idle_minutes=NO_TIME / 20) as (client,):
        await client.describe(tiny_pair)
        pid = client.pid
        if seen == "no socket":
            await until(lambda: not any(path.is_socket() for path in folder.iterdir()))
        elif seen == "told":
            await until(lambda: client.pid is None)
        elif seen == "no process":
            await until_gone(pid)
        # The next one is not to end before it is asked, however busy the machine is.
        client.idle_minutes = 0
        scored: list[Scored] = []
        await score(client, tiny_pair, ScoreOptions(), [SHORT], on_scored=scored.append)
        assert len(scored) == 1


async def test_an_engine_that_is_gone_before_it_is_asked_is_replaced(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clients(1) as (client,):
        gone, find = await client._linked(tiny_pair), client._linked
        await client.unload()
        links = [gone]

        async def linked(pair: PairSpec) -> object:
            return links.pop() if links else await find(pair)

        monkeypatch.setattr(client, "_linked", linked)
        assert (await asyncio.wait_for(client.describe(tiny_pair), SECONDS)).base.parameters > 0
        assert not links


async def test_killing_the_engine_fails_the_jobs_of_every_client_with_the_reason(tiny_pair: PairSpec) -> None:
    async with clients(2) as (one, other):
        first, _ = await busy(one, tiny_pair)
        second = asyncio.create_task(score(other, tiny_pair, ScoreOptions(), [LONG] * 100))
        await until(lambda: other.pid)
        assert one.pid is not None
        os.kill(one.pid, signal.SIGKILL)
        for job in (first, second):
            with pytest.raises(EngineError, match=r"ended \(signal 9\).*a new engine starts by itself"):
                await asyncio.wait_for(job, SECONDS)
        await asyncio.gather(one.describe(tiny_pair), other.describe(tiny_pair))
        assert one.pid == other.pid is not None


async def test_killing_the_host_fails_the_jobs_leaves_no_engine_and_the_next_job_works(
    tiny_pair: PairSpec, folder: Path
) -> None:
    async with clients(2) as (one, other):
        job, _ = await busy(one, tiny_pair)
        await other.describe(tiny_pair)
        pid = one.pid
        os.kill(await host_pid(), signal.SIGKILL)
        with pytest.raises(EngineError, match="The engine process ended before it was done"):
            await asyncio.wait_for(job, SECONDS)
        await until_gone(pid)
        # The socket of the one that was killed is still there.
        assert len(list(folder.glob("*.sock"))) == 1
        await asyncio.gather(one.describe(tiny_pair), other.describe(tiny_pair))
        assert one.pid == other.pid != pid
        assert len(await running_engines()) == 1


async def test_a_client_that_is_killed_takes_its_jobs_along_and_no_others(tiny_pair: PairSpec) -> None:
    async with clients(1) as (client,):
        async with client_process(tiny_pair, responses=200) as other:
            pid = int(await line_of(other))
            assert await line_of(other) == "scored"
            job, _ = await busy(client, tiny_pair, count=10)
            other.kill()
        await asyncio.wait_for(job, SECONDS)
        assert client.pid == pid
        (engine,) = await running_engines()
        assert engine.said is not None
        assert (engine.said.clients, engine.said.jobs) == (1, 0)


async def test_an_engine_whose_clients_are_all_killed_ends_though_others_are_waited_for(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LINGER_VARIABLE, "7200")
    async with client_process(tiny_pair, responses=200) as one, client_process(tiny_pair, responses=200) as other:
        pid = int(await line_of(one))
        assert int(await line_of(other)) == pid
        host = await host_pid()
        one.kill()
        other.kill()
        await until_gone(pid)
        await until_gone(host)


async def test_a_small_job_waits_for_one_response_of_another_clients_long_job(tiny_pair: PairSpec) -> None:
    async with clients(2) as (one, other):
        await other.describe(tiny_pair)
        job, scored = await busy(one, tiny_pair)

        def whole() -> int:
            return sum(not message.partial for message in scored)

        before = whole()
        messages: list[str] = []
        await score(other, tiny_pair, ScoreOptions(), [SHORT], on_progress=lambda said: messages.append(said.message))
        assert not job.done()
        # One that was under way, and one that may be told before the small job's end is.
        assert whole() - before <= 2
        assert "another window" in messages[0]
        job.cancel()


async def test_two_long_jobs_take_turns(tiny_pair: PairSpec) -> None:
    order: list[str] = []
    async with clients(2) as (one, other):
        await asyncio.gather(one.describe(tiny_pair), other.describe(tiny_pair))

        async def scored_by(client: EngineClient, name: str) -> None:
            def note(message: Scored) -> None:
                if not message.partial:
                    order.append(name)

            await score(client, tiny_pair, ScoreOptions(), [LONG] * 6, on_scored=note)

        await asyncio.gather(scored_by(one, "a"), scored_by(other, "b"))
    assert sorted(order) == ["a"] * 6 + ["b"] * 6
    assert set(order[:4]) == {"a", "b"}


async def test_a_cancel_is_of_ones_own_job_only(tiny_pair: PairSpec) -> None:
    async with clients(2) as (one, other):
        job, _ = await busy(one, tiny_pair)
        kept: list[Scored] = []
        theirs = asyncio.create_task(score(other, tiny_pair, ScoreOptions(), [LONG] * 5, on_scored=kept.append))
        await until(lambda: kept)
        pid = one.pid
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        await asyncio.wait_for(theirs, SECONDS)
        assert {message.index for message in kept if not message.partial} == set(range(5))
        await one.describe(tiny_pair)
        assert one.pid == other.pid == pid


async def test_unloading_ends_the_engine_for_everybody_and_says_so_to_who_waits(tiny_pair: PairSpec) -> None:
    async with clients(2) as (one, other):
        job, _ = await busy(one, tiny_pair)
        await other.describe(tiny_pair)
        pid = one.pid
        await other.unload()
        assert not is_alive(pid)
        with pytest.raises(EngineError, match=r"unloaded, here or in another window\. Ask again"):
            await asyncio.wait_for(job, SECONDS)
        await one.describe(tiny_pair)
        assert one.pid != pid


@pytest.fixture(scope="module")
def other_pair(tmp_path_factory: pytest.TempPathFactory) -> PairSpec:
    """A pair that has no model in common with `tiny_pair`."""
    folder = tmp_path_factory.mktemp("other")
    base, aligned = (
        save_model(folder / name, byte_level_tokenizer(), seed=seed) for seed, name in ((7, "a"), (8, "b"))
    )
    return PairSpec(base=str(base), aligned=str(aligned), device="cpu")


async def test_clients_of_two_pairs_share_one_engine(tiny_pair: PairSpec, other_pair: PairSpec) -> None:
    async with clients(2) as (one, other):
        ours, theirs = await asyncio.gather(one.describe(tiny_pair), other.describe(other_pair))
        assert one.pid == other.pid is not None
        assert (ours.base.name, theirs.base.name) == (tiny_pair.base, other_pair.base)
        (engine,) = await running_engines()
        assert engine.said is not None
        assert engine.said.clients == 2


async def test_a_client_that_changes_pairs_stays_with_its_engine(tiny_pair: PairSpec, other_pair: PairSpec) -> None:
    pairs = [
        tiny_pair,
        other_pair,
        replace(tiny_pair, aligned=other_pair.aligned),
        replace(tiny_pair, dtype="bfloat16"),
    ]
    async with clients(1) as (client,):
        pids = set()
        for pair in (*pairs, *reversed(pairs)):
            described = await client.describe(pair)
            assert (described.base.name, described.aligned.name) == (pair.base, pair.aligned)
            pids.add(client.pid)
        assert len(pids) == 1


async def test_scores_of_an_engine_that_had_another_pair_are_those_of_a_new_one(
    tiny_pair: PairSpec, other_pair: PairSpec
) -> None:
    scored: list[Scored] = []
    for pairs in ([other_pair], [tiny_pair, other_pair]):
        async with clients(1) as (client,):
            for pair in pairs[:-1]:
                await score(client, pair, ScoreOptions(), [SHORT])
            await score(client, pairs[-1], ScoreOptions(), [SHORT], on_scored=scored.append)
    assert scored[0].scored == scored[1].scored


async def test_long_jobs_of_two_pairs_take_turns_and_each_has_the_scores_of_its_own_pair(
    tiny_pair: PairSpec, other_pair: PairSpec
) -> None:
    async def scores(client: EngineClient, pair: PairSpec) -> list[Scored]:
        found: list[Scored] = []
        await score(client, pair, ScoreOptions(), [LONG, SHORT] * 3, on_scored=found.append)
        return sorted((message for message in found if not message.partial), key=lambda message: message.index)

    async with clients(2) as (one, other):
        alone = [await scores(one, pair) for pair in (tiny_pair, other_pair)]
        assert one.pid is not None
    await until_gone(one.pid)
    async with clients(2) as (one, other):
        together = await asyncio.gather(scores(one, tiny_pair), scores(other, other_pair))
        assert one.pid == other.pid
    assert alone[0][0].scored.base.rank != alone[1][0].scored.base.rank
    for by_itself, beside in zip(alone, together, strict=True):
        assert [message.scored.base.model for message in by_itself] == [message.scored.base.model for message in beside]
        for first, second in zip(by_itself, beside, strict=True):
            assert first.scored.aligned.rank == second.scored.aligned.rank
            assert first.scored.base.rank == second.scored.base.rank


@pytest.mark.parametrize("name", ["HF_HOME", "CUDA_VISIBLE_DEVICES", "HF_TOKEN", "OMP_NUM_THREADS"])
def test_what_of_the_environment_changes_models_makes_another_engine(name: str) -> None:
    def endpoint(build: str = "build", **environment: str) -> Endpoint:
        return endpoint_for(build, allow_pickle=False, environment={"HOME": "/home/me", **environment})

    plain = endpoint(TERM="xterm")
    assert endpoint(TERM="dumb", PWD="/") == plain
    assert endpoint(**{name: "1"}) != plain
    assert endpoint(build="another") != plain


async def test_a_client_that_allows_pickles_shares_no_engine_with_one_that_does_not(tiny_pair: PairSpec) -> None:
    async with clients(2) as (one, other):
        await asyncio.gather(one.describe(tiny_pair), other.describe(replace(tiny_pair, allow_pickle=True)))
        assert one.pid != other.pid
        said = [engine.said for engine in await running_engines()]
        assert sorted(each.allow_pickle for each in said if each is not None) == [False, True]


async def test_who_comes_to_need_another_engine_leaves_the_first_which_then_ends(tiny_pair: PairSpec) -> None:
    async with clients(1) as (client,):
        await client.describe(tiny_pair)
        pid = client.pid
        await client.describe(replace(tiny_pair, allow_pickle=True))
        assert not is_alive(pid)
        assert len(await running_engines()) == 1


async def test_clients_with_other_settings_of_threads_do_not_share(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clients(2) as (one, other):
        await one.describe(tiny_pair)
        monkeypatch.setenv("OMP_NUM_THREADS", "7")
        await other.describe(tiny_pair)
        assert one.pid != other.pid


async def test_a_folder_named_from_here_is_found_and_keeps_its_name(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, aligned = Path(tiny_pair.base), Path(tiny_pair.aligned)
    monkeypatch.chdir(base.parent)
    relative = replace(tiny_pair, base=base.name, aligned=os.path.relpath(aligned))
    async with clients(2) as (one, other):
        described = await one.describe(relative)
        assert (described.base.name, described.aligned.name) == (relative.base, relative.aligned)
        await other.describe(tiny_pair)
        assert one.pid == other.pid


async def test_an_adapter_on_a_model_named_from_here_gets_an_engine_that_works_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    base = save_model(tmp_path / "base", byte_level_tokenizer(), seed=0)
    adapter = tmp_path / "adapter"
    save_adapter(adapter, base, seed=1)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "base"}))
    monkeypatch.chdir(tmp_path)
    async with clients(1) as (client,):
        described = await client.describe(PairSpec(base=str(base), aligned=str(adapter), device="cpu"))
        assert Path(described.aligned.adapter_of).name == "base"
        assert list(folder.iterdir()) == []


async def test_the_engine_belongs_to_no_terminal_and_to_no_folder_of_its_first_client(
    tiny_pair: PairSpec, folder: Path
) -> None:
    async with clients(1) as (client,):
        await client.describe(tiny_pair)
        assert client.pid is not None
        for pid in (client.pid, await host_pid()):
            assert os.getsid(pid) != os.getsid(0)
            assert os.getpgid(pid) != os.getpgid(0)
            if Path("/proc/self/cwd").exists():
                assert Path(f"/proc/{pid}/cwd").resolve() == folder.resolve()


@pytest.mark.usefixtures("processes_start_cold")
async def test_a_shared_engine_of_an_editor_is_less_urgent_than_its_clients(tiny_pair: PairSpec) -> None:
    async with clients(1, background=True) as (client,):
        await client.describe(tiny_pair)
        assert client.pid is not None
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, client.pid) == min(ours + NICENESS, 19)
        session = Path(f"/proc/{client.pid}/autogroup")
        # Where there are such groups, the one above says nothing of processes in other sessions.
        if session.exists() and (said := session.read_text(encoding="ascii")):
            assert said.split()[-1] == str(NICENESS)


async def test_only_the_user_can_open_what_is_in_the_folder(tiny_pair: PairSpec, folder: Path) -> None:
    async with clients(1) as (client,):
        await client.describe(tiny_pair)
        files = sorted(folder.iterdir())
        assert {path.suffix for path in files} == {".lock", ".log", ".sock"}
        assert [path.stat().st_mode & 0o077 for path in files] == [0, 0, 0]


async def test_a_folder_that_others_can_open_is_not_used(tiny_pair: PairSpec, folder: Path) -> None:
    said: list[str] = []
    async with clients(2) as (private, shared):
        await shared.describe(tiny_pair)
        folder.chmod(0o755)
        one = EngineClient(on_log=said.append)
        await one.describe(tiny_pair)
        assert one.pid != shared.pid
        assert any("open to other users (mode 755" in line for line in said)
        pid = one.pid
        await one.describe(tiny_pair)
        assert one.pid == pid
        await one.close()
        assert not is_alive(pid)
        folder.chmod(0o700)
        await private.describe(tiny_pair)
        assert private.pid == shared.pid


async def test_links_in_place_of_the_folder_or_of_a_socket_are_not_followed(
    tiny_pair: PairSpec, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_pickles = replace(tiny_pair, allow_pickle=True)
    async with clients(3) as (one, other, third):
        await one.describe(tiny_pair)
        build = program_build()
        to_be = endpoint_for(build, allow_pickle=True)
        to_be.socket.symlink_to(endpoint_for(build, allow_pickle=False).socket)
        await other.describe(with_pickles)
        assert other.pid != one.pid
        (folder / "link").symlink_to(folder)
        monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(folder / "link"))
        await third.describe(tiny_pair)
        assert third.pid not in (one.pid, other.pid)


async def test_a_path_too_long_for_a_socket_means_an_engine_of_ones_own(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(RUNTIME_DIR_VARIABLE, str(tmp_path / ("long" * 30)))
    said: list[str] = []
    async with clients(1, on_log=said.append) as (client,):
        assert (await client.describe(tiny_pair)).base.parameters > 0
    assert any("too long for a socket" in line for line in said)


async def test_a_private_engine_is_not_shared_and_ends_with_its_client(tiny_pair: PairSpec, folder: Path) -> None:
    async with clients(1, sharing=Sharing.OWN) as (client,):
        await client.describe(tiny_pair)
        pid = client.pid
        assert is_alive(pid)
        assert list(folder.iterdir()) == []
    assert not is_alive(pid)


async def test_a_client_may_choose_between_its_own_and_the_shared_engine_from_job_to_job(tiny_pair: PairSpec) -> None:
    async with clients(2) as (one, other):
        await other.describe(tiny_pair)
        await one.describe(tiny_pair)
        one.sharing = Sharing.OWN
        await one.describe(tiny_pair)
        own = one.pid
        assert own != other.pid
        one.sharing = Sharing.SHARED
        await one.describe(tiny_pair)
        assert one.pid == other.pid
        assert not is_alive(own)


async def test_who_only_looks_starts_no_engine_but_uses_the_one_there_is(tiny_pair: PairSpec) -> None:
    async with clients(1, sharing=Sharing.SHARED_IF_RUNNING) as (client,):
        await client.describe(tiny_pair)
        assert await running_engines() == []
    async with clients(1) as (shared,), clients(1, sharing=Sharing.SHARED_IF_RUNNING) as (client,):
        await shared.describe(tiny_pair)
        await client.describe(tiny_pair)
        assert client.pid == shared.pid


@pytest.mark.usefixtures("processes_start_cold")
async def test_a_running_engine_says_what_it_holds_and_ends_when_it_is_told(tiny_pair: PairSpec) -> None:
    assert await running_engines() == []
    async with clients(2) as (one, other):
        await score(one, tiny_pair, ScoreOptions(), [LONG])
        await other.describe(tiny_pair)
        (engine,) = await running_engines()
        assert engine.said is not None
        assert engine.said.engine_pid == one.pid
        assert (engine.said.clients, engine.said.jobs) == (2, 0)
        assert engine.said.kv_bytes > 0
        assert engine.said.resident_bytes is not None
        assert engine.said.resident_bytes > 50 << 20
        assert f"stop it: kill {engine.said.pid}" in engine.in_words()
        job, _ = await busy(one, tiny_pair)
        os.kill(engine.said.pid, signal.SIGTERM)
        with pytest.raises(EngineError, match="unloaded"):
            await asyncio.wait_for(job, SECONDS)
        await until_gone(engine.said.engine_pid)
    assert await running_engines() == []


GARBAGE = {
    "no frames": b"GET / HTTP/1.1\r\n\r\n" * 100,
    "a huge frame": b"\xff\xff\xff\xff" + b"x" * 1000,
    "no message": b"\x00\x00\x00\x04abcd",
    "half a frame": b"\x00\x00\x10\x00abcd",
    "nothing": b"",
}


async def test_a_client_that_sends_garbage_is_sent_away_and_the_others_go_on(tiny_pair: PairSpec) -> None:
    async with clients(1) as (client,):
        job, _ = await busy(client, tiny_pair, count=5)
        pid = client.pid
        for what, sent in GARBAGE.items():
            stranger = await connect(endpoint_for(program_build(), allow_pickle=False))
            stranger.writer.write(sent)
            stranger.writer.write_eof()
            assert await asyncio.wait_for(stranger.reader.read(), SECONDS) == b"", what
            stranger.writer.close()
        await asyncio.wait_for(job, SECONDS)
        assert client.pid == pid


async def raw(endpoint: Endpoint, *messages: FromClient) -> Connection:
    connection = await connect(endpoint)
    # In one go: the host may send this client away after the first of them.
    connection.writer.write(b"".join(encode_frame(message) for message in messages))
    return connection


async def test_a_client_of_another_build_or_without_a_hello_gets_nothing(tiny_pair: PairSpec) -> None:
    build = program_build()
    endpoint = endpoint_for(build, allow_pickle=False)
    async with clients(1) as (client,):
        await client.describe(tiny_pair)
        silent = await raw(endpoint, Describe(job=1, pair=tiny_pair))
        assert await asyncio.wait_for(silent.reader.read(), SECONDS) == b""
        older = await raw(endpoint, Hello(build="older", idle_seconds=0), Describe(job=1, pair=tiny_pair))
        assert await asyncio.wait_for(older.receive(), SECONDS) == Welcome(build=build)
        assert b"Described" not in await asyncio.wait_for(older.reader.read(), SECONDS)


async def test_an_engine_that_was_started_without_pickles_takes_no_job_that_allows_them(tiny_pair: PairSpec) -> None:
    build = program_build()
    async with clients(1) as (client,):
        await client.describe(tiny_pair)
        more = Describe(job=1, pair=replace(tiny_pair, allow_pickle=True))
        stranger = await raw(endpoint_for(build, allow_pickle=False), Hello(build=build, idle_seconds=0), more)
        await stranger.receive()
        await stranger.receive()
        assert "not started for pickles" in str(await stranger.receive())
        stranger.writer.close()


async def test_a_client_that_does_not_read_does_not_stop_the_others(tiny_pair: PairSpec) -> None:
    build = program_build()
    async with clients(1) as (client,):
        await client.describe(tiny_pair)
        requests = [Describe(job=number, pair=tiny_pair) for number in range(2000)]
        await raw(endpoint_for(build, allow_pickle=False), Hello(build=build, idle_seconds=0), *requests)
        await asyncio.wait_for(score(client, tiny_pair, ScoreOptions(), [SHORT]), SECONDS)


FAILS = """
import os, sys
if sys.orig_argv[-1] == {module!r}:
    os.write(2, b"a first line\\nno memory is left\\n")
    os._exit(7)
"""


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("shiftlens.engine", r"ended \(exit code 7\) before.*Its last lines: a first line \| no memory is left"),
        ("shiftlens.engine.sharing.host", "could not be started .*no memory is left"),
    ],
)
async def test_the_last_words_of_an_engine_reach_the_message(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, problem: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAILS.format(module=module))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said: list[str] = []
    async with clients(2, on_log=said.append) as (one, other):
        with pytest.raises(EngineError, match=problem):
            await asyncio.wait_for(one.describe(tiny_pair), SECONDS)
        with pytest.raises(EngineError, match=problem):
            await asyncio.wait_for(other.describe(tiny_pair), SECONDS)
    assert not said or "no memory is left" in said


async def test_an_engine_that_is_stopped_is_named_with_how_to_end_it(
    tiny_pair: PairSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shiftlens.engine.sharing.joining._ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("shiftlens.engine.sharing.running._ANSWER_SECONDS", 0.5)
    async with clients(2) as (one, other):
        await one.describe(tiny_pair)
        host = await host_pid()
        os.kill(host, signal.SIGSTOP)
        try:
            with pytest.raises(EngineError, match=rf"process {host}\) does not answer.*kill -9 {host}"):
                await other.describe(tiny_pair)
            (engine,) = await running_engines()
            assert f"process {host} does not answer" in engine.in_words()
        finally:
            os.kill(host, signal.SIGCONT)
        await other.describe(tiny_pair)
        assert one.pid == other.pid
