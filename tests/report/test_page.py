"""The report as a page: nothing from outside, nothing that text can do to it, and the numbers of the analysis."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.hand_made import base_of, floats, of_parts, response, scored, side, whole
from report.page_reader import PageReader, sentences
from shiftlens.analysis.classify import build, combine
from shiftlens.analysis.curves import distances
from shiftlens.analysis.facts import facts
from shiftlens.analysis.model import Analysis, ResponseAnalysis, Token
from shiftlens.analysis.stages_of_file import stages_of_file
from shiftlens.analysis.tokens import token, tokens
from shiftlens.options.pair import ClassifyOptions, PairSpec, ScoreOptions
from shiftlens.report.page import ReportedFile, is_report, render
from shiftlens.report.text.stages import moved_rows
from shiftlens.text.source_map import SourceMap
from shiftlens.transcripts.model import Part, PartKind, Response, Role, Trained, Transcript, Turn

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'{{ 7*7 }}\u202e\x1b[31m"


def analysis(
    pieces: list[bytes], *, question: str = "Why?", pair: PairSpec | None = None, flagged: tuple[int, ...] = ()
) -> Analysis:
    """Of one response of these tokens: the first shifted, the second marginal, the rest unshifted."""
    ranks = [*[9, 2, *[1] * len(pieces)][: len(pieces)], 1]
    text = b"".join(pieces).decode()
    one = response(text, question=question)
    found = build(one, scored(pieces, base_ranks=ranks, boundary=flagged), ClassifyOptions())
    return Analysis(
        transcript=Transcript("labels", "its labels", (one,)),
        pair=pair or PairSpec(base="b", aligned="a"),
        score_options=ScoreOptions(),
        classify_options=ClassifyOptions(),
        responses=(found,),
        summary=combine([found.summary]),
    )


def page_of(found: Analysis, name: str = "talk.txt") -> PageReader:
    return PageReader(render([ReportedFile(name, found)]))


def test_the_page_asks_for_nothing_from_outside() -> None:
    page = page_of(analysis([b"Great", b" question"]))
    assert not [e for e in page.elements if e.attributes.keys() & {"src", "srcset", "data", "action", "style"}]
    assert not [e for e in page.elements if e.tag in {"link", "iframe", "object", "embed", "base", "form", "img"}]
    assert all((link.attributes["href"] or "").startswith("#") for link in page.all("a"))
    assert not re.search(r"https?:|url\(|@import|//[a-z]", page.all("style")[0].text)


def test_the_policy_lets_in_the_pages_own_style_and_script_and_nothing_else() -> None:
    page = page_of(analysis([b"Great", b" question"]))
    policy = next(e for e in page.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy")
    scripts = [e for e in page.all("script") if e.attributes.get("type") != "application/json"]
    assert len(scripts) == len(page.all("style")) == 1
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(e.text.encode()).digest()).decode() + "'"
        for e in (page.all("style")[0], scripts[0])
    ]
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src {hashes[0]}; script-src {hashes[1]}; base-uri 'none'; form-action 'none'"
    )


@given(st.text(max_size=30))
def test_no_text_of_a_token_a_prompt_or_a_name_becomes_anything_but_text(text: str) -> None:
    said = (HOSTILE + text).encode("utf-8", "replace")
    pair = PairSpec(base=HOSTILE + text, aligned=HOSTILE)
    harmless = analysis([b"x", b"y"])
    hostile = analysis([said, b"y"], question=HOSTILE + text, pair=pair)
    # A word of a list is of another kind, which has a row of its own.
    assume([kind for kind, _ in hostile.summary.by_kind] == [kind for kind, _ in harmless.summary.by_kind])
    plain, page = page_of(harmless), page_of(hostile, name=HOSTILE)
    assert [e.tag for e in page.elements] == [e.tag for e in plain.elements]
    assert [sorted(e.attributes) for e in page.elements] == [sorted(e.attributes) for e in plain.elements]
    everything = "".join(e.text for e in page.elements[:1])
    assert "\u202e" not in everything
    assert "\x1b" not in everything
    assert "49" not in page.by_id("file-1").text


def test_the_text_is_whole_and_its_classes_are_marked() -> None:
    page = page_of(analysis([b"Great", b" question", b"!\n", b"Yes."], flagged=(0,)))
    spans = page.all("span", "t")
    shown = [(e.text, e.attributes["class"]) for e in spans if e.text in {"Great", " question", "!\n", "Yes.", "■"}]
    assert ("Great", "t shifted flagged") in shown
    assert (" question", "t marginal") in shown
    assert ("!\n", "t unshifted") in shown
    assert ("■", "t unshifted end") in shown
    assert page.all("div", "text")[0].text == "Great question!\nYes.■"


def test_a_shifted_line_break_can_be_seen() -> None:
    assert page_of(analysis([b"\n", b"a"])).all("div", "text")[0].text == "⏎\na■"


def test_shares_are_given_with_and_without_flagged_positions() -> None:
    rows = page_of(analysis([b"a", b"b", b"c"], flagged=(0,))).all("table", "summary")[0].text.split("\n")
    assert "without 1 flagged" in rows[1]
    assert "shifted125.0%0.0%" in rows[2]
    assert "unshifted250.0%66.7%" in rows[4]


def test_the_columns_hold_the_numbers_of_every_position() -> None:
    tops = [[100, 10], [11, 10], [10, 11]]
    found = analysis([b"a", b"b"])
    sides = {"base": side(3, ranks=[1, 9, 2], tops=tops, end_id=1), "aligned": side(3, tops=tops)}
    options = ScoreOptions()
    changed = build(
        response("ab"), scored([b"a", b"b"], base=sides["base"], aligned=sides["aligned"]), ClassifyOptions()
    )
    page = page_of(Analysis(found.transcript, found.pair, ScoreOptions(), ClassifyOptions(), (changed,), found.summary))
    columns, pieces = page.json("scores-1-1"), page.json("pieces")
    assert [pieces[place] for place in columns["piece"]] == ["a", "b", "</s>"]
    assert columns["hasEnd"]
    assert pieces[columns["base"]["end"]] == "<eot>"
    for row, item in enumerate(tokens(changed)):
        assert columns["class"][row] == item.shift
        assert sentences(columns, row) == [fact.sentence for fact in facts(item, changed, found.transcript, options)]
        for name, own in (("base", base_of(item)), ("aligned", item.aligned)):
            shown = columns[name]
            assert shown["rank"][row] == str(own.rank)
            assert math.exp(-shown["surprisal"][row] / 1000) == pytest.approx(math.exp(own.logprob), rel=1e-3)
            assert math.exp(-shown["others"][row] / 1000) == pytest.approx(own.missing_mass, rel=1e-3)
            first = shown["own"][row]
            assert first == next((i for i, c in enumerate(own.top) if c.id == own.id), -1)
            at = row * shown["k"]
            for place, candidate in enumerate(own.top):
                assert math.exp(-shown["topSurprisal"][at + place] / 1000) == pytest.approx(candidate.prob, rel=1e-3)


def test_a_character_split_over_tokens_is_one_span_with_all_its_rows() -> None:
    page = page_of(analysis([b"a", b"\xf0\x9f", b"\x98", b"\x80 b", b"c"]))
    assert page.all("div", "text")[0].text == "a😀 bc■"
    assert page.json("scores-1-1")["first"] == [0, 1, 4, 5]


def test_several_files_have_a_summary_of_all_and_what_failed_is_told() -> None:
    found = analysis([b"a", b"b"])
    page = PageReader(render([ReportedFile("one", found), ReportedFile("two", found)], [("three", "It is <empty>.")]))
    assert page.by_id("whole").text == "All responses"
    assert (
        len([table for table in page.all("table", "summary") if "kinds" not in (table.attributes["class"] or "")]) == 3
    )
    assert len(page.all("table", "kinds")) == 3
    assert any("three is not in this report: It is <empty>." in e.text for e in page.all("p", "remark"))
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))


def test_several_responses_have_the_curves_of_both_divergences_and_their_means_in_the_tables() -> None:
    tops, turned = [[7, 8]] * 2, [[8, 7]] * 2
    masses = [[math.log(0.6), math.log(0.2)]] * 2
    sides = [side(2, tops=each, logprobs=masses) for each in (tops, turned)]
    built = build(response("a"), scored([b"a"], base=sides[0], aligned=sides[1]), ClassifyOptions())
    found = whole(built)
    page = PageReader(render([ReportedFile("one", found), ReportedFile("two", found)]))
    titles = [chart.attributes["aria-label"] or "" for chart in page.all("svg", "chart")]
    assert [title.partition(",")[0] for title in titles] == [
        "Mean KL(aligned || base) in nats",
        "Mean Jensen-Shannon divergence",
        "Mean logprob",
    ]
    by_position = page.all("table", "shares")[1].text.split("\n")
    (first, *_) = distances(built)
    assert first.js_at_least > 0.05
    assert by_position[1].endswith("mean KL (nats)mean JS, at least (nats)")
    assert by_position[2].endswith(f"{first.kl:.3f}{first.js_at_least:.4f}")


def test_one_response_has_no_figures_of_several() -> None:
    assert not page_of(analysis([b"a", b"b"])).all("svg", "chart")


def test_a_report_is_known_by_its_beginning() -> None:
    page = render([ReportedFile("x" * 300, analysis([b"a", b"b"]))])
    assert is_report(page.encode()[:4096])
    assert not is_report(b"<!DOCTYPE html><html><title>ShiftLens report</title>")


def test_a_thousand_tokens_take_less_than_half_a_megabyte() -> None:
    pieces = [f" w{i}".encode() for i in range(1000)]
    tops = [[100 + (row * 7 + i) % 1000 for i in range(10)] for row in range(1001)]
    masses = [[-0.5 - i * 1.2345 for i in range(10)]] * 1001
    columns = side(1001, tops=tops, logprobs=masses)
    found = analysis([b"a", b"b"])
    one = response(b"".join(pieces).decode())
    changed = build(one, scored(pieces, base=columns, aligned=columns), ClassifyOptions())
    whole = Analysis(found.transcript, found.pair, ScoreOptions(), ClassifyOptions(), (changed,), found.summary)
    assert len(render([ReportedFile("long.txt", whole)]).encode()) < 500_000


def in_parts(compat: str = "") -> Analysis:
    """Reasoning and an answer that stands in the file before it."""
    parts = tuple(
        Part(kind, text, SourceMap.verbatim(at, len(text)))
        for kind, text, at in ((PartKind.REASONING, "hm", 40), (PartKind.TEXT, "yes", 20))
    )
    one = Response(0, (), Turn(Role.ASSISTANT, parts), conversation=1, turn_index=2, label="chosen")
    scores = scored([b"hm", b"yes"], base_ranks=[9, 1, 1], decoded={10: "the", 11: "a"})
    found = build(one, of_parts(scores, (0, 1)), ClassifyOptions(), compat=compat)
    return Analysis(
        transcript=Transcript("openai", "messages", (one,), conversations=((), (one.turn,))),
        pair=PairSpec(base="b", aligned="a"),
        score_options=ScoreOptions(compat=compat),
        classify_options=ClassifyOptions(),
        responses=(found,),
        summary=combine([found.summary]),
    )


def columns_of(page: PageReader) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(e.text for e in page.all("script") if e.attributes.get("id") == KEY))
    return found


KEY = "scores-1-1"


def test_parts_have_their_name_before_their_text_and_shares_of_their_own() -> None:
    page = page_of(in_parts())
    text = next(e for e in page.all("div") if e.attributes.get("data-scores") == KEY)
    assert text.text == "reasoninghmansweryes■"
    assert [e.text for e in page.all("span") if e.attributes.get("class") == "part"] == ["reasoning", "answer"]
    rows = ["".join(e.text.split()) for e in page.all("tr")]
    assert "answer2" + "0.0%" * 2 + "100.0%" in rows
    assert "reasoning1100.0%" + "0.0%" * 2 in rows
    told = [sentences(columns_of(page), row) for row in range(3)]
    assert ["Part: reasoning" in row for row in told] == [True, False, False]
    assert not any(sentence.startswith("AlignTDS") for row in told for sentence in row)
    assert any("conversation 2, turn 3, chosen" in e.text for e in page.all("h3"))


def test_kinds_of_tokens_have_shares_and_their_part_of_all_that_is_shifted() -> None:
    rows = page_of(analysis([b"Sure", b" air"])).all("table", "kinds")[0].text.split("\n")
    assert "opener1100.0%0.0%0.0%100.0%" in rows
    assert "content10.0%100.0%0.0%0.0%" in rows
    assert not page_of(analysis([])).all("table", "kinds")


def test_tokens_promoted_and_suppressed_lead_to_their_responses() -> None:
    tops = [[11, 10], [10, 11]]
    changed = scored([b"a"], base=side(2, tops=tops), aligned=side(2, tops=tops[::-1]))
    one = response("a")
    built = build(one, changed, ClassifyOptions())
    found = dataclasses.replace(analysis([b"a"]), responses=(built,))
    page = page_of(found)
    rows = [table.text for table in page.all("table", "vocabulary")]
    assert rows == []
    tops = [[11, 10], [11, 10]]
    changed = scored([b"a"], base=side(2, tops=tops), aligned=side(2, tops=[[10, 11], [10, 11]]))
    page = page_of(dataclasses.replace(found, responses=(build(one, changed, ClassifyOptions()),)))
    promoted, suppressed = page.all("table", "vocabulary")
    assert "␣the+0.5002" in promoted.text
    assert "-0.5000" in suppressed.text
    links = [link for link in page.all("a") if link.attributes["href"] == "#response-1-1"]
    assert [link.text for link in links] == ["1-1:1", "1-1:2"] * 2
    assert links[0].attributes["title"] == "base 25.00%, aligned 50.00%"


def test_positions_without_candidates_are_told_of_beside_the_tokens_promoted_and_suppressed() -> None:
    known, unknown = [11, 10], [-1, -1]
    changed = scored([b"a"], base=side(2, tops=[known, unknown]), aligned=side(2, tops=[known[::-1], known]))
    found = dataclasses.replace(analysis([b"a"]), responses=(build(response("a"), changed, ClassifyOptions()),))
    assert "Over all candidates at 1 position, said or not" in page_of(found).all("details", "vocabulary")[0].text
    assert "1 more left out: not both models have candidates" in page_of(found).all("details", "vocabulary")[0].text


def test_files_of_different_pairs_have_no_vocabulary_in_common() -> None:
    tops = [[11, 10], [11, 10]]
    changed = scored([b"a"], base=side(2, tops=tops), aligned=side(2, tops=[[10, 11], [10, 11]]))
    found = dataclasses.replace(analysis([b"a"]), responses=(build(response("a"), changed, ClassifyOptions()),))
    other = dataclasses.replace(found, pair=PairSpec(base="b", aligned="c"))
    page = PageReader(render([ReportedFile("one", found), ReportedFile("two", found)]))
    assert len(page.all("table", "vocabulary")) == 2
    page = PageReader(render([ReportedFile("one", found), ReportedFile("two", other)]))
    assert page.all("table", "vocabulary") == []
    assert "they are those of one pair of models, and these files are of 2." in said_of_vocabulary(page)


def said_of_vocabulary(page: PageReader) -> str:
    (said,) = (each.text for each in page.all("p", "remark") if "promoted and suppressed" in each.text)
    return said


def test_a_report_without_tokens_promoted_and_suppressed_says_why() -> None:
    one, same = response("a"), [[11, 10], [11, 10]]
    equal = scored([b"a"], base=side(2, tops=same), aligned=side(2, tops=same))
    found = dataclasses.replace(analysis([b"a"]), responses=(build(one, equal, ClassifyOptions()),))
    assert "over 2 positions none is promoted or suppressed" in said_of_vocabulary(page_of(found))
    none = scored([b"a"], base=side(2, tops=[[-1, -1]] * 2), aligned=side(2, tops=same))
    found = dataclasses.replace(found, responses=(build(one, none, ClassifyOptions()),))
    assert "both models have candidates at none of 2 positions" in said_of_vocabulary(page_of(found))


def test_a_token_is_put_together_once_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(of: ResponseAnalysis, row: int) -> Token:
        made.append(row)
        return token(of, row)

    monkeypatch.setattr("shiftlens.analysis.tokens.token", counted)
    page_of(analysis([b"Great", b" question", b"!"]))
    assert made == [0, 1, 2, 3]


def test_several_responses_have_shares_by_position_and_file_and_tokens_with_their_shift_ratio() -> None:
    found = analysis([b"a", b"b"])
    page = PageReader(render([ReportedFile("one", found), ReportedFile("two", found)]))
    tenths, positions, files = (table.text.split("\n") for table in page.all("table", "shares"))
    assert "1" + "2" + "100.0%0.0%0.0%0.2500.0000" in tenths
    assert "2" + "0" + "–––––" in tenths
    assert "1" + "2" + "100.0%0.0%0.0%0.2500.0000" in positions
    assert "2" + "2" + "0.0%100.0%0.0%0.2500.0000" in positions
    assert "3 to 4" + "2" + "0.0%0.0%100.0%0.2500.1733" in positions
    assert "two" + "3" + "33.3%33.3%33.3%" in files
    (ratios,) = page.all("table", "ratios")
    assert "a" + "2" + "2" + "100.0%" in ratios.text.split("\n")


def test_tables_of_positions_with_a_class_say_how_many_have_none() -> None:
    built = build(response("ab"), scored([b"a", b"b"], base_ranks=[0, 9, 1]), ClassifyOptions())
    found = dataclasses.replace(analysis([b"a"]), responses=(built,), summary=built.summary)
    page = PageReader(render([ReportedFile("one", found), ReportedFile("two", found)]))
    said = [remark.text for remark in page.all("p", "remark")]
    assert "Of the positions that have a class; 2 have none." in said
    assert "In the tables below, of the positions that have a class:" in said
    assert "a" not in [row[:1] for row in page.all("table", "ratios")[0].text.split("\n")]


def test_a_response_alone_has_no_tables_of_several() -> None:
    page = page_of(analysis([b"a"]))
    assert not page.all("table", "shares")
    assert not page.all("table", "ratios")


def test_the_loss_mask_of_the_file_is_told() -> None:
    found = analysis([b"a"])
    turn = dataclasses.replace(found.responses[0].response.turn, trained=Trained.YES)
    one = dataclasses.replace(found.responses[0], response=dataclasses.replace(found.responses[0].response, turn=turn))
    said = [remark.text for remark in page_of(dataclasses.replace(found, responses=(one,))).all("p", "remark")]
    assert "The file says that this turn is trained on." in said


def test_shares_by_what_the_template_marks_for_training_have_a_table() -> None:
    found = analysis([b"a", b"b"])
    scores = scored([b"a", b"b"], base_ranks=[9, 1, 1], loss_mask=[1, 0, 0])
    one = build(found.responses[0].response, scores, ClassifyOptions())
    page = page_of(dataclasses.replace(found, responses=(one,), summary=one.summary))
    (table,) = [table.text for table in page.all("table", "summary") if "loss mask" in table.text]
    assert "counted" + "1" + "100.0%0.0%0.0%" in table
    assert "left out" + "2" + "0.0%0.0%100.0%" in table
    assert not [table for table in page_of(found).all("table", "summary") if "loss mask" in table.text]


def test_a_page_of_answers_alone_says_nothing_of_parts() -> None:
    page = page_of(analysis([b"Great", b" question"]))
    assert not [e for e in page.all("span") if e.attributes.get("class") == "part"]
    assert "part" not in {column["kind"] for column in columns_of(page)["facts"]}


def test_with_compat_each_card_has_the_references_numbers_and_no_setting_is_named_that_they_ignore() -> None:
    page = page_of(in_parts("aligntds"))
    told = [next(s for s in sentences(columns_of(page), row) if s.startswith("AlignTDS")) for row in range(3)]
    assert told[0] == (
        "AlignTDS: KL@10 0.0000, Jaccard@10 1.0000, WS@10 0.5556, TR@10 0, TP 0.6667, BTP 0.6667, nDCG 1.0000;"
        " it would show the"
    )
    names = [e.text for e in page.all("dt")]
    assert "Compat" in names
    assert not {"Base context", "Aligned context", "Class by", "Candidates kept"} & set(names)


def test_what_stages_moved_stands_below_its_response_and_can_do_nothing_to_the_page() -> None:
    found = analysis([HOSTILE.encode(), b" so"])
    scores = found.responses[0].pair_scores
    sure = dataclasses.replace(scores.aligned, logprob=floats([-0.001] * 3))
    unsure = dataclasses.replace(scores.base, logprob=floats([-9.0, -0.001, -0.001]))
    moved = dataclasses.replace(found.responses[0], scored=dataclasses.replace(scores, base=unsure, aligned=sure))
    pair = PairSpec(base="b", aligned=HOSTILE)
    comparison = dataclasses.replace(moved.pair_scores.comparison, notes=("The stage's own note.",))
    noted = dataclasses.replace(moved, scored=dataclasses.replace(moved.pair_scores, comparison=comparison))
    each = [dataclasses.replace(found, responses=(noted,), pair=pair)]
    stages = stages_of_file(each, [()], 0.1)
    page = PageReader(render([ReportedFile("talk.txt", found, stages=stages)]))
    of_file, of_response = page.all("details", "stages")
    assert "differs by more than 0.1" in " ".join(of_file.text.split())
    assert "alert(1)" in of_file.text
    assert "The stage's own note." in of_response.text
    rows = ["".join(cells) for cells in moved_rows(stages.responses[0].rows)]
    assert len(rows) == 1
    assert [row.text for row in page.all("tr") if row.text in rows] == rows
    assert rows[0].startswith("1")
    assert "stage 1: 1 (33.3%)" in " ".join(of_response.text.split())
    assert len(page.all("script")) == len(page_of(found).all("script"))
    assert not page.all("img")
