"""Scoring the responses of a request: prepared by portions, scored in passes, given out when their rows are there."""
