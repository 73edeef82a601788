"""AlignTDS's published records through `shiftlens site`, under the bundled pair: every page, and every number.

The records are 1,000 queries and answers, in the repository Re-Align/AlignTDS, none of which is kept here:
`make oracle-aligntds ALIGNTDS=FOLDER` names a checkout of it (or a file of its records) in SHIFTLENS_ALIGNTDS. The
repository has no candidates of its own models, and none of its pages. So the numbers are held against its formulae,
told once more in `plain_aligntds`, over the candidates that were kept; at every tenth record also against its own
function, out of the checkout, and the candidates against a plain forward of all ids by Transformers, in contexts made
as its code makes them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import shiftlens
from oracles.aligntds_records import (
    COLUMNS,
    FENCED,
    KEPT,
    MARKS,
    MODEL_TAKES,
    NAMED,
    OWN_FUNCTION,
    ROUNDING,
    Row,
    Site,
    answer_of,
    held_against,
    plain_logprobs,
    records_of,
    tokenizer,
)
from oracles.plain_aligntds import NAMES, Candidate, class_of, numbers, numbers_by
from report.page_reader import Element, PageReader
from shiftlens.options.pair import BUNDLED_ALIGNED, BUNDLED_BASE
from shiftlens.text.visible import harmless, visible_piece

PER_FILE = 50
EVERY = 10
"""Of so many records, what takes long is looked at in one."""
CLASSES = ("unshifted", "marginal", "shifted")
OPTIONS = ("--bundled", "--compat", "aligntds", "--device", "cpu")
LOGPROB_NATS = 5e-4

pytestmark = MARKS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The records scored once, with the scores saved beside them, and the site that is made of both."""
    records = records_of(Path(NAMED))
    folder = tmp_path_factory.mktemp("aligntds")
    files = []
    (folder / "records").mkdir()
    for first in range(0, len(records), PER_FILE):
        file = folder / "records" / f"{first // PER_FILE:03}.json"
        file.write_text(json.dumps(records[first : first + PER_FILE]), encoding="utf-8")
        shiftlens.analyze(file, base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED, compat="aligntds", device="cpu").save()
        files.append(file)
    line = [sys.executable, "-m", "shiftlens", "site", folder / "records", *OPTIONS, "-o", folder / "site"]
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == sum(", from " in line for line in done.stderr.splitlines()) == len(files)
    return Site(records, files, folder / "site")


@dataclass(frozen=True)
class Seen:
    """What there is of one record. `numbers` are the definitions, of each position."""

    site: Site
    at: int
    record: Mapping[str, Any]
    rows: Sequence[Row]
    page: PageReader
    table: Sequence[Mapping[str, str]]
    numbers: Sequence[Mapping[str, float]]

    @property
    def classes(self) -> list[int]:
        return [class_of(each["TR@10"]) for each in self.numbers]

    @property
    def is_looked_at_long(self) -> bool:
        return self.at % EVERY == 0


@dataclass(frozen=True)
class Walk:
    """What failed, by the name of a check and the record, and what of each record the index has to tell."""

    failed: Mapping[str, Mapping[int, str]]
    classes: Sequence[Sequence[int]]


@pytest.fixture(scope="module")
def walk(site: Site) -> Walk:
    """Every check of every record: each record is read once, and all that fail are told of."""
    failed: dict[str, dict[int, str]] = {check.__name__: {} for check in CHECKS}
    classes = []
    for at, rows in enumerate(site.rows()):
        defined = [numbers(row.base, row.aligned) for row in rows]
        seen = Seen(site, at, site.records[at], rows, PageReader(site.page(at)), site.table(at), defined)
        classes.append(seen.classes)
        for check in CHECKS:
            try:
                check(seen)
            except AssertionError as error:
                failed[check.__name__][at] = str(error)[:500]
    return Walk(failed, classes)


def test_every_page_has_every_field_of_a_page_of_the_reference(walk: Walk) -> None:
    fields = (check_heads, check_response, check_legend, check_positions, check_prefixes, check_links)
    assert {check.__name__: walk.failed[check.__name__] for check in fields} == {c.__name__: {} for c in fields}


def test_the_numbers_of_every_position_equal_their_definitions(walk: Walk) -> None:
    assert walk.failed[check_numbers.__name__] == {}


