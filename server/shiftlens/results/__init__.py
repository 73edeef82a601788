"""Scores kept on disk: what a model is without loading it, and what it once gave for a response."""
