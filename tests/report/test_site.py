"""A site as a folder of pages: whole, harmless, with each field that a page of AlignTDS has."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.hand_made import response, scored, side, two_vocabularies, whole
from analysis.test_aligntds import scored_like_g1
from analysis.test_one_model import analysed, of_file
from report.page_reader import PageReader
from report.test_page import HOSTILE
from shiftlens.analysis.aligntds import measures_at
from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.model import Analysis
from shiftlens.analysis.stages_of_file import each_compared
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.report.site import SiteWriter, why_not_ours
from shiftlens.report.stages import StagesNamed
from shiftlens.scores.records import ScoredResponse


def analysis(*texts: list[bytes], question: str = "Why?", pair: PairSpec | None = None) -> Analysis:
    """Of responses of these tokens: the first of each shifted, the second marginal, the rest unshifted."""
    found = []
    for index, pieces in enumerate(texts):
        ranks = [*[9, 2, *[1] * len(pieces)][: len(pieces)], 1]
        one = dataclasses.replace(response(b"".join(pieces).decode(), question=question), index=index)
        found.append(build(one, scored(pieces, base_ranks=ranks), ClassifyOptions()))
    made = dataclasses.replace(whole(found[0]), responses=tuple(found), summary=combine(f.summary for f in found))
    return made if pair is None else dataclasses.replace(made, pair=pair)


def site_of(folder: Path, *files: tuple[str, Analysis]) -> SiteWriter:
    folder.mkdir()
    site = SiteWriter(folder)
    for name, found in files:
        site.add(name, found, {}, ())
    site.finish()
    return site


def page(folder: Path, number: int) -> PageReader:
    return PageReader((folder / "pages" / f"{number}.html").read_text(encoding="utf-8"))


def index(folder: Path) -> PageReader:
    return PageReader((folder / "index.html").read_text(encoding="utf-8"))


def test_every_response_has_a_page_and_ids_go_on_from_file_to_file(tmp_path: Path) -> None:
    out = tmp_path / "out"
    site_of(out, ("one", analysis([b"a"], [b"b"])), ("two", analysis([b"c"])))
    assert [page(out, n).all("h1")[0].text for n in range(3)] == ["ID: 0", "ID: 1", "ID: 2"]
    assert [page(out, n).all("div", "text")[0].text for n in range(3)] == ["a■", "b■", "c■"]
    links = [[(a.text, a.attributes["href"]) for a in page(out, n).all("a")[:3]] for n in range(3)]
    home = ("Home", "../index.html")
    assert links[0][:2] == [home, ("Next →", "1.html")]
    assert links[1] == [("← Previous", "0.html"), home, ("Next →", "2.html")]
    assert links[2][:2] == [("← Previous", "1.html"), home]
    rows = [link.attributes["href"] for link in index(out).all("a") if (link.attributes["href"] or "")[:5] == "pages"]
    assert rows == ["pages/0.html", "pages/1.html", "pages/2.html"]


def test_every_link_is_relative_and_leads_to_a_file_of_the_site(tmp_path: Path) -> None:
    out = tmp_path / "out"
    site_of(out, ("one", analysis([b"a"], [b"b"])))
    for path in (out / "index.html", *(out / "pages").iterdir()):
        for element in PageReader(path.read_text(encoding="utf-8")).elements:
            assert not element.attributes.keys() & {"src", "srcset", "data", "action", "style", "onclick"}
            if (href := element.attributes.get("href")) is not None:
                assert "://" not in href
                assert not href.startswith("/")
                assert (path.parent / href).is_file()


def test_each_page_lets_in_its_own_style_and_script_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    site_of(out, ("one", analysis([b"a"])))
    for read in (index(out), page(out, 0)):
        (policy,) = (e for e in read.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy")
        (style,), scripts = read.all("style"), [e for e in read.all("script") if "type" not in e.attributes]
        hashes = [
            "'sha256-" + base64.b64encode(hashlib.sha256(e.text.encode()).digest()).decode() + "'"
            for e in (style, *scripts)
        ]
        assert policy.attributes["content"] == (
            f"default-src 'none'; style-src {hashes[0]}; script-src {hashes[1]}; base-uri 'none'; form-action 'none'"
        )
        assert len(scripts) == 1


@settings(max_examples=10)
@given(st.text(max_size=20))
def test_no_text_of_a_token_a_query_or_a_name_becomes_anything_but_text(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    said = (HOSTILE + text).encode("utf-8", "replace")
    pair = PairSpec(base=HOSTILE + text, aligned=HOSTILE)
    folder = tmp_path_factory.mktemp("hostile")
    site_of(folder / "plain", ("x", analysis([b"x", b"y"])))
    site_of(folder / "hostile", (HOSTILE, analysis([said, b"y"], question=HOSTILE + text, pair=pair)))
    for read in (index, lambda out: page(out, 0)):
        plain, hostile = read(folder / "plain"), read(folder / "hostile")
        assert [e.tag for e in hostile.elements] == [e.tag for e in plain.elements]
        assert [sorted(e.attributes) for e in hostile.elements] == [sorted(e.attributes) for e in plain.elements]
        everything = "".join(
            [hostile.elements[0].text, *(v or "" for e in hostile.elements for v in e.attributes.values())]
        )
        assert "\u202e" not in everything
        assert "\x1b" not in everything


def of_reference(scores: ScoredResponse, text: str = "") -> Analysis:
    options = ScoreOptions(compat="aligntds")
    return whole(build(response(text), scores, ClassifyOptions(), compat="aligntds"), options)


def test_positions_count_from_1_and_from_0_where_all_is_as_on_the_references_pages(tmp_path: Path) -> None:
    site_of(tmp_path / "own", ("one", analysis([b"a"])))
    site_of(tmp_path / "reference", ("g1", of_reference(scored_like_g1())))
    assert page(tmp_path / "own", 0).json("scores")["from"] == 1
    assert page(tmp_path / "reference", 0).json("scores")["from"] == 0


def test_a_page_has_the_numbers_that_the_references_own_code_gave(tmp_path: Path) -> None:
    out = tmp_path / "out"
    site_of(out, ("g1", of_reference(scored_like_g1())))
    assert page(out, 0).json("scores")["measures"] == {
        "KL@10": ["1.4354"],
        "Jaccard@10": ["0.4286"],
        "WS@10": ["0.1747"],
        "TR@10": ["2"],
        "TP": ["0.0861"],
        "BTP": ["0.1276"],
        "nDCG": ["0.7073"],
    }
    (row,) = csv.DictReader((out / "data" / "0.csv").read_text(encoding="utf-8").splitlines())
    told = measures_at(scored_like_g1(), 0)
    columns = {"kl": "KL@10", "jaccard": "Jaccard@10", "ws": "WS@10", "tr": "TR@10", "tp": "TP", "btp": "BTP"}
    for column, name in {**columns, "ndcg": "nDCG"}.items():
        assert float(row[f"aligntds_{column}"]) == told[name]
    assert row["aligntds_token"] == "Hello"


def test_a_page_has_each_field_of_a_page_of_aligntds(tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = of_reference(scored([b"Thank", b" you"], decoded={10: "the", 11: "a"}), "Thank you")
    site_of(out, ("records.json", found))
    read = page(out, 0)
    assert read.all("h1")[0].text == "ID: 0"
    assert read.all("div", "query")[0].text == "Why?"
    assert [span.text for span in read.all("span", "t")[:3]] == ["Thank", " you", "■"]
    assert {span.text for span in read.all("p", "legend")[0:1]} != {""}
    assert [heading.text for heading in read.all("h3")] == ["Base Prefix", "Aligned Prefix"]
    scores = read.json("scores")
    assert scores["prefixes"] == {"base": "# Query:", "aligned": "# Query:"}
    assert scores["said"] == ["Thank", " you", ""]
    assert len(scores["base"]["top"]) == len(scores["aligned"]["top"]) == 3 * 2
    assert list(scores["measures"]) == ["KL@10", "Jaccard@10", "WS@10", "TR@10", "TP", "BTP", "nDCG"]
    assert read.by_id("card").tag == "div"
    assert "Previous" in read.all("nav")[0].text
    assert "Home" in read.all("nav")[0].text


def test_without_the_references_candidates_the_same_formulae_go_over_those_that_were_kept(tmp_path: Path) -> None:
    tops, masses = [[7, 8]], [[math.log(0.6), math.log(0.2)]]
    other = [[8, 7]]
    scores = scored([], base=side(1, tops=tops, logprobs=masses), aligned=side(1, tops=other, logprobs=masses))
    out = tmp_path / "out"
    site_of(out, ("x", whole(build(response(""), scores, ClassifyOptions()))))
    b, a = {7: 0.75, 8: 0.25}, {8: 0.75, 7: 0.25}
    kl = sum(b[i] * math.log(b[i] / a[i]) for i in b)
    assert page(out, 0).json("scores")["measures"] == {
        "KL@2": [f"{kl:.4f}"],
        "Jaccard@2": ["1.0000"],
        "WS@2": [f"{sum(b[i] * a[i] for i in b):.4f}"],
    }
    assert "over the 2 candidates kept" in page(out, 0).by_id("keys").text


def test_a_pair_of_two_vocabularies_has_a_page_that_says_what_is_not_known(tmp_path: Path) -> None:
    out = tmp_path / "out"
    site_of(out, ("x", whole(build(response("abc"), two_vocabularies(), ClassifyOptions()))))
    heat = page(out, 0).all("div", "heat")[0]
    assert heat.text == "abc■"
    assert [span.attributes["title"] for span in page(out, 0).all("span", "unknown")[1:]] == ["not known"] * 2
    assert page(out, 0).json("scores")["measures"]["KL@2"][2] == "–"
    rows = list(csv.DictReader((out / "data" / "0.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["js_at_least"] for row in rows] == [""] * 4


def test_the_figures_have_their_numbers_beside_them(tmp_path: Path) -> None:
    out = tmp_path / "out"
    site_of(out, ("one", analysis([b"Sure", b" air", b"!"], [b"Sure"])))
    told = json.loads((out / "figures.json").read_text(encoding="utf-8"))
    assert told["schema"] == "shiftlens-figures/1"
    assert sum(of["tokens"] for of in told["by_tenth"]) == told["summary"]["tokens"] == 6
    assert [(of["first"], of["past"], of["shifted"]) for of in told["by_position"]][:2] == [(0, 1, 2), (1, 2, 0)]
    assert told["by_position"][0]["mean_kl"] == 0.25
    assert told["by_position"][0]["mean_js_at_least"] == pytest.approx(0, abs=1e-9)
    ranks = [(of["first"], of["positions"]) for of in told["base_rank"]["bins"]]
    assert ranks[:3] == [(1, 3), (2, 1), (4, 2)]
    assert told["tokens"] == [{"text": "Sure", "bytes": "53757265", "shifted": 2, "said": 2}]
    charts = index(out).all("svg", "chart")
    assert len(charts) == 8
    assert all(chart.attributes["aria-label"] for chart in charts)


def test_the_search_has_the_beginning_of_each_query_and_response(tmp_path: Path) -> None:
    out = tmp_path / "out"
    site_of(out, ("one.txt", analysis([b"Great", b" question"], [b"x" * 9_999], question="Why so?")))
    texts = index(out).json("texts")
    assert texts[0] == "one.txt\nWhy so?\nGreat question"
    assert len(texts[1]) == len("one.txt\nWhy so?\n") + 500


def test_what_is_missing_is_told_on_the_index(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    site = SiteWriter(folder)
    site.add("one", analysis([b"a"]), {}, ("line 2: It is <broken>.",))
    site.add_failed("two", "This is not a transcript.")
    site.finish()
    told = [remark.text for remark in index(folder).all("p", "remark")]
    assert "two is not here: This is not a transcript." in told
    assert "one: line 2: It is <broken>." in told


def test_a_response_with_the_scores_of_one_model_alone_has_no_page_and_is_told_of(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    site_of(folder, ("one.json", of_file(analysed())), ("two", analysis([b"a"])))
    told = [remark.text for remark in index(folder).all("p", "remark")]
    assert any(remark.startswith("one.json: response 1 has the scores of one model alone") for remark in told)
    assert page(folder, 0).all("div", "text")[0].text == "a■"
    assert [path.name for path in (folder / "pages").iterdir()] == ["0.html"]


def test_a_response_that_stages_can_not_be_compared_on_says_why_on_its_page_and_on_the_index(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    found = analysis([b"a"], [b"b"], [b"c"])
    transcript = dataclasses.replace(found.transcript, responses=tuple(each.response for each in found.responses))
    found = dataclasses.replace(found, transcript=transcript)
    # The second stage has no scores of the first response, and the pair itself none of the last.
    without_last = dataclasses.replace(found, responses=found.responses[:2])
    each = [without_last, dataclasses.replace(found, responses=found.responses[1:])]
    site = SiteWriter(folder, StagesNamed(("sft", "<dpo>"), 0.1))
    compared = each_compared(each, [[(2, "Not read.")], [(0, "Too long.")]], 0.1)
    told = site.add("one", without_last, {}, (), compared)
    site.finish()
    first = "Stages are not compared in response 1, because of <dpo>: Too long."
    last = "Stages are not compared in response 3, because of sft: Not read."
    assert told.not_compared == (first, last)
    on_index = [remark.text for remark in index(folder).all("p", "remark")]
    assert f"one: {first}" in on_index
    assert f"one: {last}" in on_index
    assert first in [remark.text for remark in page(folder, 0).all("p", "remark")]
    assert [len(page(folder, number).all("table", "moved")) for number in (0, 1)] == [0, 1]
    told_of_stages = json.loads((folder / "figures.json").read_text(encoding="utf-8"))["stages"]
    assert told_of_stages["positions"] == len(found.responses[1].classes)


@pytest.mark.parametrize("strange", ["notes.txt", "pages/mine.html", "data/x.csv", "pages/1.txt", ".git"])
def test_a_folder_with_anything_else_in_it_is_no_site_to_be_replaced(tmp_path: Path, strange: str) -> None:
    out = tmp_path / "out"
    site_of(out, ("one", analysis([b"a"])))
    assert why_not_ours(out) is None
    (out / strange).write_text("mine")
    assert "no part of a site" in (why_not_ours(out) or "")


def test_pages_of_another_program_are_no_site_of_ours(tmp_path: Path) -> None:
    assert why_not_ours(tmp_path) is None
    (tmp_path / "index.html").write_text("<!DOCTYPE html><p>mine</p>")
    assert why_not_ours(tmp_path) == "it is no site of ShiftLens"
