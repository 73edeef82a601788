"""Readers of JSON and JSONL files, one format a module."""
