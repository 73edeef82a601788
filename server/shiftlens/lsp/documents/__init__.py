"""Open documents: their text, what it was read as, what stands where."""
