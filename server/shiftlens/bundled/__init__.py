"""The tiny model pair and the sample transcripts that ship with ShiftLens."""
