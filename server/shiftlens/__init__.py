"""ShiftLens: see which tokens of a model's response alignment shifted."""

__version__ = "0.1.0"
