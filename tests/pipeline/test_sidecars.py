"""Which scores are shown: those of a sidecar, or those of the chosen pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE, PairSpec, ScoreOptions
from shiftlens.pipeline.sidecars import Beside, Sidecars, decide, why_not_loadable
from shiftlens.scores.requests import Requests
from shiftlens.transcripts.read import read
from sidecars import NAMES, write_sidecar

TALK = "User: q\nAssistant: ab\n"
OWN = PairSpec(base=NAMES[0], aligned=NAMES[1])
OTHER = PairSpec(base="x", aligned="y")
OPTIONS = ScoreOptions()
MORE = ScoreOptions(top_k=20)


def requests() -> Requests:
    found = read(TALK, filename="talk.txt")
    assert found is not None
    return Requests(found.responses, found.format)


@pytest.fixture
def beside(tmp_path: Path) -> Beside:
    talk = tmp_path / "talk.txt"
    talk.write_text(TALK, encoding="utf-8")
    write_sidecar(talk)
    return Sidecars().beside(talk, requests())


@pytest.mark.parametrize(
    ("use", "pair", "options", "loadable", "shown", "by"),
    [
        ("auto", None, OPTIONS, True, OWN, "sidecar"),
        ("auto", OWN, OPTIONS, True, OWN, "sidecar"),
        ("auto", OWN, OPTIONS, False, OWN, "sidecar"),
        ("auto", OWN, MORE, True, OWN, "models"),
        ("auto", OWN, MORE, False, OWN, "sidecar"),
        ("auto", OTHER, OPTIONS, True, OTHER, "models"),
        ("auto", OTHER, OPTIONS, False, OWN, "sidecar"),
        ("always", OTHER, MORE, True, OWN, "sidecar"),
        ("never", OWN, OPTIONS, False, OWN, "models"),
        ("never", None, OPTIONS, True, None, "models"),
    ],
)
def test_a_sidecar_is_shown_for_its_own_pair_and_for_one_that_can_not_be_loaded(
    beside: Beside, use: str, pair: PairSpec | None, options: ScoreOptions, loadable: bool, shown: object, by: str
) -> None:
    why = "" if loadable else "It is not here."
    found = decide(beside, pair, options, use=use, why_not_loadable=lambda _: why)
    assert found.pair == shown
    assert bool(found.beside.scores) == (by == "sidecar")
    assert found.options == (OPTIONS if by == "sidecar" else options)


def test_a_pair_that_only_a_sidecar_names_is_not_loaded(beside: Beside) -> None:
    for pair, use in ((None, "auto"), (OTHER, "always")):
        assert decide(beside, pair, OPTIONS, use=use, why_not_loadable=lambda _: "").why_not != ""
    assert decide(beside, OWN, OPTIONS, use="auto", why_not_loadable=lambda _: "").why_not == ""


def test_it_is_told_that_a_sidecar_is_of_other_models_or_options(beside: Beside) -> None:
    other = decide(beside, OTHER, OPTIONS, use="auto", why_not_loadable=lambda _: "")
    assert other.remark.startswith("talk.txt.shiftlens.arrow holds scores by lab/base and lab/aligned;")
    more = decide(beside, OWN, MORE, use="auto", why_not_loadable=lambda _: "")
    assert "holds scores with other options" in more.remark


def test_a_folder_of_the_same_name_is_another_model(
    beside: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAMES[0]).mkdir(parents=True)
    found = decide(beside, OWN, OPTIONS, use="auto", why_not_loadable=lambda _: "")
    assert found.beside.scores == {}


def test_models_that_are_not_on_this_machine_can_not_be_loaded() -> None:
    assert why_not_loadable(PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED)) == ""
    assert why_not_loadable(PairSpec(base=BUNDLED_BASE, aligned="nobody/nothing")).startswith("nobody/nothing is not")
    assert why_not_loadable(PairSpec(base=BUNDLED_BASE, aligned="nobody/nothing", allow_download=True)) == ""
    assert why_not_loadable(PairSpec(base=BUNDLED_BASE, aligned="vllm:http://gpu:8000#m")) == ""


def test_a_sidecar_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    talk = tmp_path / "talk.txt"
    talk.write_text(TALK, encoding="utf-8")
    sidecars = Sidecars()
    assert sidecars.beside(talk, requests()) == Beside()
    write_sidecar(talk)
    first = sidecars.beside(talk, requests())
    assert first.sidecar is sidecars.beside(talk, requests()).sidecar
    write_sidecar(talk, names=("other/base", "other/aligned"))
    second = sidecars.beside(talk, requests())
    assert second.sidecar is not None
    assert second.sidecar.about.pair.base == "other/base"
    second.sidecar.path.unlink()
    assert sidecars.beside(talk, requests()) == Beside()


def test_nothing_is_beside_a_name_that_no_file_can_have() -> None:
    assert Sidecars().beside(Path("/talk\ud800.txt"), requests()) == Beside()
    assert Sidecars().beside(Path("/talk\0.txt"), requests()) == Beside()
