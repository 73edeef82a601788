"""The Python API: `shiftlens.analyze(...)` and what goes with it, with the words of the command line."""

from shiftlens.api.analysing import analyze
from shiftlens.api.comparing import contexts, noise_floor
from shiftlens.api.cross_sampling import cross_sample

__all__ = ["analyze", "contexts", "cross_sample", "noise_floor"]
