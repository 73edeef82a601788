"""What the command line says, as the values the other rooms work with."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shiftlens.chat_templates.own import model_template
from shiftlens.errors import ModelError
from shiftlens.options.choice import Choice
from shiftlens.options.pair import (
    AUTO_LIBRARY,
    BASE_CONTEXTS,
    BUNDLED_ALIGNED,
    BUNDLED_BASE,
    CLASSIFY_BY,
    COMPAT_MODES,
    DEVICES,
    DTYPES,
    FROM_FILE,
    FROM_MODELS,
    MATRIX_LIBRARIES,
    NO_PAIR,
    SCORE_PARTS,
    SCORES,
    PairSpec,
    parts_named,
    pickle_allowed,
)
from shiftlens.options.settings import TEMPLATE_PREFIX, Settings, read_front_matter_values
from shiftlens.options.word_lists import WordListError, WordLists, read_word_lists
from shiftlens.transcripts.read import OwnTemplate
from shiftlens.transcripts.template_marks import ModelTemplate

_MOST_CANDIDATES = 100


class _Once(argparse.Action):
    """Takes one value; of several only the last would be used, without a word."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} names one model here; `shiftlens stages` compares several")
        setattr(namespace, self.dest, values)


def add_pair_arguments(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """--base, --aligned, --bundled and how to load them. With `several`, --aligned is a list, without --bundled."""
    models = parser.add_argument_group("models")
    models.add_argument(
        "--base", metavar="NAME", help="base model: a Hugging Face name, a folder, a .gguf file, or vllm:URL#NAME"
    )
    if several:
        models.add_argument(
            "--aligned", metavar="NAME", action="append", help="an aligned model; once for each stage, in their order"
        )
        parser.set_defaults(bundled=False)
    else:
        models.add_argument(
            "--aligned",
            metavar="NAME",
            action=_Once,
            help="aligned model: a Hugging Face name, a folder, a .gguf file, or vllm:URL#NAME",
        )
        models.add_argument(
            "--bundled",
            action="store_true",
            help="the tiny pair that comes with shiftlens, the same as"
            f" --base {BUNDLED_BASE} --aligned {BUNDLED_ALIGNED}",
        )
    models.add_argument("--device", choices=DEVICES, default="auto")
    models.add_argument("--dtype", choices=DTYPES, default="auto")
    models.add_argument(
        "--matrix-library",
        choices=MATRIX_LIBRARIES,
        default=AUTO_LIBRARY,
        help="what takes the matrix products on a CPU: torch's own (MKL on x86), oneDNN, or the quicker one (default)",
    )
    models.add_argument("--allow-download", action="store_true", help="fetch models that are not in the local cache")
    models.add_argument(
        "--allow-pickle",
        action="store_true",
        help="load checkpoints without safetensors; such a file can run code, so only do this with one you trust",
    )


def add_numbers_arguments(parser: argparse.ArgumentParser) -> None:
    """What changes the numbers and the classes. Without an option, the file's front matter or the default holds."""
    numbers = parser.add_argument_group("numbers")
    contexts = "|".join(BASE_CONTEXTS)
    numbers.add_argument(
        "--base-context",
        type=context,
        metavar=f"{contexts}|template:FILE",
        help="how the base model is given the conversation (default aligntds, the paper's way)",
    )
    numbers.add_argument(
        "--aligned-context",
        type=context,
        metavar=f"{contexts}|template:FILE",
        help="how the aligned model is (default chat, its own template)",
    )
    numbers.add_argument(
        "--classify-by",
        choices=CLASSIFY_BY,
        help="whose base rank gives the class: the response's token (default) or the aligned model's first choice",
    )
    numbers.add_argument(
        "--thresholds", type=thresholds, metavar="U,M", help="highest unshifted and marginal rank (default 1,3)"
    )
    numbers.add_argument("--top-k", type=candidates, metavar="K", help="candidates kept per position (default 10)")
    numbers.add_argument(
        "--score-parts",
        type=score_parts,
        metavar=",".join(SCORE_PARTS),
        help="which parts of a response are scored (default answer,reasoning); the others stand in the context",
    )
    numbers.add_argument(
        "--word-lists",
        type=word_lists,
        metavar="FILE",
        help="JSON with lists of words in place of the package's, which tell the kind of a token (see docs/kinds.md)",
    )
    numbers.add_argument("--compat", choices=COMPAT_MODES, help="also give the numbers of the AlignTDS code")


def add_scores_argument(parser: argparse.ArgumentParser) -> None:
    """Whether models are run, or what the files hold is shown."""
    parser.add_argument(
        "--scores",
        choices=SCORES,
        help="run models (default), or show the logprobs that the files hold themselves, without any model"
        " (see docs/saved-logprobs.md)",
    )


def context(value: str) -> str:
    """An argparse type: a named context, or `template:` and the text of the file named behind it."""
    if value in BASE_CONTEXTS:
        return value
    if value.startswith(TEMPLATE_PREFIX):
        path = Path(value[len(TEMPLATE_PREFIX) :])
        try:
            return TEMPLATE_PREFIX + path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise argparse.ArgumentTypeError(f"the template {str(path)!r} can't be read: {error}") from None
    raise argparse.ArgumentTypeError(f"{value!r} is none of {', '.join(BASE_CONTEXTS)}, template:FILE")


def thresholds(value: str) -> tuple[int, int]:
    """An argparse type: two ranks, such as 1,3."""
    try:
        first, second = (int(part) for part in value.split(","))
    except ValueError:
        first, second = 0, 0
    if not 1 <= first <= second:
        raise argparse.ArgumentTypeError(f"{value!r} is not two ranks from 1 up in order, such as 1,3")
    return first, second


def score_parts(value: str) -> tuple[str, ...]:
    """An argparse type: kinds of parts, such as answer,reasoning."""
    try:
        return parts_named(part.strip() for part in value.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{value!r} should be {error}") from None


def word_lists(value: str) -> WordLists:
    """An argparse type: the lists of a file, with the package's where it has none."""
    try:
        return read_word_lists(Path(value))
    except WordListError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def candidates(value: str) -> int:
    """An argparse type: how many candidates to keep."""
    if value.isdecimal() and 1 <= int(value) <= _MOST_CANDIDATES:
        return int(value)
    raise argparse.ArgumentTypeError(f"{value!r} is not a whole number from 1 to {_MOST_CANDIDATES}")


def check_pair_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with a usage error where --bundled and another model are both asked for, or models where none are run."""
    if getattr(args, "scores", None) == FROM_FILE and (args.bundled or args.base or args.aligned):
        parser.error("--scores saved shows what the files hold and runs no model; leave it out, or the models")
    if args.bundled and (args.base or args.aligned):
        parser.error("--bundled names both models; leave out --base and --aligned, or leave out --bundled")


def names_models(args: argparse.Namespace, front_matter: Mapping[str, object]) -> bool:
    """Whether the command line or the file's front matter names any model."""
    return bool(args.bundled or args.base or args.aligned or front_matter.get("base") or front_matter.get("aligned"))


def shows_saved(args: argparse.Namespace, front_matter: Mapping[str, object]) -> bool:
    """Whether the scores that a file holds are to be shown, so that no models are needed."""
    return (getattr(args, "scores", FROM_MODELS) or front_matter.get("scores")) == FROM_FILE


def own_template_of(args: argparse.Namespace) -> OwnTemplate:
    """What reads a text by the chat template of the aligned model, as `choose` would choose that."""

    chosen = BUNDLED_ALIGNED if args.bundled else args.aligned

    # Nothing of the arguments but a name: what reads is sent to other processes (`corpora.on_ray`).
    def own_template(front_matter: Mapping[str, object]) -> ModelTemplate | None:
        values, _ = read_front_matter_values(front_matter)
        name = chosen or values.get("aligned")
        return model_template(str(name)) if name else None

    return own_template


def choose(args: argparse.Namespace, front_matter: Mapping[str, object], instead: PairSpec | None = None) -> Choice:
    """The command line goes before the file's front matter, which names no pickle to be opened.

    Raises ModelError where a model is not named, unless there is a pair to be taken `instead`.
    """
    values, problems = read_front_matter_values(front_matter)
    given = {
        "base": BUNDLED_BASE if args.bundled else args.base,
        "aligned": BUNDLED_ALIGNED if args.bundled else args.aligned,
        "base_context": args.base_context,
        "aligned_context": args.aligned_context,
        "classify_by": args.classify_by,
        "thresholds": args.thresholds,
        "top_k": args.top_k,
        "score_parts": args.score_parts,
        "compat": args.compat,
        "scores": getattr(args, "scores", FROM_MODELS),
    }
    values.update({name: value for name, value in given.items() if value is not None})
    chosen = dataclasses.replace(Settings(), **values)  # type: ignore[arg-type]
    try:
        of_file = chosen.scores == FROM_FILE
        pair = NO_PAIR if of_file else pair_of(args, chosen.base, chosen.aligned)
    except ModelError as error:
        if instead is not None:
            classify_options = dataclasses.replace(chosen.classify_options, word_lists=args.word_lists)
            return Choice(instead, chosen.score_options, classify_options, problems)
        # What the file names may be what is missing.
        raise ModelError(" ".join((error.problem, *problems)), error.remedy) from None
    of_user = (given["base"], given["aligned"])
    pair = dataclasses.replace(pair, allow_pickle=pickle_allowed(pair.allow_pickle, (pair.base, pair.aligned), of_user))
    classify_options = dataclasses.replace(chosen.classify_options, word_lists=args.word_lists)
    return Choice(pair, chosen.score_options, classify_options, problems, chosen.scores)


def pair_of(args: argparse.Namespace, base: str, aligned: str) -> PairSpec:
    """The pair with the loading options of the command line. Raises ModelError where a name is missing."""
    if not base or not aligned:
        missing = " and ".join(name for name, value in (("base", base), ("aligned", aligned)) if not value)
        raise ModelError(
            f"No {missing} model is named.",
            "Name both with --base and --aligned (or in the file's front matter), or try --bundled.",
        )
    return PairSpec(
        base=base,
        aligned=aligned,
        device=args.device,
        dtype=args.dtype,
        matrix_library=args.matrix_library,
        allow_download=args.allow_download,
        allow_pickle=args.allow_pickle,
    )
