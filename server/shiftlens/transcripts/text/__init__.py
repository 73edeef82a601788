"""Readers of plain text, one format a module."""
