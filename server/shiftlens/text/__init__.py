"""Texts: lines and columns, source maps, spans of tokens, edits. No other room is below this one."""
