"""Scores in a file beside their transcript, which need no model to be shown (docs/sidecars.md)."""
