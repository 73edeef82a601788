"""Whether the weights in a model's files are those of the model: what is missing would be made up at random."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from transformers import PreTrainedModel

from shiftlens.errors import ModelError

_EXAMPLES = 3
_RECOMPUTED = re.compile(r"(?:inv_freq|position_ids|masked_bias|attn\.bias)$")
_IN_LAYER = re.compile(r"(.*?\.)(\d+)(\..+)")


def check_fit(name: str, model: PreTrainedModel, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Look at what transformers says of a loading (`output_loading_info`), and give notes for the reader.

    Tied weights are not missing for it, nor what the model's class declares to be of no matter. Raises ModelError,
    with the names of the first tensors and their number.
    """
    buffers = {key for key, _ in model.named_buffers()}
    missing = [key for key in found["missing_keys"] if not (key in buffers and _RECOMPUTED.search(key))]
    architecture = type(model).__name__
    if missing:
        raise ModelError(
            f"The weights of {name} lack {_counted(missing)} of a {architecture}, which would be made up at random.",
            "The download is not whole, or this is another kind of model (a reward or an embedding model has no head):"
            " fetch it anew, or choose a causal language model.",
        )
    mismatched = {key: (tuple(theirs), tuple(ours)) for key, theirs, ours in found["mismatched_keys"]}
    if mismatched:
        first = min(mismatched)
        theirs, ours = mismatched[first]
        raise ModelError(
            f"The weights of {name} have {_counted(mismatched)} of another shape than its `config.json` says"
            f" (the first is {_shape(theirs)}, and should be {_shape(ours)}).",
            "Its files are not of one model: fetch it anew.",
        )
    if found["error_msgs"]:
        raise ModelError(
            f"The weights of {name} can't be read: {' '.join(str(found['error_msgs'][0]).split())}.", "Fetch it anew."
        )
    unused = [key for key in found["unexpected_keys"] if not _RECOMPUTED.search(key)]
    _check_layers(name, model, unused)
    if not unused:
        return ()
    return (f"Not used were {_counted(unused)} in the files of {name}, which a {architecture} does not have.",)


def _check_layers(name: str, model: PreTrainedModel, unused: Iterable[str]) -> None:
    """Whole layers that the configuration leaves out. Layers for other ends (predicting several tokens) have more."""
    own, more = _layers(model.state_dict().keys()), _layers(unused)
    for (prefix, number), tensors in sorted(more.items()):
        last = own.get((prefix, number - 1)) or own.get((prefix, 0))
        if last is not None and last == tensors:
            count = max(number for place, number in more if place == prefix) + 1
            raise ModelError(
                f"`config.json` of {name} leaves out layers of its weights, which have {count} of them"
                f" (`{prefix}{number}`).",
                "Its files are not of one model: fetch it anew.",
            )


def _layers(keys: Iterable[str]) -> dict[tuple[str, int], set[str]]:
    """What each numbered layer holds, by the name before its number."""
    layers: dict[tuple[str, int], set[str]] = {}
    for key in keys:
        match = _IN_LAYER.fullmatch(key)
        if match is not None:
            layers.setdefault((match[1], int(match[2])), set()).add(match[3])
    return layers


def _counted(keys: Collection[str]) -> str:
    """How many tensors, with the names of the first."""
    names = ", ".join(f"`{key}`" for key in sorted(keys)[:_EXAMPLES])
    return f"{len(keys)} tensor{'' if len(keys) == 1 else 's'} ({names}{', ...' if len(keys) > _EXAMPLES else ''})"


def _shape(sizes: Iterable[int]) -> str:
    return " x ".join(str(size) for size in sizes) or "a single number"
