"""Scoring the responses of a request: prepared by portions, scored in passes, handed out as soon as they are done."""
