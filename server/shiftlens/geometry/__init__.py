"""Offsets, lines and columns: where things stand in a text."""