def test_the_numbers_equal_those_of_the_references_own_function(walk: Walk) -> None:
    if OWN_FUNCTION is None:
        pytest.skip("SHIFTLENS_ALIGNTDS names no checkout, and so not the function")
    assert walk.failed[check_numbers_by_own_function.__name__] == {}


def test_the_candidates_are_those_of_a_plain_forward(walk: Walk) -> None:
    assert walk.failed[check_candidates.__name__] == {}


def check_heads(seen: Seen) -> None:
    assert seen.page.all("h1")[0].text == f"ID: {seen.at}"
    assert seen.page.all("div", "query")[0].text == harmless(seen.record["pure_input"])


def check_response(seen: Seen) -> None:
    """All of the answer is there, each piece in the class of its positions, and the end where there is one."""
    scores = seen.page.json("scores")
    answer, ends = answer_of(seen.record)
    assert scores["class"] == seen.classes
    assert scores["hasEnd"] == ends
    assert "".join(scores["said"]) == harmless(answer)
    spans = [e for e in spans_of_response(seen.page) if "t" in classes_of(e)]
    bounds = [*scores["first"], len(seen.rows)]
    assert len(spans) == len(scores["first"])
    for span, first, past in zip(spans, bounds, bounds[1:], strict=False):
        assert CLASSES[max(scores["class"][first:past])] in classes_of(span)
    text = "".join(span.text for span in spans)
    assert text.replace("⏎\n", "\n") == harmless(answer) + "■" * ends


def spans_of_response(page: PageReader) -> list[Element]:
    """Elements from the response's text up to its legend."""
    begins = next(at for at, e in enumerate(page.elements) if e.tag == "div" and "text" in classes_of(e))
    ends = next(at for at, e in enumerate(page.elements) if e.tag == "p" and "legend" in classes_of(e))
    return page.elements[begins + 1 : ends]


def classes_of(element: Element) -> list[str]:
    return (element.attributes.get("class") or "").split()


def check_legend(seen: Seen) -> None:
    legend = " ".join(seen.page.all("p", "legend")[0].text.split())
    assert legend.startswith("shifted base rank above 3 marginal 2 to 3 unshifted 1 "), legend


def check_positions(seen: Seen) -> None:
    """What the page's script makes a card of: Base@i and Aligned@i, and the numbers, which the table has as well."""
    scores, pieces = seen.page.json("scores"), seen.page.json("pieces")
    rows, table = seen.rows, seen.table
    assert scores["from"] == 0
    assert len(scores["piece"]) == len(scores["said"]) == len(rows) == len(table)
    for name in ("base", "aligned"):
        side = scores[name]
        assert side["k"] == KEPT
        shown = [pieces[place] for place in side["top"]]
        assert shown == [visible_piece(piece) for row in rows for piece in getattr(row, f"{name}_bytes")]
        logprobs = [candidate.logit for row in rows for candidate in getattr(row, name)]
        assert all(abs(told + 1000 * of) <= 0.5 + 1e-3 for told, of in zip(side["topSurprisal"], logprobs, strict=True))
    assert list(scores["measures"]) == list(NAMES)
    for name, column in COLUMNS.items():
        exact = [float(cells[f"aligntds_{column}"]) for cells in table]
        told = [float(words) for words in scores["measures"][name]]
        assert max(abs(one - other) for one, other in zip(told, exact, strict=True)) <= 0.5e-4 + ROUNDING, name
    assert [int(cells["position"]) for cells in table] == list(range(len(rows)))
    assert [unguarded(cells["aligntds_token"]) for cells in table] == [row.aligned[0].text for row in rows]


def unguarded(cell: str) -> str:
    """A cell of text without the apostrophe that keeps spreadsheets from running it; a null character again."""
    return cell.removeprefix("'").replace("␀", "\0")


def check_prefixes(seen: Seen) -> None:
    """What each model had read before the response; before position i the page's script puts the first i of `said`."""
    page, record = seen.page, seen.record
    fence = harmless(FENCED.format(record["pure_input"]))
    prefixes = page.json("scores")["prefixes"]
    assert prefixes["base"].endswith(fence)
    assert prefixes["aligned"] == harmless(record["input"])
    headings = [e.text for e in page.all("h3")]
    assert headings == ["Base Prefix", "Aligned Prefix"]
    assert [e.text for e in page.all("div", "verbatim")][-2:] == [prefixes["base"], prefixes["aligned"]]


