"""The command that a page names does what the page shows: the command line's own parser reads it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.cli.main import build_parser
from shiftlens.cli.options import choose
from shiftlens.lsp.views.command_line import Chosen, command_line
from shiftlens.options.pair import (
    BASE_CONTEXTS,
    BUNDLED_ALIGNED,
    BUNDLED_BASE,
    CLASSIFY_BY,
    SCORE_PARTS,
    ClassifyOptions,
    PairSpec,
    ScoreOptions,
)
from shiftlens.options.settings import Settings

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the line is quoted for another shell there")

PAIRS = st.builds(
    PairSpec,
    base=st.sampled_from((BUNDLED_BASE, "some model", "a'b")),
    aligned=st.sampled_from((BUNDLED_ALIGNED, "other/model")),
    device=st.sampled_from(("auto", "cpu")),
    dtype=st.sampled_from(("auto", "bfloat16")),
    matrix_library=st.sampled_from(("auto", "torch")),
)
SCORE_OPTIONS = st.builds(
    ScoreOptions,
    base_context=st.sampled_from(BASE_CONTEXTS),
    aligned_context=st.sampled_from(BASE_CONTEXTS),
    top_k=st.integers(1, 100),
    compat=st.sampled_from(("", "aligntds")),
    parts=st.sets(st.sampled_from(SCORE_PARTS), min_size=1).map(
        lambda found: tuple(part for part in SCORE_PARTS if part in found)
    ),
)
CLASSIFY_OPTIONS = st.builds(
    ClassifyOptions, classify_by=st.sampled_from(CLASSIFY_BY), thresholds=st.sampled_from(((1, 3), (2, 9)))
)
FRONT_MATTER = st.sampled_from(({}, {"baseContext": "raw", "topK": 3}, {"base": "x", "aligned": "y", "compat": ""}))


@given(
    PAIRS,
    SCORE_OPTIONS,
    CLASSIFY_OPTIONS,
    FRONT_MATTER,
    st.text(st.characters(categories=("L", "N", "Zs")), min_size=1),
)
def test_the_command_chooses_the_same(
    pair: PairSpec, options: ScoreOptions, classify: ClassifyOptions, front_matter: dict[str, object], name: str
) -> None:
    chosen = Chosen(
        pair=pair,
        score_options=options,
        classify_options=classify,
        settings=Settings(format="labels", max_file_bytes=9_000_000),
        front_matter=front_matter,
    )
    line, by_hand = command_line("cross-sample", f"/talks/{name}.txt", chosen, ["--at", "3"])
    program, *arguments = shlex.split(line)
    args = build_parser().parse_args(arguments)
    found = choose(args, front_matter)
    assert (program, by_hand) == ("shiftlens", ())
    assert (args.path, args.at, args.transcript_format, args.max_bytes) == (
        f"/talks/{name}.txt",
        3,
        "labels",
        9_000_000,
    )
    assert found.pair == pair
    assert found.classify_options == classify
    # The reference has a base context of its own, whatever is asked for.
    assert found.score_options == options or (options.compat and found.score_options.compat == options.compat)


def test_what_the_command_has_as_files_only_is_left_to_the_user(tmp_path: Path) -> None:
    chosen = Chosen(
        pair=PairSpec(base=BUNDLED_BASE, aligned=BUNDLED_ALIGNED),
        score_options=ScoreOptions(base_context="template:{{ messages }}"),
        classify_options=ClassifyOptions(),
        settings=Settings(),
        front_matter={},
    )
    path = str(tmp_path / "a.txt")
    line, by_hand = command_line("noise-floor", path, chosen)
    assert line == f"shiftlens noise-floor {path} --bundled"
    assert by_hand == ("Add --base-context template:FILE, with the template of the settings in that file.",)
    assert command_line("contexts", path, chosen, with_base_context=False) == (
        line.replace("noise-floor", "contexts"),
        (),
    )
