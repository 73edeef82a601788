"""`shiftlens corpus-summary`: what the responses of a scored corpus are together."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from shiftlens.cli.one_position import whole_number
from shiftlens.errors import ShiftLensError
from shiftlens.report.text.columns import columns, shares_table
from shiftlens.text.whole_file import replacing, why_unwritable, write_whole

if TYPE_CHECKING:
    from shiftlens.analysis.corpus import Bin, TokenRatio
    from shiftlens.analysis.model import Summary
    from shiftlens.corpora.summary import RowsSummary

_EPILOG = """\
KL is the mean of KL(aligned || base) over the whole vocabulary, in nats; JS is the mean of a lower bound of the
Jensen-Shannon divergence, from the candidates that were kept. The ratio of a token is how often it is shifted where it
is said. The outputs are read as streams.
Exit codes: 0 all was read, 1 something was not, 2 wrong usage, 130 interrupted.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "corpus-summary",
        help="sum up a scored corpus: shares by kind, turn, position, file and model; the most shifted tokens",
        description="Sum up outputs of `shiftlens corpus`.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("outputs", metavar="OUT", nargs="+", help="what `shiftlens corpus` wrote; several count as one")
    parser.add_argument(
        "--format",
        choices=("text", "json", "html", "parquet"),
        default="text",
        help="a table for reading, JSON, a page with figures, or rows (parquet takes -o); default %(default)s",
    )
    parser.add_argument(
        "--limit", type=whole_number(1), metavar="N", default=20, help="tokens and files shown (default %(default)s)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of standard output")
    parser.set_defaults(run=functools.partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    from shiftlens.corpora.output import read_output
    from shiftlens.corpora.summary import summarise_rows

    if (why := _why_impossible(args)) is not None:
        parser.error(why)
    try:
        if args.format == "parquet":
            from shiftlens.report.arrow import need_pyarrow

            need_pyarrow()
        found = summarise_rows(chain.from_iterable(read_output(Path(name)) for name in args.outputs))
    except ShiftLensError as error:
        from shiftlens.text.visible import harmless

        print(f"shiftlens corpus-summary: {harmless(str(error))}", file=sys.stderr)
        return 1
    if args.output is None:
        sys.stdout.write(_written(args, found))
        return 0
    output = Path(args.output)
    try:
        if args.format == "parquet":
            _write_parquet(output, found, args.outputs, args.limit)
        else:
            write_whole(output, _written(args, found))
    except OSError as error:
        parser.error(f"{args.output} can't be written: {error.strerror}")
    return 0


def _why_impossible(args: argparse.Namespace) -> str | None:
    """Why the summary can't be written as it was asked for, to be told before the work; None where it can."""
    if args.output is None:
        return "--format parquet writes a file: name it with -o" if args.format == "parquet" else None
    output = Path(args.output)
    if output.resolve() in {Path(name).resolve() for name in args.outputs}:
        return f"{args.output} is to be summed up, and would be written over: name another file with -o"
    return why_unwritable(output)


def _written(args: argparse.Namespace, found: RowsSummary) -> str:
    if args.format == "json":
        from shiftlens.corpora.summary import rows_summary_json

        return json.dumps(rows_summary_json(found, args.outputs, args.limit), allow_nan=False, indent=1) + "\n"
    if args.format == "html":
        from shiftlens.report.corpus_page import render_corpus

        return render_corpus(found, args.outputs, args.limit) + "\n"
    return "\n".join(_text(found, args.limit)) + "\n"


def _write_parquet(output: Path, found: RowsSummary, outputs: Sequence[str], limit: int) -> None:
    """Raises OSError."""
    from shiftlens import __version__
    from shiftlens.corpora.summary_table import COLUMNS, SCHEMA, summary_rows
    from shiftlens.report.arrow import ParquetWriter

    about = {"schema": SCHEMA, "generator": f"shiftlens {__version__}", "outputs": json.dumps(list(outputs))}
    with replacing(output) as part:
        table = ParquetWriter(part, COLUMNS, about)
        try:
            table.write(summary_rows(found, limit))
        finally:
            table.close()


def _text(found: RowsSummary, limit: int) -> Iterator[str]:
    from shiftlens.text.visible import harmless_name

    corpus, alone = found.corpus, found.alone
    said = f"{found.responses:,} responses, {corpus.whole.tokens:,} positions"
    for count, words in (
        (found.refused, "refused"),
        (found.not_scored, "not scored by choice"),
        (found.one_model, "with scores of one model alone, which are not counted here"),
    ):
        said += f"; {count:,} {words}" if count else ""
    yield said
    if alone:
        yield "Scores are those of one model alone: classes are by that model's own rank."

    def table(title: str, rows: Iterable[tuple[str, Summary]]) -> Iterator[str]:
        yield ""
        yield from columns(shares_table(title, list(rows), alone=alone), {0})

    yield from table("", [("all", corpus.whole)])
    if corpus.whole.is_of_parts:
        yield from table("part", corpus.whole.by_part)
    yield from table("kind", [(kind.words, summary) for kind, summary in corpus.whole.by_kind])
    if corpus.whole.by_loss_mask:
        yield from table("loss mask", [(mask.words, summary) for mask, summary in corpus.whole.by_loss_mask])
    yield from table("turn", [(str(turn + 1), summary) for turn, summary in corpus.by_turn])
    yield from _curve("tenth", corpus.by_tenth, alone)
    yield from _curve("position", corpus.by_position, alone)
    files = [(harmless_name(file), summary) for file, summary in corpus.by_file[:limit]]
    yield from table("file", files)
    yield from _more(len(corpus.by_file) - len(files))
    names = ((" > ".join(name for name in pair if name) or "not named", summary) for pair, summary in corpus.by_pair)
    yield from table("models", [(harmless_name(name), summary) for name, summary in names])
    yield from _tokens(corpus.tokens[:limit], alone)
    yield from _more(len(corpus.tokens) - limit)


def _curve(title: str, bins: Iterable[Bin], alone: bool) -> Iterator[str]:
    """Positions are numbered from 1, as they are everywhere where people read them."""
    from shiftlens.analysis.model import CLASSES

    labels = (shift.own_label if alone else shift.label for shift in CLASSES)
    table = [[title, "with a class", *labels, "KL", "JS >="]]
    for found in bins:
        of = found.shares
        numbers = (of.percent(shift) for shift in CLASSES)
        kl = f"{found.mean_kl:.3f}" if found.with_kl else "-"
        js = f"{found.mean_js:.4f}" if found.with_js else "-"
        table.append([_range(found), f"{found.tokens:,}", *numbers, kl, js])
    yield ""
    yield from columns(table, {0})


def _range(found: Bin) -> str:
    if found.past is None:
        return f"from {found.first + 1:,}"
    return f"{found.past:,}" if found.past == found.first + 1 else f"{found.first + 1:,} to {found.past:,}"


def _tokens(tokens: Iterable[TokenRatio], alone: bool) -> Iterator[str]:
    from shiftlens.analysis.facts import LONGEST_TOKEN
    from shiftlens.analysis.model import ShiftClass
    from shiftlens.text.visible import visible_piece

    label = ShiftClass.SHIFTED.own_label if alone else ShiftClass.SHIFTED.label
    table = [[f"most {label}", label, "said", "ratio"]]
    for token in tokens:
        name = visible_piece(token.piece, limit=LONGEST_TOKEN) or "(no text)"
        table.append([name, f"{token.shifted:,}", f"{token.said:,}", f"{token.ratio:.1%}"])
    yield ""
    yield from columns(table, {0})


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"and {count:,} more"
