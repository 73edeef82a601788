"""Several tuned models in the editor: hovers and the panel have a row for each, beside the pair that colours."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from lsp.lsp_client import EditorClient, started
from pipeline.in_process import InProcess
from report.page_reader import PageReader
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.stages import StagesRow, stages_rows
from shiftlens.analysis.stages_of_file import stages_of_file
from shiftlens.options.choice import Choice
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.pipeline.analyse_several import analyse_several
from shiftlens.pipeline.saved_results import SavedResults
from shiftlens.pipeline.scoring_job import recall
from shiftlens.pipeline.work import Work, plan_work
from shiftlens.report.page import ReportedFile, render
from shiftlens.scores.location import user_store
from shiftlens.transcripts.model import Transcript
from shiftlens.transcripts.read import read
from tiny_models import byte_level_tokenizer, save_model, sentence_piece_tokenizer

pytestmark = pytest.mark.usefixtures("lasting_engines")

QUESTION = "User: Why is the sky blue?\n"
ANSWER = "Assistant: Great question! The quick brown fox."
TALK = f"{QUESTION}{ANSWER}\n"
TWO = f"{TALK}User: And now?\nAssistant: Now it jumps.\n"


@pytest.fixture(scope="module")
def sft(tiny_pair: PairSpec, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base model a little changed, so that some positions are as they were."""
    folder = tmp_path_factory.mktemp("sft")
    model = AutoModelForCausalLM.from_pretrained(tiny_pair.base)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
    model.save_pretrained(folder)
    byte_level_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def rl(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_model(tmp_path_factory.mktemp("rl"), byte_level_tokenizer(), seed=7))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of another tokenizer."""
    return str(save_model(tmp_path_factory.mktemp("foreign"), sentence_piece_tokenizer(), seed=9))


def transcript_of(text: str) -> Transcript:
    found = read(text)
    assert found is not None
    return found


async def until_stages(client: EditorClient, uri: str, version: int = 1) -> dict[str, Any]:
    """Wait until all is done for a version of a document that has stages; its last status."""

    def done() -> bool:
        last = client.latest(uri)
        return last["version"] == version and "in hovers and the panel" in last.get("message", "")

    await client.until(done, f"the stages of {uri}")
    return client.latest(uri)


async def opened(settings: dict[str, Any], stages: list[str], text: str = TALK) -> tuple[EditorClient, str]:
    client = await started(settings={**settings, "stages": stages})
    uri = client.open(text)
    await until_stages(client, uri)
    return client, uri


async def told(client: EditorClient, uri: str, line: int, character: int) -> dict[str, Any]:
    """What the panel is sent of the token at a position; the last of those that stand there."""
    position = {"line": line, "character": character}
    answer = await client.ask("shiftlens/token", {"uri": uri, "position": position})
    found: dict[str, Any] = answer["tokens"][-1] if answer["tokens"] else {}
    return found


async def analyses_of(pair: PairSpec, stages: list[str]) -> list[Analysis]:
    """What `shiftlens stages` goes by, with an engine of its own, where all models read the same text."""
    pairs = [PairSpec(base=pair.base, aligned=name, device="cpu") for name in stages]
    options = ScoreOptions(base_context="raw", aligned_context="raw")
    choices = [Choice(each, options, ClassifyOptions(), ()) for each in pairs]
    found = await analyse_several(InProcess(), transcript_of(TALK), choices)
    return [each.analysis for each in found]


async def rows_of(pair: PairSpec, stages: list[str]) -> tuple[StagesRow, ...]:
    """What `shiftlens stages` has of the response."""
    return stages_rows([each.responses[0] for each in await analyses_of(pair, stages)])


async def test_the_panel_has_the_numbers_of_the_command_at_every_token(
    tiny_pair: PairSpec, tiny_settings: dict[str, Any], sft: str, rl: str
) -> None:
    stages = [sft, tiny_pair.aligned, rl]
    client, uri = await opened({**tiny_settings, "baseContext": "raw", "alignedContext": "raw"}, stages)
    expected = await rows_of(tiny_pair, stages)
    for row in expected:
        token = await told(client, uri, 1, row.start - len(QUESTION))
        assert token["index"] == row.index
        found = token["stages"]
        assert [stage["model"] for stage in found["rows"]] == stages
        assert [stage["rank"] for stage in found["rows"]] == [stage.given.rank for stage in row.stages]
        probs = [stage.given.prob for stage in row.stages]
        assert [stage["prob"] for stage in found["rows"]] == pytest.approx(probs, rel=1e-3)
        assert [stage["moved"] for stage in found["rows"]] == [stage.moved for stage in row.stages]
        assert (found["first"], found["known"]) == (row.first, row.is_known)
    # Else the test could not tell one stage from another.
    assert len({row.first for row in expected}) > 1
    assert await client.leave() == 0


async def test_a_hover_has_a_row_for_each_stage_below_its_table(
    tiny_pair: PairSpec, tiny_settings: dict[str, Any], sft: str
) -> None:
    client, uri = await opened(tiny_settings, [sft, tiny_pair.aligned])
    at = len("Assistant: ")
    hover, token = await client.hover(uri, 1, at), await told(client, uri, 1, at)
    assert hover is not None
    text = html.unescape(hover.contents.value)
    assert text.index("all others") < text.index("| stage |") < text.index(token["stages"]["sentence"])
    assert sft[-20:] in text
    assert await client.leave() == 0


async def test_the_report_has_what_a_report_of_the_command_line_has(
    tiny_pair: PairSpec, tiny_settings: dict[str, Any], sft: str, rl: str
) -> None:
    stages = [sft, tiny_pair.aligned, rl]
    client, uri = await opened({**tiny_settings, "baseContext": "raw", "alignedContext": "raw"}, stages)
    page = PageReader(await client.command("shiftlens.report", uri))
    each = await analyses_of(tiny_pair, stages)
    expected = PageReader(render([ReportedFile("talk.txt", each[1], stages=stages_of_file(each, [()] * 3, 0.1))]))
    assert [part.text for part in page.all("details", "stages")] == [
        part.text for part in expected.all("details", "stages")
    ]
    (table,) = page.all("table", "moved")
    assert all(name in table.text for name in ("stage 1", "stage 2", "stage 3"))
    assert await client.leave() == 0


async def test_the_report_says_of_which_stages_it_has_nothing_and_why(
    tiny_settings: dict[str, Any], sft: str, tmp_path: Path
) -> None:
    nowhere = str(tmp_path / "nowhere")
    client, uri = await opened(tiny_settings, [sft, nowhere])

    async def remarks() -> list[str]:
        page = PageReader(await client.command("shiftlens.report", uri))
        assert not any("All responses: 0" in part.text for part in page.all("details", "stages"))
        found = page.all("p", "remark")
        return [remark.text for remark in found if "tages" in remark.text]

    (told,) = await remarks()
    assert told.startswith(f"Stages are not compared in response 1, because of {nowhere}: ")
    with client.set_to(base=nowhere):
        # The scores that are shown are of another base model by now.
        assert (await remarks())[0].startswith("No stages: those of `shiftlens.stages` are of the base model")
    assert await client.leave() == 0


async def test_a_stage_that_cannot_be_had_says_why_and_the_others_and_the_colours_stay(
    tiny_settings: dict[str, Any], sft: str, foreign: str, tmp_path: Path
) -> None:
    client, uri = await opened(tiny_settings, [sft, str(tmp_path / "nowhere"), foreign])
    status = client.latest(uri)
    assert status["state"] == "ready"
    assert "2 of them not for every response" in status["message"]
    assert await client.tokens(uri)
    rows = (await told(client, uri, 1, len("Assistant: ")))["stages"]["rows"]
    assert [row["prob"] is None for row in rows] == [False, True, True]
    assert rows[0]["problem"] is None
    assert "nowhere" in rows[1]["problem"]
    assert "other tokens than the aligned model's" in rows[2]["problem"]
    hover = await client.hover(uri, 1, len("Assistant: "))
    assert hover is not None
    assert "Stage 3" in hover.contents.value
    assert not [message for message in client.messages if "nowhere" in message.message]
    assert await client.leave() == 0


async def test_an_edit_takes_the_stages_of_its_response_along_and_leaves_those_of_others(
    tiny_settings: dict[str, Any], sft: str
) -> None:
    client, uri = await opened({**tiny_settings, "runPolicy": "onOpen"}, [sft], TWO)
    client.change(uri, TWO.replace("jumps", "runs"), 2)
    await client.until_state(uri, "notScored", version=2)
    assert (await told(client, uri, 1, len("Assistant: ")))["stages"]["rows"][0]["problem"] is None
    assert await told(client, uri, 3, len("Assistant: ")) == {}
    assert await client.command("shiftlens.score", uri) is True
    await client.until_state(uri, "ready", version=2)
    await until_stages(client, uri, 2)
    assert (await told(client, uri, 3, len("Assistant: ")))["stages"]["rows"][0]["problem"] is None
    assert await client.leave() == 0


async def test_scores_of_stages_are_stored_as_those_of_pairs_are(
    tiny_pair: PairSpec, tiny_settings: dict[str, Any], sft: str
) -> None:
    client, _ = await opened(tiny_settings, [sft])
    assert await client.leave() == 0
    # What `shiftlens stages` looks for.
    work: Work = plan_work(
        transcript_of(TALK), PairSpec(base=tiny_pair.base, aligned=sft, device="cpu"), ScoreOptions()
    )
    await recall(work, SavedResults(user_store()), None)
    assert work.has_scores

    again = await started(settings={**tiny_settings, "stages": [sft], "runPolicy": "manual"})
    uri = again.open(TALK)
    await until_stages(again, uri)
    assert (await told(again, uri, 1, len("Assistant: ")))["stages"]["rows"][0]["prob"] is not None
    assert (await again.command("shiftlens.debugInformation"))["enginePid"] is None
    assert await again.leave() == 0


async def test_stages_come_and_go_with_the_setting(tiny_settings: dict[str, Any], sft: str, rl: str) -> None:
    client, uri = await opened(tiny_settings, [sft])
    with client.set_to(stages=[sft, rl]):
        await client.until(lambda: "2 stages" in client.latest(uri)["message"])
        assert len((await told(client, uri, 1, len("Assistant: ")))["stages"]["rows"]) == 2
    await client.until(lambda: "1 stage " in client.latest(uri)["message"])
    with client.set_to(stages=[]):
        await client.until(lambda: client.latest(uri)["message"] == "")
        other = client.open(TALK)
        await client.until_state(other, "ready")
        assert "stages" not in await told(client, other, 1, len("Assistant: "))
    assert await client.leave() == 0
