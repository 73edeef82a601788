"""Stages beside the pair of a command, which are told of in what it writes: `--stage` of `report` and `site`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from shiftlens.cli.options import choose
from shiftlens.errors import ModelError, ShiftLensError
from shiftlens.options.pair import BUNDLED_BASE, FROM_FILE, FROM_MODELS

if TYPE_CHECKING:
    from shiftlens.engine.client import EngineClient
    from shiftlens.engine.protocol import Progress
    from shiftlens.pipeline.analyse import Analysed
    from shiftlens.pipeline.put_aside import PutAside
    from shiftlens.scores.store import ResultStore


def add_stage_argument(parser: argparse.ArgumentParser, written: str) -> None:
    """--stage, for a command that writes a report, a page or the like, as `written` says."""
    parser.add_argument(
        "--stage",
        metavar="NAME",
        action="append",
        default=[],
        help=f"a tuned model of the same base, once for each stage, in the order of the training: {written} has a table"
        " of the tokens that they moved, with rank and probability under each (as `shiftlens stages`)",
    )


def check_stage_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with wrong usage where what --stage names can't be compared."""
    if len(set(args.stage)) < len(args.stage):
        parser.error("--stage names a model twice; each stage is another model")
    if args.stage and getattr(args, "scores", None) == FROM_FILE:
        parser.error("--stage needs models that are run, which --scores saved has none of")


async def with_stages(
    args: argparse.Namespace,
    engine: EngineClient,
    store: ResultStore | None,
    found: Analysed,
    on_progress: Callable[[Progress], None] | None,
    aside: PutAside | None,
) -> Analysed:
    """The same with what each stage of the command line gives, or with why there is nothing."""
    from shiftlens.pipeline.analyse_several import analyse_several

    transcript, pair = found.analysis.transcript, found.analysis.pair
    try:
        choices = [choose(_of_stage(args, name), transcript.front_matter) for name in args.stage]
        if found.analysis.scores != FROM_MODELS or choices[0].pair.base != pair.base:
            raise ModelError(f"The scores are not those of a pair with {choices[0].pair.base} as its base model.", "")
        each = await analyse_several(engine, transcript, choices, store=store, on_progress=on_progress, aside=aside)
    except ShiftLensError as error:
        return dataclasses.replace(found, why_no_stages=f"Stages are not compared: {error}")
    return dataclasses.replace(found, stages=each)


def _of_stage(args: argparse.Namespace, name: str) -> argparse.Namespace:
    """The command line with this aligned model."""
    base = BUNDLED_BASE if args.bundled else args.base
    return argparse.Namespace(**{**vars(args), "bundled": False, "base": base, "aligned": name})
