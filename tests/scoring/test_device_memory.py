"""How many bytes a model will take, by its files."""

from __future__ import annotations

from pathlib import Path

from shiftlens.options.pair import PairSpec
from shiftlens.scoring.models.sources import ModelSource
from shiftlens.scoring.opening.device_memory import estimated_bytes
from tiny_models import byte_level_tokenizer, save_model


def test_files_that_could_not_be_read_are_looked_at_again(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", byte_level_tokenizer(), seed=1)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    spec = PairSpec(base=str(folder), aligned=str(folder))

    def estimate() -> int:
        return estimated_bytes(ModelSource(str(folder), str(folder)), spec, "cpu", full_model=True)

    weights.write_bytes(whole[:4])
    assert estimate() == 0
    weights.write_bytes(whole)
    assert 0.9 * len(whole) < estimate() <= len(whole)
