"""Readers of what chat programs export or save, one format a module."""
