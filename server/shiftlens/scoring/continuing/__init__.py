"""Going on from a position of a response, and scoring other text there, instead of what the response says."""