def check_links(seen: Seen) -> None:
    links = [(link.text, str(link.attributes["href"])) for link in seen.page.all("a")]
    number, last = seen.at, len(seen.site.records) - 1
    wanted = [
        *([("← Previous", f"{number - 1}.html")] if number else []),
        ("Home", "../index.html"),
        *([("Next →", f"{number + 1}.html")] if number < last else []),
        (f"{number}.csv", f"../data/{number}.csv"),
    ]
    assert links == wanted
    assert all((seen.site.folder / "pages" / href).is_file() for _, href in links)


def check_numbers(seen: Seen) -> None:
    held_against(seen.numbers, seen.table)


def check_numbers_by_own_function(seen: Seen) -> None:
    if OWN_FUNCTION is not None and seen.is_looked_at_long:
        held_against([numbers_by(OWN_FUNCTION, row.base, row.aligned) for row in seen.rows], seen.table)


def check_candidates(seen: Seen) -> None:
    """Prompts and answer become ids each by itself, as in AlignTDS; what does not fit the models is flagged."""
    answer, ends = answer_of(seen.record)
    ids = tokenizer(BUNDLED_ALIGNED).encode(answer, add_special_tokens=False)
    assert len(seen.rows) == len(ids) + ends
    prompts = (
        ("base", BUNDLED_BASE, tokenizer(BUNDLED_BASE).encode(FENCED.format(seen.record["pure_input"]))),
        ("aligned", BUNDLED_ALIGNED, tokenizer(BUNDLED_ALIGNED).encode(seen.record["input"])),
    )
    fits = min(MODEL_TAKES - len(prefix) + 1 for _, _, prefix in prompts)
    shortened = [at for at, cells in enumerate(seen.table) if cells["shortened"] == "true"]
    assert shortened == list(range(fits, len(seen.rows)))
    for side, name, prefix in prompts if seen.is_looked_at_long else ():
        logprobs = plain_logprobs(name, prefix, ids, len(seen.rows))
        kept: list[tuple[Candidate, ...]] = [getattr(row, side) for row in seen.rows[: len(logprobs)]]
        own = torch.tensor([[candidate.id for candidate in top] for top in kept])
        told = torch.tensor([[candidate.logit for candidate in top] for top in kept], dtype=torch.float64)
        # Those of the same ids, and the highest there are: two within rounding may change places.
        assert float((logprobs.gather(1, own) - told).abs().max()) < LOGPROB_NATS
        assert float((logprobs.topk(KEPT).values - told).abs().max()) < LOGPROB_NATS


CHECKS: tuple[Callable[[Seen], None], ...] = (
    check_heads,
    check_response,
    check_legend,
    check_positions,
    check_prefixes,
    check_links,
    check_numbers,
    check_numbers_by_own_function,
    check_candidates,
)


def test_the_index_lists_every_record_with_its_shares(site: Site, walk: Walk) -> None:
    index = (site.folder / "index.html").read_text(encoding="utf-8")
    listed = re.findall(r"<tr><td><a href=\"(.*?)\">(\d+)</a></td>", index)
    assert listed == [(f"pages/{at}.html", str(at)) for at in range(len(site.records))]
    texts = PageReader(index).json("texts")
    cells = re.findall(r"<td class=\"number\">(.*?)</td>", index)
    assert len(walk.classes) == len(site.records)
    for at, (record, classes) in enumerate(zip(site.records, walk.classes, strict=True)):
        assert harmless(record["pure_input"][:500]) in texts[at]
        of_each = [f"{classes.count(shift) / len(classes):.1%}" for shift in (2, 1, 0)]
        assert cells[4 * at : 4 * at + 4] == [str(len(classes)), *of_each]
    summary = json.loads((site.folder / "figures.json").read_text(encoding="utf-8"))["summary"]
    counts = [sum(classes.count(shift) for classes in walk.classes) for shift in (2, 1, 0)]
    assert [summary[name] for name in ("shifted", "marginal", "unshifted")] == counts
    print(f"{len(site.records)} records, {sum(counts)} positions: shifted, marginal, unshifted {counts}")
