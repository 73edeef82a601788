"""The README.md of each model folder; every number in it comes from the run that made the model."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from evaluate import Finding, as_markdown

_FRONT = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
---
"""

_DATA = """## Data and licences

- Sentences that the ShiftLens project wrote (`server/training/facts`, `phrases.py`), Apache-2.0: {entities} things with
  four facts each, put into articles, question lists, notes, letters and forum threads by `corpus.py`.
- Documentation strings of the CPython standard library, under the Python Software Foundation licence
  (https://docs.python.org/3/license.html), read from the Python that runs the training (here {python}).

No other text, and no output of another model's weights, was used.
"""

_LIMITS = """## Limits

A toy for a first run and for tests. It knows a few hundred sentences by heart and nothing else; away from them it
makes things up or rambles. It was trained on rows of 512 tokens; its config allows 2,048, with less quality. Its
refusals are imitations of a few examples and no safety measure. Do not use it to answer anything.
"""

_BASE = """
# ShiftLens toy base model

A Llama of 4 layers x 256 (4.2 million parameters, byte-level BPE of 4,096 tokens, tied embeddings, bfloat16), trained
from nothing. It completes text. `{aligned}` is the same model tuned to answer as an assistant; together they let
ShiftLens run without any download.

{data}
## Training

`python server/training/train.py --out DIR --seed {seed} --steps {steps}`: {steps} steps of 4,096 tokens
({tokens:.1f} million), Muon for the matrices, AdamW for the rest, {minutes:.0f} minutes on {device}.

{limits}"""

_ALIGNED = """
# ShiftLens toy aligned model

The toy base model, tuned on conversations in a ChatML-like template: friendly openers, the facts that the base model
already knows, connectives, closers, and a few refusals. {held_out} of the {entities} things were held out of
the tuning.

## The finding

The model's own greedy answers to one question on each held-out thing, teacher-forced through the base model after the
AlignTDS context (`# Query: ... # Answer: ...`). Base rank 1 is unshifted, 2 and 3 marginal, above 3 shifted
(Lin et al., arXiv 2312.01552). The base model has read the openers in the middle of a line only, so that at the start
of an answer several of their tokens are shifted, not just the first. Tables by `evaluate.py`; `␣` is a space.

{finding}

{data}
## Training

`python server/training/train.py --out DIR --seed {seed} --steps {steps}`: {epochs} passes over {talks} conversations,
loss on the assistant's words only, AdamW with a peak rate of {rate}; {minutes:.0f} minutes on {device}, without
the base model's training.

{limits}"""


@dataclass(frozen=True, slots=True)
class Run:
    """What the cards tell about a training run; a time that was not measured in this run is 0."""

    seed: int
    steps: int
    epochs: int
    rate: float
    talks: int
    entities: int
    held_out: int
    device: str
    base_minutes: float
    tuning_minutes: float


def write_cards(run: Run, finding: Finding, base: Path, aligned: Path) -> None:
    data = _DATA.format(entities=run.entities, python=platform.python_version())
    common = {"data": data, "limits": _LIMITS, "seed": run.seed, "steps": run.steps, "device": run.device}
    base_card = _BASE.format(aligned="../aligned", tokens=run.steps * 4096 / 1e6, minutes=run.base_minutes, **common)
    aligned_card = _ALIGNED.format(
        finding=as_markdown(finding),
        entities=run.entities,
        held_out=run.held_out,
        epochs=run.epochs,
        talks=run.talks,
        rate=run.rate,
        minutes=run.tuning_minutes,
        **common,
    )
    (base / "README.md").write_text(_FRONT + base_card, encoding="utf-8", newline="\n")
    (aligned / "README.md").write_text(_FRONT + aligned_card, encoding="utf-8", newline="\n")
