"""The Python API: `shiftlens.analyze(...)` and `shiftlens.cross_sample(...)`, with the words of the command line."""

from shiftlens.api.analysing import analyze
from shiftlens.api.cross_sampling import cross_sample

__all__ = ["analyze", "cross_sample"]
